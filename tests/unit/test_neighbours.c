/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "src/link/evidence.h"
#include "tests/unit/linkdata.h"

#define ROWS 1300
#define D 9
#define KEEP_MAX 20

/* Straight from the header: inner product descending, then position ascending. */
static void brute(const struct il_side *side, const uint32_t *targets, size_t count,
                  size_t keep, uint32_t *index, float *value)
{
    for (size_t u = 0; u < side->rows; u++) {
        size_t have = 0;
        for (uint32_t t = 0; t < count; t++) {
            float s = ld_chain(side->x + u * D, side->x + targets[t] * D, D);
            if (have == keep && !(s > value[u * keep + keep - 1]))
                continue;
            size_t at = have < keep ? have++ : keep - 1;
            for (; at > 0 && s > value[u * keep + at - 1]; at--) {
                value[u * keep + at] = value[u * keep + at - 1];
                index[u * keep + at] = index[u * keep + at - 1];
            }
            value[u * keep + at] = s;
            index[u * keep + at] = t;
        }
        for (; have < keep; have++)
            index[u * keep + have] = IL_INDEX_NONE;
    }
}

static void neighbours_equal_brute_force(void **state)
{
    (void)state;
    static uint32_t got[ROWS * KEEP_MAX], wanted[ROWS * KEEP_MAX];
    static float got_value[ROWS * KEEP_MAX], wanted_value[ROWS * KEEP_MAX];
    static const size_t counts[] = {0, 1, 5, 511, 512, 513, 1200},
                        keeps[] = {1, 3, 13, 20};
    struct il_simd table[4];
    size_t isas = ld_isas(table);
    struct ld_rng rng = {8};
    uint32_t *targets = ld_order(&rng, ROWS);
    struct il_side side;
    ld_side_random(&side, ROWS, D, 3);
    /* Ties: coordinates of few values, and rows that are there several times. */
    for (size_t i = 0; i < ROWS * D / 2; i++)
        side.x[i] = (float)(int)(side.x[i] * 4) / 4;
    memcpy(side.x + 1000 * D, side.x, 200 * D * sizeof(float));
    for (size_t t = 0; t < isas; t++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
            struct il_frame frame;
            ld_frame_open(&frame, &table[t], 1 + (unsigned)c % 3);
            size_t keep = keeps[c % 4], count = counts[c];
            brute(&side, targets, count, keep, wanted, wanted_value);
            assert_int_equal(
                il_neighbours(&frame, &side, targets, count, keep, got, got_value),
                IL_OK);
            for (size_t i = 0; i < ROWS * keep; i++) {
                assert_int_equal(got[i], wanted[i]);
                if (got[i] != IL_INDEX_NONE)
                    assert_memory_equal(&got_value[i], &wanted_value[i], sizeof(float));
            }
            ld_frame_close(&frame);
        }
    }
    il_side_free(&side);
    free(targets);
}

static enum il_status use(void *context)
{
    const uint32_t targets[] = {1, 5, 9};
    uint32_t index[40];
    float value[40];
    struct il_side side;
    struct il_frame *frame = context;
    side = (struct il_side){.rows = 10, .d = 4, .x = (float[40]){0}};
    return il_neighbours(frame, &side, targets, 3, 4, index, value);
}

static void cancel_is_seen(void **state)
{
    (void)state;
    struct il_frame frame;
    il_atomic_int cancel;
    ld_frame_open(&frame, NULL, 2);
    frame.cancel = &cancel;
    atomic_init(&cancel, 0);
    assert_int_equal(use(&frame), IL_OK);
    atomic_store(&cancel, 1);
    assert_int_equal(use(&frame), IL_ECANCEL);
    ld_frame_close(&frame);
}

static void memory_faults_are_told(void **state)
{
    (void)state;
    struct il_frame frame;
    ld_frame_open(&frame, NULL, 3);
    assert_true(unit_starve(use, &frame) >= 4);
    ld_frame_close(&frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_equal_brute_force),
        cmocka_unit_test(cancel_is_seen),
        cmocka_unit_test(memory_faults_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
