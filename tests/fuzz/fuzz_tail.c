/* SPDX-License-Identifier: Apache-2.0 */
/* Sources that are followed. The first byte: 0 to 127, the rest is a position, whose
   frame is made right; else lines (.csv when odd), which come to a file in two pieces,
   cut where the second byte says, and must give what they give in one. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <isolink/tail.h>

#include "formats/little.h"
#include "src/io/file.h"
#include "tests/fuzz/fuzz.h"

static int no_watch(enum il_io_call call)
{
    return call == IL_IO_WATCH ? 24 : 0; /* EMFILE */
}

/* All rows that are there, as a checksum. */
static uint64_t take(struct il_tail *tail, uint64_t sum)
{
    struct il_tail_row rows[7];
    struct il_error error;
    size_t count = 0;
    do {
        FUZZ_CHECK(il_tail_next(tail, 7, rows, &count, &error) == IL_OK && count <= 7);
        for (size_t i = 0; i < count; i++) {
            FUZZ_CHECK(rows[i].id_bytes >= 1 && rows[i].id_bytes <= IL_ID_BYTES_MAX);
            sum = sum * 31 + il_checksum(rows[i].id, rows[i].id_bytes);
            if (rows[i].row)
                sum = sum * 31 + il_checksum(rows[i].row, il_tail_dim(tail) * 4);
        }
    } while (count > 0);
    return sum;
}

/* Rows and bad lines of the bytes; with a cut, of two pieces and two lives. */
static uint64_t follow(const uint8_t *data, size_t size, size_t cut, enum il_kind kind)
{
    unsigned char position[IL_TAIL_POSITION_MAX];
    char path[64];
    struct il_tail *tail = NULL;
    struct il_tail_config config;
    struct il_tail_info info;
    struct il_error error;
    int fd = memfd_create("fuzz", 0);
    FUZZ_CHECK(fd >= 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    il_tail_config_init(&config);
    config.kind = kind;
    FUZZ_CHECK(il_tail_open(&tail, path, NULL, 0, &config, &error) == IL_OK);
    FUZZ_CHECK(write(fd, data, cut) == (ssize_t)cut);
    uint64_t sum = take(tail, 0);
    size_t bytes = il_tail_position(tail, position);
    il_tail_close(&tail);
    FUZZ_CHECK(write(fd, data + cut, size - cut) == (ssize_t)(size - cut));
    FUZZ_CHECK(il_tail_open(&tail, path, position, bytes, &config, &error) == IL_OK);
    sum = take(tail, sum);
    il_tail_describe(tail, &info);
    il_tail_close(&tail);
    close(fd);
    return sum * 31 + info.bad_lines * 7 + (uint64_t)info.state;
}

/* A position is refused with a text, or leads to one that is taken. */
static void place(const uint8_t *data, size_t size)
{
    unsigned char p[IL_TAIL_POSITION_MAX] = {0}, again[IL_TAIL_POSITION_MAX];
    struct il_tail *tail = NULL;
    struct il_error error = {{0}};
    size_t bytes = size < 64 ? 72 : size + 8;
    if (bytes > sizeof(p))
        return;
    if (size)
        memcpy(p, data, size);
    memcpy(p, "\x89ILPOS\r\n\x01\0\0\0", 12);
    store_u32(p + 56, (uint32_t)bytes - 72);
    store_u64(p + bytes - 8, il_checksum(p, bytes - 8));
    enum il_status status =
        il_tail_open(&tail, "/nowhere/at-all", p, bytes, NULL, &error);
    if (status != IL_OK) {
        fuzz_check_refusal(status, &error);
        return;
    }
    (void)take(tail, 0);
    bytes = il_tail_position(tail, again);
    FUZZ_CHECK(bytes <= sizeof(again));
    il_tail_close(&tail);
    FUZZ_CHECK(il_tail_open(&tail, "/nowhere/at-all", again, bytes, NULL, &error) ==
               IL_OK);
    il_tail_close(&tail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    il_io_hook = no_watch;
    if (size < 2)
        return 0;
    if (data[0] < 128) {
        place(data + 1, size - 1);
        return 0;
    }
    const enum il_kind kind = data[0] % 2 ? IL_KIND_CSV : IL_KIND_JSONL;
    const size_t cut = (size - 2) * data[1] / 255;
    FUZZ_CHECK(follow(data + 2, size - 2, cut, kind) ==
               follow(data + 2, size - 2, size - 2, kind));
    return 0;
}
