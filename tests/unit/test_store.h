/* SPDX-License-Identifier: Apache-2.0 */
/* Small stores for the tests, and what is in them. */
#ifndef IL_TEST_STORE_H
#define IL_TEST_STORE_H

#include <isolink/store.h>

#include "tests/unit/unit.h"

enum { STORE_DIM = 8 };

/* Row `number`, version `turn`: values that every codec holds well. */
UNIT const float *store_row(int number, int turn)
{
    static _Thread_local float row[STORE_DIM];
    for (int q = 0; q < STORE_DIM; q++)
        row[q] = (float)((number * 31 + q * 7 + turn * 13) % 97 - 48) / 4;
    return row;
}

UNIT const char *store_id(int number)
{
    static _Thread_local char id[32];
    snprintf(id, sizeof(id), "id-%d", number);
    return id;
}

UNIT struct il_store_config store_config(int write)
{
    struct il_store_config c;
    il_store_config_init(&c);
    c.write = c.create = write;
    c.dim = STORE_DIM;
    c.codec = IL_CODEC_F32;
    return c;
}

/* Opens or fails the test. */
UNIT struct il_store *store_open(const char *path, const struct il_store_config *c)
{
    struct il_store *s = NULL;
    struct il_error error = {{0}};
    if (il_store_open(&s, path, c, &error) != IL_OK)
        fail_msg("open: %s", error.text);
    return s;
}

UNIT struct il_store *store_reader(const char *path)
{
    struct il_store_config c = store_config(0);
    return store_open(path, &c);
}

#define STORE_OK(e)                                                                      \
    do {                                                                                 \
        error.text[0] = 0;                                                               \
        if ((e) != IL_OK)                                                                \
            fail_msg("%s:%d: %s", __FILE__, __LINE__, error.text);                       \
    } while (0)

UNIT void store_put(struct il_store *s, int number, int turn)
{
    struct il_error error;
    const char *id = store_id(number);
    STORE_OK(il_store_put(s, id, strlen(id), store_row(number, turn), &error));
}

/* The turn of a row of an f32 store: -1 when it is not there; fails on a row that is no
   turn below 100. */
UNIT int store_turn(struct il_store *s, int number)
{
    struct il_error error = {{0}};
    float row[STORE_DIM];
    int found = 0;
    const char *id = store_id(number);
    enum il_status status = il_store_get(s, id, strlen(id), row, &found, &error);
    if (!found) {
        assert_int_equal(status, IL_EARG);
        return -1;
    }
    if (status != IL_OK)
        fail_msg("get %s: %s", id, error.text);
    for (int turn = 0; turn < 97; turn++)
        if (memcmp(row, store_row(number, turn), sizeof(row)) == 0)
            return turn;
    fail_msg("%s holds no row of any turn", id);
    return -1;
}

/* Counts the rows of a cursor; each id comes once and get agrees with it. */
UNIT size_t store_count(struct il_store *s)
{
    struct il_error error = {{0}};
    struct il_store_cursor *c = NULL;
    float rows[7 * STORE_DIM], one[STORE_DIM];
    const void *ids[7];
    size_t bytes[7], n = 0, all = 0;
    STORE_OK(il_store_cursor_open(&c, s, &error));
    for (;;) {
        STORE_OK(il_store_cursor_next(c, 0, 7, rows, ids, bytes, &n, &error));
        if (n == 0)
            break;
        for (size_t i = 0; i < n; i++) {
            STORE_OK(il_store_get(s, ids[i], bytes[i], one, NULL, &error));
            assert_memory_equal(one, rows + i * STORE_DIM, sizeof(one));
        }
        all += n;
    }
    il_store_cursor_close(&c);
    struct il_store_info info;
    il_store_describe(s, &info);
    assert_int_equal(info.rows, all);
    return all;
}

#endif
