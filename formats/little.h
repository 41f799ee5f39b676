/* SPDX-License-Identifier: Apache-2.0 */
/* Little-endian numbers and the checksum of the files of a store. */
#ifndef IL_LITTLE_H
#define IL_LITTLE_H

#include "formats/layout.h"

#include <string.h>

static inline uint64_t align_to(uint64_t value, uint64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

static inline uint64_t load_u64(const unsigned char *p)
{
    return (uint64_t)il_load_u32(p) | (uint64_t)il_load_u32(p + 4) << 32;
}

static inline void store_u32(unsigned char *p, uint32_t value)
{
    memcpy(p, &value, sizeof(value)); /* layout.h refuses big-endian machines */
}

static inline void store_u64(unsigned char *p, uint64_t value)
{
    memcpy(p, &value, sizeof(value));
}

static inline float load_f32(const unsigned char *p)
{
    float value;
    memcpy(&value, p, sizeof(value));
    return value;
}

/** XXH3-64 with seed 0. Any thread. */
uint64_t il_checksum(const void *data, size_t bytes);

/** IL_ECORRUPT at the first byte that is not zero; at: place of p in the file. */
IL_MUST_CHECK enum il_status il_check_zeros(const char *name, const unsigned char *p,
                                            size_t bytes, uint64_t at,
                                            struct il_error *error);

/** IL_ECORRUPT unless the checksum that was found is the wanted one. */
IL_MUST_CHECK enum il_status il_check_sum(const char *name, uint64_t at, const char *what,
                                          uint64_t found, uint64_t wanted,
                                          struct il_error *error);

/**
 * Magic, size, checksum and version of a small file of a store that is whole in memory:
 * magic at 0, version at 8, the checksum in the last 8 bytes.
 * \param what  for messages, as in "manifest"
 * \param least bytes that such a file has at least, 24 or more
 * \return IL_OK; IL_EFORMAT: another magic; IL_ECORRUPT; IL_EVERSION
 */
IL_MUST_CHECK enum il_status il_check_frame(const char *name, const unsigned char *p,
                                            size_t bytes, size_t least, const char *magic,
                                            const char *what, uint32_t version,
                                            struct il_error *error);

#endif
