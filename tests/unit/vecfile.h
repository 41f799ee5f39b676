/* SPDX-License-Identifier: Apache-2.0 */
/* Vector files made in memory, sound and broken ones. */
#ifndef IL_VECFILE_H
#define IL_VECFILE_H

#include "src/io/bytes.h"
#include "tests/unit/unit.h"

/* A file being put together; the data lies at the end of a block of exactly its size, so
   that ASan sees a read past the end. */
struct made {
    unsigned char *data;
    size_t size;
};

UNIT void made_add(struct made *m, const void *data, size_t bytes)
{
    unsigned char *grown = realloc(m->data, m->size + bytes + !(m->size + bytes));
    assert_non_null(grown);
    if (bytes)
        memcpy(grown + m->size, data, bytes);
    m->data = grown;
    m->size += bytes;
}

UNIT void made_zeros(struct made *m, size_t bytes)
{
    unsigned char *zeros = calloc(1, bytes + 1);
    made_add(m, zeros, bytes);
    free(zeros);
}

UNIT void made_u32(struct made *m, uint32_t value)
{
    unsigned char p[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                          (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
    made_add(m, p, 4);
}

/* Magic, version, length, dict, padding to 64, line end. */
UNIT struct made made_npy(int version, const char *dict, size_t data_bytes)
{
    struct made m = {0};
    size_t lead = version == 1 ? 10 : 12, length = strlen(dict);
    size_t total = (lead + length + 1 + 63) / 64 * 64;
    unsigned char head[8] = {0x93, 'N', 'U', 'M', 'P', 'Y', (unsigned char)version, 0};
    made_add(&m, head, 8);
    size_t stated = total - lead;
    unsigned char p[4] = {(unsigned char)stated, (unsigned char)(stated >> 8)};
    made_add(&m, p, lead - 8);
    made_add(&m, dict, length);
    while (m.size + 1 < total)
        made_add(&m, " ", 1);
    made_add(&m, "\n", 1);
    made_zeros(&m, data_bytes);
    return m;
}

UNIT struct il_bytes made_bytes(const struct made *m, const char *name)
{
    return (struct il_bytes){.name = name, .size = m->size, .memory = m->data};
}

#endif
