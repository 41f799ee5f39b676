/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

static void every_length_and_byte_matters(void **state)
{
    (void)state;
    unsigned char text[80] = {0};
    uint64_t seen[81];
    for (size_t n = 0; n <= 80; n++) {
        seen[n] = il_hash_bytes(text, n);
        for (size_t k = 0; k < n; k++)
            assert_true(seen[k] != seen[n]);
    }
    for (size_t i = 0; i < 80; i++) {
        text[i] = 1;
        assert_true(il_hash_bytes(text, 80) != seen[80]);
        text[i] = 0;
    }
}

static void no_byte_past_the_end_is_read(void **state)
{
    (void)state;
    for (size_t n = 0; n < 50; n++) {
        char *text = malloc(n ? n : 1), wider[50] = {0};
        memset(text, 'x', n);
        memset(wider, 'x', n);
        assert_true(il_hash_bytes(text, n) == il_hash_bytes(wider, n));
        free(text);
    }
}

/* The tables use the low bits: numbered ids must spread over them. */
static void numbered_ids_spread(void **state)
{
    (void)state;
    static unsigned char load[4096];
    unsigned most = 0;
    memset(load, 0, sizeof(load));
    for (unsigned i = 0; i < 4096; i++) {
        char text[32];
        int bytes = snprintf(text, sizeof(text), "doc-%u", i);
        unsigned at = (unsigned)(il_hash_bytes(text, (size_t)bytes) & 4095);
        if (++load[at] > most)
            most = load[at];
    }
    assert_true(most <= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_and_byte_matters),
        cmocka_unit_test(no_byte_past_the_end_is_read),
        cmocka_unit_test(numbered_ids_spread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
