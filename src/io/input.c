/* SPDX-License-Identifier: Apache-2.0 */
#include "src/io/input.h"

#include "src/io/sys.h"
#include "src/io/unzst.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Long enough that a read costs much more than the call, short enough for a cache; no row
   of numbers is longer. */
#define BUFFER_BYTES ((size_t)512 * 1024)
#define MAGIC_BYTES 4u

struct il_input {
    char path[168]; /* the end of it, as in messages */
    char name[192]; /* and that it is unpacked, if so */
    uint64_t size;
    uint64_t at; /* number of the byte at buffer + begin */
    unsigned char *buffer;
    size_t room; /* bytes of buffer without the zero behind them */
    size_t begin, end;
    int ended; /* 1: nothing comes after what is in the buffer */
    struct il_unzst *unzst;
    /* What the bytes come from, as they lie there. */
    struct il_file file;
    const unsigned char *memory; /* instead of a file */
    size_t memory_bytes;
    uint64_t raw_at;
    unsigned char magic[MAGIC_BYTES]; /* read from a pipe to see what it is */
    size_t magic_at, magic_bytes;
};

/* The next bytes as they lie in the file, in one call. */
static enum il_status read_raw(void *context, void *out, size_t bytes, size_t *got,
                               struct il_error *error)
{
    struct il_input *s = context;
    *got = 0;
    if (s->magic_at < s->magic_bytes) {
        size_t left = s->magic_bytes - s->magic_at;
        *got = left < bytes ? left : bytes;
        memcpy(out, s->magic + s->magic_at, *got);
        s->magic_at += *got;
    } else if (s->memory) {
        size_t left = s->memory_bytes - (size_t)s->raw_at;
        *got = left < bytes ? left : bytes;
        if (*got)
            memcpy(out, s->memory + s->raw_at, *got);
        s->raw_at += *got;
    } else if (s->file.sized) {
        uint64_t left = s->file.size - s->raw_at;
        *got = left < bytes ? (size_t)left : bytes;
        enum il_status status = il_file_read_at(&s->file, s->raw_at, out, *got, error);
        if (status != IL_OK)
            return status;
        s->raw_at += *got;
    } else {
        ptrdiff_t result = il_sys_read(s->file.fd, out, bytes);
        if (result < 0)
            return il_sys_fail(error, s->file.name, "cannot read", errno);
        *got = (size_t)result;
    }
    return IL_OK;
}

static enum il_status read_some(struct il_input *s, void *out, size_t bytes, size_t *got,
                                struct il_error *error)
{
    if (s->unzst)
        return il_unzst_read(s->unzst, out, bytes, got, error);
    return read_raw(s, out, bytes, got, error);
}

/* Looks at the first bytes, without going past them. */
static enum il_status look_at_magic(struct il_input *s, struct il_error *error)
{
    size_t have = 0;
    while (have < MAGIC_BYTES) {
        size_t got = 0;
        enum il_status status =
            read_raw(s, s->magic + have, MAGIC_BYTES - have, &got, error);
        if (status != IL_OK)
            return status;
        if (got == 0)
            break;
        have += got;
    }
    s->magic_bytes = have;
    return IL_OK;
}

static int ends_in(const char *name, const char *suffix)
{
    size_t length = strlen(name), wanted = strlen(suffix);
    return length >= wanted && strcasecmp(name + length - wanted, suffix) == 0;
}

int il_input_is_packed(const char *name, const unsigned char *data, size_t bytes)
{
    return ends_in(name, ".zst") ||
           (bytes >= MAGIC_BYTES && memcmp(data, "\x28\xb5\x2f\xfd", MAGIC_BYTES) == 0);
}

/* With the file or the memory in place: is it packed? */
static enum il_status begin(struct il_input *s, const char *name, struct il_error *error)
{
    enum il_status status = look_at_magic(s, error);
    if (status != IL_OK)
        return status;
    if (il_input_is_packed(name, s->magic, s->magic_bytes)) {
        s->size = IL_SIZE_UNKNOWN;
        /* The packed file keeps its name: places in it and in what it holds differ. */
        snprintf(s->name, sizeof(s->name), "%s (unpacked)", name);
        status = il_unzst_open(&s->unzst, name, read_raw, s, error);
        if (status != IL_OK)
            return status;
    } else {
        snprintf(s->name, sizeof(s->name), "%s", name);
    }
    s->room = BUFFER_BYTES;
    s->buffer = il_alloc(s->room + 1, 1);
    if (!s->buffer)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", name);
    s->buffer[0] = 0;
    return IL_OK;
}

enum il_status il_input_open(struct il_input **out, const char *path,
                             struct il_error *error)
{
    *out = NULL;
    struct il_input *s = il_alloc_zero(1, sizeof(*s));
    if (!s)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", il_path_tail(path));
    s->file.fd = -1;
    enum il_status status = strcmp(path, "-") == 0 ? il_file_stdin(&s->file, error)
                                                   : il_file_open(&s->file, path, error);
    if (status == IL_OK) {
        /* The path is the caller's; the name must live as long as the stream. */
        snprintf(s->path, sizeof(s->path), "%s", s->file.name);
        s->file.name = s->path;
        s->size = s->file.sized ? s->file.size : IL_SIZE_UNKNOWN;
        status = begin(s, s->path, error);
    }
    if (status != IL_OK)
        il_input_close(&s);
    *out = s;
    return status;
}

enum il_status il_input_memory(struct il_input **out, const char *name, const void *data,
                               size_t bytes, int piped, struct il_error *error)
{
    *out = NULL;
    struct il_input *s = il_alloc_zero(1, sizeof(*s));
    if (!s)
        return il_fail(error, IL_ENOMEM, "%s: no memory to read it", name);
    s->file.fd = -1;
    s->memory = bytes > 0 ? data : (const unsigned char *)"";
    s->memory_bytes = bytes;
    s->size = piped ? IL_SIZE_UNKNOWN : bytes;
    snprintf(s->path, sizeof(s->path), "%s", il_path_tail(name));
    enum il_status status = begin(s, s->path, error);
    if (status != IL_OK)
        il_input_close(&s);
    *out = s;
    return status;
}

void il_input_close(struct il_input **stream)
{
    if (!*stream)
        return;
    il_unzst_close(&(*stream)->unzst);
    il_file_close(&(*stream)->file);
    il_free((*stream)->buffer);
    il_free(*stream);
    *stream = NULL;
}

const char *il_input_name(const struct il_input *stream)
{
    return stream->name;
}

const char *il_input_path(const struct il_input *stream)
{
    return stream->path;
}

uint64_t il_input_size(const struct il_input *stream)
{
    return stream->size;
}

uint64_t il_input_at(const struct il_input *stream)
{
    return stream->at;
}

enum il_status il_input_bytes(struct il_input *stream, size_t look, struct il_bytes *out,
                              struct il_error *error)
{
    *out = (struct il_bytes){.name = stream->name, .size = stream->size};
    if (stream->size != IL_SIZE_UNKNOWN) {
        out->memory = stream->memory;
        out->file = &stream->file;
        return IL_OK;
    }
    IL_ASSERT(stream->at == 0);
    unsigned char *data = NULL;
    enum il_status status = il_input_look(stream, look, &data, &out->memory_bytes, error);
    if (status != IL_OK)
        return status;
    out->memory = data;
    if (stream->ended)
        out->size = out->memory_bytes;
    return IL_OK;
}

/* Room for `bytes` bytes from begin on: what is there moves to the front, into a larger
   buffer if need be. */
static enum il_status make_room(struct il_input *s, size_t bytes, struct il_error *error)
{
    if (s->room - s->begin >= bytes)
        return IL_OK;
    size_t kept = s->end - s->begin;
    if (bytes > s->room) {
        /* At least doubled, so that asking for one byte more each time costs little. */
        size_t room = bytes < 2 * s->room ? 2 * s->room : bytes;
        unsigned char *larger = il_alloc(room + 1, 1);
        if (!larger)
            return il_fail(error, IL_ENOMEM, "%s: no memory for %zu bytes", s->name,
                           room);
        memcpy(larger, s->buffer + s->begin, kept);
        il_free(s->buffer);
        s->buffer = larger;
        s->room = room;
    } else {
        memmove(s->buffer, s->buffer + s->begin, kept);
    }
    s->begin = 0;
    s->end = kept;
    return IL_OK;
}

enum il_status il_input_look(struct il_input *stream, size_t bytes, unsigned char **data,
                             size_t *have, struct il_error *error)
{
    struct il_input *s = stream;
    *data = NULL;
    *have = 0;
    if (s->begin == s->end)
        s->begin = s->end = 0;
    while (s->end - s->begin < bytes && !s->ended) {
        enum il_status status = make_room(s, bytes, error);
        if (status != IL_OK)
            return status;
        size_t got = 0;
        status = read_some(s, s->buffer + s->end, s->room - s->end, &got, error);
        if (status != IL_OK)
            return status;
        s->end += got;
        s->ended = got == 0;
        s->buffer[s->end] = 0;
    }
    *data = s->buffer + s->begin;
    *have = s->end - s->begin;
    return IL_OK;
}

void il_input_take(struct il_input *stream, size_t bytes)
{
    IL_ASSERT(bytes <= stream->end - stream->begin);
    stream->begin += bytes;
    stream->at += bytes;
}

enum il_status il_input_read(struct il_input *stream, void *out, size_t bytes,
                             size_t *got, struct il_error *error)
{
    struct il_input *s = stream;
    unsigned char *to = out;
    *got = 0;
    while (*got < bytes) {
        size_t wanted = bytes - *got, have = s->end - s->begin;
        if (have > 0) {
            size_t some = have < wanted ? have : wanted;
            memcpy(to + *got, s->buffer + s->begin, some);
            il_input_take(s, some);
            *got += some;
        } else if (s->ended) {
            break;
        } else if (wanted < s->room) {
            unsigned char *data = NULL;
            enum il_status status = il_input_look(s, 1, &data, &have, error);
            if (status != IL_OK)
                return status;
        } else {
            enum il_status status = read_some(s, to + *got, wanted, &have, error);
            if (status != IL_OK)
                return status;
            s->ended = have == 0;
            s->at += have;
            *got += have;
        }
    }
    return IL_OK;
}

enum il_status il_input_skip(struct il_input *stream, uint64_t at, struct il_error *error)
{
    struct il_input *s = stream;
    IL_ASSERT(at >= s->at);
    while (s->at < at) {
        size_t have = s->end - s->begin;
        uint64_t wanted = at - s->at;
        /* A file is not read where nobody looks. */
        if (have == 0 && s->file.sized && !s->unzst && at <= s->file.size &&
            at >= MAGIC_BYTES) {
            s->magic_at = s->magic_bytes;
            s->raw_at = at;
            s->at = at;
            break;
        }
        unsigned char *data = NULL;
        enum il_status status = il_input_look(s, 1, &data, &have, error);
        if (status != IL_OK)
            return status;
        if (have == 0)
            return il_fail(error, IL_EFORMAT,
                           "%s, byte %" PRIu64 ": the file ends here, wanted it to go on "
                           "to byte %" PRIu64,
                           s->name, s->at, at);
        il_input_take(s, wanted < have ? (size_t)wanted : have);
    }
    return IL_OK;
}
