/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sources.h"

static struct made made_tensors(const char *header, const void *data, size_t bytes)
{
    struct made m = {0};
    made_u32(&m, (uint32_t)strlen(header));
    made_u32(&m, 0);
    made_add(&m, header, strlen(header));
    made_add(&m, data, bytes);
    return m;
}

#define ONE(dtype, shape, end)                                                           \
    "{\"v\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[0," end "]}}"

static void accepts(const char *header, const void *data, size_t bytes, const char *table)
{
    struct made m = made_tensors(header, data, bytes);
    struct il_source_config config;
    il_source_config_init(&config);
    config.table = table;
    for (int piped = 0; piped < 2; piped++) {
        struct got g;
        if (got_bytes(&g, "t.safetensors", m.data, m.size, piped, 1, &config) != IL_OK)
            fail_msg("%s: %s", header, g.error.text);
        assert_int_equal(g.rows, 2);
        assert_int_equal(g.dim, 2);
        for (int i = 0; i < 4; i++)
            assert_true(g.data[i] == (float)(i + 1));
        got_free(&g);
    }
    free(m.data);
}

static void refuses(const char *header, size_t bytes, enum il_status wanted,
                    const char *says)
{
    unsigned char zeros[64] = {0};
    struct made m = made_tensors(header, zeros, bytes);
    refuses_bytes("t.safetensors", m.data, m.size, wanted, says);
    free(m.data);
}

static const float f32[] = {1, 2, 3, 4};

static void each_type_is_read(void **state)
{
    (void)state;
    static const double f64[] = {1, 2, 3, 4};
    static const uint16_t f16[] = {0x3c00, 0x4000, 0x4200, 0x4400};
    static const uint16_t bf16[] = {0x3f80, 0x4000, 0x4040, 0x4080};
    static const signed char i8[] = {1, 2, 3, 4};
    accepts(ONE("F32", "[2,2]", "16"), f32, 16, NULL);
    accepts(ONE("F64", "[2,2]", "32"), f64, 32, NULL);
    accepts(ONE("F16", "[2,2]", "8"), f16, 8, NULL);
    accepts(ONE("BF16", "[2,2]", "8"), bf16, 8, "v");
    accepts(ONE("I8", "[2,2]", "4"), i8, 4, NULL);
    accepts(ONE("U8", " [ 2 , 2 ] ", "4") "   ", i8, 4, NULL);
}

static void one_of_several_is_found(void **state)
{
    (void)state;
    char data[64] = {0};
    memcpy(data + 12, f32, 16);
    static const char several[] =
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"z\":{\"data_offsets\":[28,36],\"shape\":[1],\"dtype\":\"I64\"},"
        "\"\\u0076\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[12,28]},"
        "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[12,12]},"
        "\"w\":{\"dtype\":\"F32\",\"shape\":[3,1],\"data_offsets\":[0,12]}}";
    accepts(several, data, 36, "v");
    struct made m = made_tensors(several, data, 36);
    struct got g;
    struct il_source_config config;
    il_source_config_init(&config);
    assert_int_equal(got_bytes(&g, "t.safetensors", m.data, m.size, 0, 1, &config),
                     IL_EARG);
    unit_says(&g.error, "several tensors of vectors, as ");
    config.table = "x";
    assert_int_equal(got_bytes(&g, "t.safetensors", m.data, m.size, 0, 1, &config),
                     IL_EARG);
    unit_says(&g.error, "t.safetensors: no tensor 'x'");
    config.table = "z";
    assert_int_equal(got_bytes(&g, "t.safetensors", m.data, m.size, 0, 1, &config),
                     IL_EFORMAT);
    unit_says(&g.error, "'z' is not one of 2 dimensions");
    config.table = "empty";
    assert_int_equal(got_bytes(&g, "t.safetensors", m.data, m.size, 0, 1, &config),
                     IL_EFORMAT);
    unit_says(&g.error, "0 rows, wanted at least 1");
    free(m.data);
}

static void wrong_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *says;
    } tried[] = {
        {"[]", "byte 8: wanted an object"},
        {" {}", "byte 8: wanted an object"},
        {"{} x", "byte 11: something follows the object"},
        {"{}", "no tensor of 2 dimensions"},
        {"{\"v\":1}", "byte 13: wanted an object: a tensor"},
        {"{\"v\":{}}", "a tensor without dtype"},
        {"{\"v\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", "wanted dtype, shape and"},
        {"{\"v\":{\"x\":1}}", "wanted dtype, shape and data_offsets, once"},
        {ONE("F99", "[2,2]", "16"), "a type that is not known"},
        {ONE("F32", "[2,3]", "16"), "data_offsets that do not fit the shape"},
        {ONE("F32", "[4294967296,4294967296]", "16"), "a shape beyond 64 bits"},
        {ONE("F32", "[-2,2]", "16"), "wanted a whole number"},
        {ONE("F32", "[2.0,2]", "16"), "wanted a whole number"},
        {ONE("F32", "[1,1,1,1,1,1,1,1,1]", "4"), "more numbers than there may be"},
        {ONE("F32", "[2,2]", "16,17"), "more numbers than there may be"},
        {ONE("F32", "[4]", "16"), "no tensor of 2 dimensions"},
        {ONE("I64", "[1,2]", "16"), "no tensor of 2 dimensions"},
        {"{\"v\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]}}",
         "the tensor 'v' begins at byte 8 of the data, wanted 0"},
        {"{\"v\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
         "\"w\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[4,12]}}",
         "the tensor 'w' begins at byte 4 of the data, wanted 8"},
        {"{\"v\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[0,8]},"
         "\"\\u0076\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[8,16]}}",
         "the tensor 'v' twice"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", "a second __metadata__"},
        {"{\"v\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0]}}",
         "two data_offsets"},
        {"{\"v\"", "wanted ':'"},
    };
    for (size_t i = 0; i < sizeof(tried) / sizeof(*tried); i++)
        refuses(tried[i].header, 16, IL_EFORMAT, tried[i].says);
    struct made m = {0};
    made_u32(&m, 100000001);
    made_u32(&m, 0);
    made_add(&m, "{}", 2);
    refuses_bytes("t.safetensors", m.data, m.size, IL_EFORMAT,
                  "byte 0: header of 100000001 bytes, wanted 2 to 100000000");
    m.data[0] = 0, m.data[1] = 0xe1;
    refuses_bytes("t.safetensors", m.data, m.size, IL_EFORMAT,
                  "the file ends at byte 10");
    free(m.data);
}

static void the_size_must_fit(void **state)
{
    (void)state;
    refuses(ONE("F32", "[2,2]", "16"), 17, IL_EFORMAT, "longer than its header says");
    refuses(ONE("F32", "[2,2]", "16"), 15, IL_EFORMAT, "cut short");
    struct made m = made_tensors(ONE("F32", "[2,2]", "16"), f32, 16);
    refuses_every_cut("t.safetensors", m.data, m.size);
    free(m.data);
}

/* A million levels; a million tensors in the worst order; a promise of 100 MB. */
static void hostile_headers_cost_little(void **state)
{
    (void)state;
    size_t bytes = 1000000;
    char *text = malloc(bytes + 1);
    memset(text, '[', bytes);
    text[bytes] = 0;
    memcpy(text, "{\"__metadata__\":", 16);
    double begun = il_clock_seconds();
    refuses(text, 0, IL_EFORMAT, "more than 64 deep");
    assert_true(il_clock_seconds() - begun < 2);
    free(text);
    struct made m = {0};
    made_u32(&m, 99999999);
    made_u32(&m, 0);
    made_add(&m, "{", 1);
    struct got g;
    il_alloc_fail_at(0);
    assert_int_equal(got_bytes(&g, "t.safetensors", m.data, m.size, 1, 1, NULL),
                     IL_EFORMAT);
    assert_int_equal(il_alloc_calls(), 4);
    free(m.data);
}

static void faults(void **state)
{
    (void)state;
    struct made m = made_tensors(ONE("F32", "[2,2]", "16"), f32, 16);
    char *path = strdup(unit_put("f.safetensors", m.data, m.size));
    faults_are_reported(path, 2, 4);
    assert_int_equal(unit_starve(starved_file, path), 7);
    free(path);
    free(m.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_type_is_read),
        cmocka_unit_test(one_of_several_is_found),
        cmocka_unit_test(wrong_headers_are_refused),
        cmocka_unit_test(the_size_must_fit),
        cmocka_unit_test(hostile_headers_cost_little),
        cmocka_unit_test(faults),
    };
    return cmocka_run_group_tests(tests, unit_setup, unit_teardown);
}
