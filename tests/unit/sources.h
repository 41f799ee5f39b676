/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of sources share: sources on bytes in memory, read in pieces. */
#ifndef IL_SOURCES_H
#define IL_SOURCES_H

#include "src/store/source_kind.h"
#include "tests/unit/vecfile.h"

/* What a source gave. */
struct got {
    size_t dim;
    int has_ids;
    size_t rows;
    float *data;
    char ids[4096]; /* each followed by a space, while there is room */
    struct il_error error;
};

UNIT void got_free(struct got *g)
{
    free(g->data);
    g->data = NULL;
}

/* Reads a source to its end, `most` rows at a time, and closes it. */
UNIT enum il_status got_all(struct got *g, struct il_source **s, size_t most)
{
    enum il_status status = IL_OK;
    const void *ids[64];
    size_t id_bytes[64], used = 0;
    assert_in_range(most, 1, 64);
    g->dim = il_source_dim(*s);
    g->has_ids = il_source_has_ids(*s);
    assert_in_range(g->dim, 1, IL_DIM_MAX);
    uint64_t says = il_source_rows(*s);
    for (;;) {
        size_t count = 0;
        g->data = realloc(g->data, (g->rows + most) * g->dim * sizeof(float));
        assert_non_null(g->data);
        status = il_source_next(*s, most, g->data + g->rows * g->dim, ids, id_bytes,
                                &count, &g->error);
        if (status != IL_OK) {
            struct il_error again;
            assert_int_equal(count, 0);
            assert_int_equal(il_source_next(*s, 1, g->data + g->rows * g->dim, NULL, NULL,
                                            &count, &again),
                             status);
            assert_string_equal(again.text, g->error.text);
            break;
        }
        assert_true(count <= most);
        for (size_t i = 0; i < count; i++) {
            assert_in_range(id_bytes[i], 1, IL_ID_BYTES_MAX);
            if (used + id_bytes[i] + 2 < sizeof(g->ids)) {
                memcpy(g->ids + used, ids[i], id_bytes[i]);
                used += id_bytes[i];
                g->ids[used++] = ' ';
            }
        }
        g->rows += count;
        if (count < most)
            break;
    }
    if (status == IL_OK && says != UINT64_MAX)
        assert_int_equal(g->rows, says);
    il_source_close(s);
    assert_null(*s);
    return status;
}

/* Opens bytes under a name and reads them whole. `piped`: they do not tell their size. */
UNIT enum il_status got_bytes(struct got *g, const char *name, const void *data,
                              size_t bytes, int piped, size_t most,
                              const struct il_source_config *config)
{
    struct il_input *stream = NULL;
    struct il_source *source = NULL;
    memset(g, 0, sizeof(*g));
    /* A block of exactly this size, so that ASan sees a read past its end. */
    void *copy = malloc(bytes + !bytes);
    assert_non_null(copy);
    if (bytes)
        memcpy(copy, data, bytes);
    enum il_status status = il_input_memory(&stream, name, copy, bytes, piped, &g->error);
    if (status == IL_OK)
        status = il_source_of_input(&source, stream, config, &g->error);
    if (status == IL_OK)
        status = got_all(g, &source, most);
    else
        assert_null(source);
    free(copy);
    return status;
}

/* The same from a file. */
UNIT enum il_status got_file(struct got *g, const char *path, size_t most,
                             const struct il_source_config *config)
{
    struct il_source *source = NULL;
    memset(g, 0, sizeof(*g));
    enum il_status status = il_source_open(&source, path, config, &g->error);
    if (status == IL_OK)
        status = got_all(g, &source, most);
    else
        assert_null(source);
    return status;
}

/* Bytes that must be refused, by a message that holds `says`; both as a file that tells
   its size and as a pipe. */
UNIT void refuses_bytes(const char *name, const void *data, size_t bytes,
                        enum il_status wanted, const char *says)
{
    for (int piped = 0; piped < 2; piped++) {
        struct got g;
        enum il_status status = got_bytes(&g, name, data, bytes, piped, 3, NULL);
        got_free(&g);
        if (status != wanted)
            fail_msg("%s: status %d, wanted %d and '%s' (%s)", name, status, wanted, says,
                     g.error.text);
        unit_says(&g.error, says);
    }
}

/* Every beginning of a sound file must be refused, and none may be taken for it. */
UNIT void refuses_every_cut(const char *name, const void *data, size_t bytes)
{
    for (size_t kept = 0; kept < bytes; kept++) {
        for (int piped = 0; piped < 2; piped++) {
            struct got g;
            enum il_status status = got_bytes(&g, name, data, kept, piped, 2, NULL);
            got_free(&g);
            if (status != IL_EFORMAT)
                fail_msg("%s, %zu of %zu bytes: status %d (%s)", name, kept, bytes,
                         status, g.error.text);
            assert_true(strlen(g.error.text) > 10);
        }
    }
}

/* A step for unit_starve: reads the file of this path whole. */
UNIT enum il_status starved_file(void *context)
{
    struct got g;
    enum il_status status = got_file(&g, context, 3, NULL);
    got_free(&g);
    return status;
}

/* Every system call fails once, with EIO; then every read is short. */
UNIT void faults_are_reported(const char *path, size_t rows, long calls_min)
{
    struct got g;
    for (long k = 1;; k++) {
        unit_fail_io(k, -1, EIO, 0);
        enum il_status status = got_file(&g, path, 3, NULL);
        unit_no_faults();
        got_free(&g);
        if (unit_fault.calls < k) {
            assert_int_equal(status, IL_OK);
            assert_true(k > calls_min);
            break;
        }
        assert_int_equal(status, IL_EIO);
        unit_says(&g.error, "cannot");
    }
    unit_fail_io(1, IL_IO_READ, IL_IO_SHORT, 1);
    enum il_status status = got_file(&g, path, 3, NULL);
    unit_no_faults();
    if (status != IL_OK)
        fail_msg("%s", g.error.text);
    assert_int_equal(g.rows, rows);
    got_free(&g);
}

#endif
