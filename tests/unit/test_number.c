/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/number.h"

#include <locale.h>
#include <math.h>

#include "tests/unit/unit.h"

static void same_as_strtof(const char *text)
{
    float got = -7, wanted = strtof(text, NULL);
    size_t bytes = strlen(text);
    const char *stop = il_number_f32(text, text + bytes, &got);
    if (stop != text + bytes || memcmp(&got, &wanted, 4) != 0)
        fail_msg("%s: %.9g, wanted %.9g, %s", text, (double)got, (double)wanted,
                 stop ? stop : "no number");
}

static uint64_t state_of_random = 1;

static uint64_t random_bits(void)
{
    uint64_t z = (state_of_random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void every_float_comes_back_from_9_and_from_17_digits(void **state)
{
    (void)state;
    static const char *const ways[] = {"%.9g",  "%.17g",  "%.8e",
                                       "%.60f", "%.149e", "%.3f"};
    for (int i = 0; i < 60000; i++) {
        uint32_t bits = (uint32_t)random_bits();
        float value;
        char text[300];
        memcpy(&value, &bits, 4);
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof(text), ways[i % 6], (double)value);
        same_as_strtof(text);
    }
}

/* Exactly between two floats, and a little beside. */
static void halves_go_to_even(void **state)
{
    (void)state;
    for (int i = 0; i < 4000; i++) {
        uint32_t bits = (uint32_t)random_bits() & 0x7fffffffu;
        float low, high;
        char text[400];
        if (i % 4 == 0)
            bits &= 0x00ffffffu; /* subnormal, or nearly */
        memcpy(&low, &bits, 4);
        bits++;
        memcpy(&high, &bits, 4);
        if (!isfinite(high))
            continue;
        double half = ((double)low + (double)high) / 2;
        snprintf(text, sizeof(text), "%.200e", half);
        same_as_strtof(text);
        char *last = strchr(text, 'e') - 1;
        *last = '1';
        same_as_strtof(text);
        snprintf(text, sizeof(text), "%.200e", nextafter(half, 0));
        same_as_strtof(text);
    }
    same_as_strtof("16777217");
    same_as_strtof("16777217.0000000000000000000000000000000000000000001");
    same_as_strtof("16777219");
}

static void ends_of_the_range(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "0e5",
        "-0.000e-99999999999",
        "1",
        "-1.5",
        "1e0",
        "1E+2",
        "1e-2",
        "1e38",
        "3.4028235e38",
        "3.4028236e38",
        "3.5e38",
        "-1e39",
        "1e400",
        "1e-45",
        "7e-46",
        "7.1e-46",
        "1e-400",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "1.17549435e-38",
        "1.17549429e-38",
        "1.1754943508222875e-38",
        "0.000000000000000000000000000000000000000000000000000000000000000000001e69",
        "100000000000000000000000000000000000000000000000000000000000000000000e-69",
        "123456789012345678901234567890",
        "12345678",
        "123456789012345678",
        "0.00000001",
        "0.12345678",
        "0.123456781",
        "99999999999999999999e-20"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        same_as_strtof(texts[i]);
    /* A million digits. */
    char *text = malloc(1000003);
    memset(text, '3', 1000002);
    text[1] = '.';
    text[1000002] = 0;
    same_as_strtof(text);
    memset(text, '0', 1000001);
    text[1] = '.';
    same_as_strtof(text);
    free(text);
}

static void what_json_does_not_know_is_no_number(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    "-",   "+1",  ".5",  "-.5", "01",
                                        "-01", "1.",  "1.e", "1e",  "1e+", "e5",
                                        "x",   "--1", "00",  "NaN", "1.-"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        float got = 7;
        if (il_number_f32(texts[i], texts[i] + strlen(texts[i]), &got) || got != 7)
            fail_msg("'%s' is taken for a number", texts[i]);
    }
    float got = 7;
    const char *text = "12,3";
    assert_ptr_equal(il_number_f32(text, text + 4, &got), text + 2);
    assert_true(got == 12);
    text = "0x10";
    assert_ptr_equal(il_number_f32(text, text + 4, &got), text + 1);
    /* Not past the end, even where digits follow. */
    text = "1234567890123456";
    assert_ptr_equal(il_number_f32(text, text + 3, &got), text + 3);
    assert_true(got == 123);
}

static void words(void **state)
{
    (void)state;
    static const char *const texts[] = {"NaN",       "nan", "-nan", "Infinity",
                                        "-Infinity", "inf", "-Inf", "+INF"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        float got = 0, wanted = strtof(texts[i], NULL);
        const char *end = texts[i] + strlen(texts[i]);
        assert_ptr_equal(il_number_word(texts[i], end, &got), end);
        assert_true(isnan(wanted) ? isnan(got) : got == wanted);
        assert_null(il_number_word(texts[i], texts[i] + 2, &got));
    }
    float got = 0;
    const char *none = "null";
    assert_null(il_number_word(none, none + 4, &got));
}

/* A program may have set a locale with a comma as its decimal point. */
static void the_locale_does_not_matter(void **state)
{
    (void)state;
    float got = 0;
    setlocale(LC_ALL, "de_DE.UTF-8");
    const char *text = "1.00000005960464477539062500";
    assert_non_null(il_number_f32(text, text + strlen(text), &got));
    setlocale(LC_ALL, "C");
    assert_true(got == 1.0f);
    text = "1.5e-45";
    assert_non_null(il_number_f32(text, text + strlen(text), &got));
    assert_true(got == 0x1p-149f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_float_comes_back_from_9_and_from_17_digits),
        cmocka_unit_test(halves_go_to_even),
        cmocka_unit_test(ends_of_the_range),
        cmocka_unit_test(what_json_does_not_know_is_no_number),
        cmocka_unit_test(words),
        cmocka_unit_test(the_locale_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
