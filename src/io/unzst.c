/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/unzst.h"

#include <isolink/memory.h>

#include "src/base/base.h"

#include <inttypes.h>
#include <zstd.h>
#include <zstd_errors.h>

/* zstd --long is 27; what is beyond asks for too much memory for what it saves. */
#define WINDOW_LOG_MAX 27
/* Level 19 without --long. */
#define WINDOW_LOG_LEAST 23

struct il_unzst {
    const char *name;
    il_unzst_read_fn *read;
    void *context;
    ZSTD_DCtx *zstd;
    unsigned char *room; /* packed bytes */
    size_t room_bytes;
    ZSTD_inBuffer in;
    uint64_t at;    /* of room in the packed file */
    uint64_t begun; /* where the frame under way begins */
    int window_log; /* the largest window that is unpacked */
    int inside;     /* 1: a frame is under way */
    int full;       /* 1: it may hold bytes that found no room in the last call */
    int frames;     /* 1: there was at least one */
    int ended;
};

/* A window is memory of libzstd's own, which cannot be given back: under a bound at most
   a half of what can be touched all the time. */
static int window_log(void)
{
    struct il_memory_use use;
    int log = WINDOW_LOG_MAX;
    il_memory_describe(&use);
    while (use.limit_bytes > 0 && log > WINDOW_LOG_LEAST &&
           il_memory_least((uint64_t)2 << log) > use.limit_bytes)
        log--;
    return log;
}

enum il_status il_unzst_open(struct il_unzst **out, const char *name,
                             il_unzst_read_fn *read, void *context,
                             struct il_error *error)
{
    *out = NULL;
    struct il_unzst *z = il_alloc_zero(1, sizeof(*z));
    if (z) {
        z->name = name;
        z->read = read;
        z->context = context;
        z->window_log = window_log();
        z->room_bytes = ZSTD_DStreamInSize();
        z->room = il_alloc(z->room_bytes, 1);
        z->in.src = z->room;
        z->zstd = z->room ? ZSTD_createDCtx() : NULL;
    }
    if (!z || !z->zstd ||
        ZSTD_isError(
            ZSTD_DCtx_setParameter(z->zstd, ZSTD_d_windowLogMax, z->window_log))) {
        il_unzst_close(&z);
        return il_fail(error, IL_ENOMEM, "%s: no memory to unpack it", name);
    }
    *out = z;
    return IL_OK;
}

void il_unzst_close(struct il_unzst **z)
{
    if (!*z)
        return;
    ZSTD_freeDCtx((*z)->zstd);
    il_free((*z)->room);
    il_free(*z);
    *z = NULL;
}

/* Byte of the packed file that comes next. */
static uint64_t place(const struct il_unzst *z)
{
    return z->at + z->in.pos;
}

/* Where the packed file ends, only whole frames may have been. */
static enum il_status end(struct il_unzst *z, struct il_error *error)
{
    z->ended = 1;
    if (z->inside)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64
                       ": the file ends inside the zstd frame that begins at byte "
                       "%" PRIu64 ": it is cut short",
                       z->name, place(z), z->begun);
    if (!z->frames)
        return il_fail(error, IL_EFORMAT, "%s: the file is empty, wanted a zstd frame",
                       z->name);
    return IL_OK;
}

static enum il_status refuse(const struct il_unzst *z, size_t code,
                             struct il_error *error)
{
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_memory_allocation:
        return il_fail(error, IL_ENOMEM, "%s: no memory to unpack it", z->name);
    case ZSTD_error_frameParameter_windowTooLarge:
        if (z->window_log < WINDOW_LOG_MAX)
            return il_fail(error, IL_ENOMEM,
                           "%s, byte %" PRIu64
                           ": a zstd frame with a window of more than 2^%d bytes: wanted "
                           "a bound on memory of %" PRIu64 " MiB for any",
                           z->name, z->begun, z->window_log,
                           il_memory_least((uint64_t)2 << WINDOW_LOG_MAX) >> 20);
        return il_fail(error, IL_ELIMIT,
                       "%s, byte %" PRIu64
                       ": a zstd frame with a window of more than 2^%d bytes; pack it "
                       "without --ultra and --long beyond %d",
                       z->name, z->begun, WINDOW_LOG_MAX, WINDOW_LOG_MAX);
    case ZSTD_error_prefix_unknown:
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": wanted a zstd frame (28 b5 2f fd)", z->name,
                       z->begun);
    default:
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": the zstd frame that begins at byte %" PRIu64
                       " is damaged: %s",
                       z->name, place(z), z->begun, ZSTD_getErrorName(code));
    }
}

/* Packed bytes, when none are left. */
static enum il_status refill(struct il_unzst *z, struct il_error *error)
{
    if (z->in.pos < z->in.size)
        return IL_OK;
    z->at += z->in.size;
    z->in.size = z->in.pos = 0;
    size_t have = 0;
    enum il_status status = z->read(z->context, z->room, z->room_bytes, &have, error);
    if (status != IL_OK)
        return status;
    z->in.size = have;
    return have == 0 ? end(z, error) : IL_OK;
}

enum il_status il_unzst_read(struct il_unzst *z, void *out, size_t bytes, size_t *got,
                             struct il_error *error)
{
    ZSTD_outBuffer to = {.dst = out, .size = bytes};
    *got = 0;
    while (to.pos == 0 && bytes > 0) {
        enum il_status status = z->full ? IL_OK : refill(z, error);
        if (status != IL_OK)
            return status;
        if (z->ended)
            break;
        if (!z->inside)
            z->begun = place(z);
        size_t code = ZSTD_decompressStream(z->zstd, &to, &z->in);
        if (ZSTD_isError(code))
            return refuse(z, code, error);
        z->inside = code != 0;
        z->full = z->inside && to.pos == to.size;
        z->frames = 1;
    }
    *got = to.pos;
    return IL_OK;
}
