/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/safetensors.h"

#include "formats/json.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

/* The limit of the reference reader. */
#define HEADER_BYTES_MAX 100000000u
#define DIMS_MAX 8u

struct tensor {
    const char *name;
    size_t name_bytes;
    uint64_t begin, end; /* in the data */
    uint64_t shape[2];
    size_t dims;
    size_t size; /* bytes of a number; 0: a type that holds no vectors */
    enum il_dtype type;
    enum il_form form;
};

/* A header under way. */
struct header {
    struct il_json json;
    struct tensor *tensors;
    size_t count, room;
};

int il_safetensors_begins(const unsigned char *data, size_t bytes)
{
    return bytes >= 9 && il_load_u64(data) <= HEADER_BYTES_MAX && data[8] == '{';
}

static const struct {
    const char *name;
    size_t size; /* of a number, in any tensor */
    int vectors; /* 1: read as vectors */
    enum il_dtype type;
    enum il_form form;
} dtypes[] = {
    {"F32", 4, 1, IL_F32, IL_FORM_PLAIN},
    {"F16", 2, 1, IL_F16, IL_FORM_PLAIN},
    {"BF16", 2, 1, IL_F16, IL_FORM_BF16},
    {"F64", 8, 1, IL_F64, IL_FORM_PLAIN},
    {"I8", 1, 1, IL_I8, IL_FORM_PLAIN},
    {"U8", 1, 1, IL_U8, IL_FORM_PLAIN},
    {"BOOL", 1, 0, IL_U8, 0},
    {"I16", 2, 0, IL_U8, 0},
    {"U16", 2, 0, IL_U8, 0},
    {"I32", 4, 0, IL_U8, 0},
    {"U32", 4, 0, IL_U8, 0},
    {"I64", 8, 0, IL_U8, 0},
    {"U64", 8, 0, IL_U8, 0},
    {"F8_E4M3", 1, 0, IL_U8, 0},
    {"F8_E5M2", 1, 0, IL_U8, 0},
    {"C64", 8, 0, IL_U8, 0},
};
#define DTYPES (sizeof(dtypes) / sizeof(*dtypes))

static enum il_status read_dtype(struct il_json *json, size_t *out)
{
    char *text = NULL;
    size_t bytes = 0;
    il_json_peek(json);
    const char *at = json->at;
    enum il_status status = il_json_string(json, &text, &bytes);
    if (status != IL_OK)
        return status;
    for (size_t i = 0; i < DTYPES; i++) {
        if (il_json_is(text, bytes, dtypes[i].name)) {
            *out = i;
            return IL_OK;
        }
    }
    return il_json_fail(json, at, "a type that is not known");
}

/* [1, 2, ..]: at most `most` numbers. */
static enum il_status read_numbers(struct il_json *json, uint64_t *out, size_t most,
                                   size_t *count)
{
    *count = 0;
    if (!il_json_take(json, '['))
        return il_json_fail(json, json->at, "wanted an array of numbers");
    if (il_json_take(json, ']'))
        return IL_OK;
    for (;;) {
        if (*count == most)
            return il_json_fail(json, json->at, "more numbers than there may be");
        enum il_status status = il_json_u64(json, &out[(*count)++]);
        if (status != IL_OK)
            return status;
        if (il_json_take(json, ']'))
            return IL_OK;
        if (!il_json_take(json, ','))
            return il_json_fail(json, json->at, "wanted ',' or ']'");
    }
}

/* The bytes of a shape must be those between the offsets. */
static enum il_status check_tensor(const struct il_json *json, const char *at,
                                   struct tensor *t, const uint64_t *shape, size_t dims,
                                   size_t dtype)
{
    uint64_t bytes = dtypes[dtype].size;
    for (size_t i = 0; i < dims; i++) {
        if (__builtin_mul_overflow(bytes, shape[i], &bytes))
            return il_json_fail(json, at, "a shape beyond 64 bits");
    }
    if (t->end < t->begin || t->end - t->begin != bytes)
        return il_json_fail(json, at, "data_offsets that do not fit the shape");
    t->shape[0] = dims > 0 ? shape[0] : 0;
    t->shape[1] = dims > 1 ? shape[1] : 0;
    t->dims = dims;
    t->type = dtypes[dtype].type;
    t->form = dtypes[dtype].form;
    t->size = dtypes[dtype].vectors ? dtypes[dtype].size : 0;
    return IL_OK;
}

/* {"dtype": .., "shape": [..], "data_offsets": [begin, end]}, each once. */
static enum il_status read_tensor(struct il_json *json, struct tensor *t)
{
    uint64_t shape[DIMS_MAX], offsets[2];
    size_t dims = 0, count = 0, dtype = DTYPES, key_bytes = 0;
    unsigned seen = 0;
    char *key = NULL;
    int more = 0;
    il_json_peek(json);
    const char *at = json->at;
    if (!il_json_take(json, '{'))
        return il_json_fail(json, json->at, "wanted an object: a tensor");
    for (int first = 1;; first = 0) {
        enum il_status status = il_json_member(json, first, &key, &key_bytes, &more);
        if (status != IL_OK)
            return status;
        if (!more)
            break;
        unsigned which = il_json_is(key, key_bytes, "dtype")          ? 1
                         : il_json_is(key, key_bytes, "shape")        ? 2
                         : il_json_is(key, key_bytes, "data_offsets") ? 4
                                                                      : 0;
        if (which == 0 || (seen & which))
            return il_json_fail(json, key, "wanted dtype, shape and data_offsets, once");
        seen |= which;
        status = which == 1   ? read_dtype(json, &dtype)
                 : which == 2 ? read_numbers(json, shape, DIMS_MAX, &dims)
                              : read_numbers(json, offsets, 2, &count);
        if (status != IL_OK)
            return status;
    }
    if (seen != 7 || count != 2)
        return il_json_fail(json, at,
                            "a tensor without dtype, shape or two data_offsets");
    t->begin = offsets[0];
    t->end = offsets[1];
    return check_tensor(json, at, t, shape, dims, dtype);
}

static enum il_status add_tensor(struct header *h, const char *name, size_t name_bytes)
{
    if (h->count == h->room) {
        size_t room = h->room > 0 ? 2 * h->room : 16;
        struct tensor *grown =
            il_realloc(h->tensors, h->count * sizeof(*grown), room * sizeof(*grown));
        if (!grown)
            return il_fail(h->json.error, IL_ENOMEM, "%s: no memory for %zu tensors",
                           h->json.name, room);
        h->tensors = grown;
        h->room = room;
    }
    struct tensor *t = &h->tensors[h->count++];
    *t = (struct tensor){.name = name, .name_bytes = name_bytes};
    return read_tensor(&h->json, t);
}

/* {"__metadata__": {text: text}, NAME: tensor, ..} and spaces. */
static enum il_status read_tensors(struct header *h)
{
    struct il_json *json = &h->json;
    char *key = NULL;
    size_t key_bytes = 0;
    int more = 0, metadata = 0;
    if (json->at == json->end || *json->at != '{')
        return il_json_fail(json, json->at, "wanted an object");
    json->at++;
    for (int first = 1;; first = 0) {
        enum il_status status = il_json_member(json, first, &key, &key_bytes, &more);
        if (status != IL_OK)
            return status;
        if (!more)
            break;
        if (il_json_is(key, key_bytes, "__metadata__")) {
            if (metadata++)
                return il_json_fail(json, key, "a second __metadata__");
            status = il_json_skip(json);
        } else {
            status = add_tensor(h, key, key_bytes);
        }
        if (status != IL_OK)
            return status;
    }
    il_json_peek(json);
    return json->at == json->end
               ? IL_OK
               : il_json_fail(json, json->at, "something follows the object");
}

static int by_name(const struct tensor *a, const struct tensor *b)
{
    size_t bytes = a->name_bytes < b->name_bytes ? a->name_bytes : b->name_bytes;
    int order = bytes ? memcmp(a->name, b->name, bytes) : 0;
    return order ? order
                 : (a->name_bytes > b->name_bytes) - (a->name_bytes < b->name_bytes);
}

static int by_place(const struct tensor *a, const struct tensor *b)
{
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

typedef int compare_fn(const struct tensor *a, const struct tensor *b);

static void sift(struct tensor *t, size_t at, size_t count, compare_fn *compare)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && compare(&t[child], &t[child + 1]) < 0)
            child++;
        if (compare(&t[at], &t[child]) >= 0)
            return;
        struct tensor kept = t[at];
        t[at] = t[child];
        t[child] = kept;
        at = child;
    }
}

/* Heapsort: no memory, and no order of a hostile header makes it slow. */
static void sort(struct tensor *t, size_t count, compare_fn *compare)
{
    for (size_t i = count / 2; i-- > 0;)
        sift(t, i, count, compare);
    for (size_t left = count; left-- > 1;) {
        struct tensor kept = t[0];
        t[0] = t[left];
        t[left] = kept;
        sift(t, 0, left, compare);
    }
}

/* Names once each, data without a gap or an overlap from its first byte on. */
static enum il_status check_all(struct header *h, uint64_t *data_bytes,
                                struct il_error *error)
{
    struct tensor *t = h->tensors;
    char shown[80];
    const char *name = h->json.name;
    sort(t, h->count, by_name);
    for (size_t i = 1; i < h->count; i++) {
        if (by_name(&t[i - 1], &t[i]) == 0)
            return il_fail(
                error, IL_EFORMAT, "%s: the tensor '%s' twice", name,
                il_printable(shown, sizeof(shown), t[i].name, t[i].name_bytes));
    }
    sort(t, h->count, by_place);
    *data_bytes = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (t[i].begin != *data_bytes)
            return il_fail(error, IL_EFORMAT,
                           "%s: the tensor '%s' begins at byte %" PRIu64
                           " of the data, wanted %" PRIu64,
                           name,
                           il_printable(shown, sizeof(shown), t[i].name, t[i].name_bytes),
                           t[i].begin, *data_bytes);
        *data_bytes = t[i].end;
    }
    return IL_OK;
}

static enum il_status choose(const struct header *h, const char *table,
                             struct tensor *out, struct il_error *error)
{
    char shown[80];
    const char *name = h->json.name;
    const struct tensor *found = NULL;
    for (size_t i = 0; i < h->count; i++) {
        const struct tensor *t = &h->tensors[i];
        if (table ? !il_json_is(t->name, t->name_bytes, table)
                  : t->dims != 2 || t->size == 0)
            continue;
        if (found)
            return il_fail(error, IL_EARG,
                           "%s: several tensors of vectors, as '%s': choose one by its "
                           "name",
                           name,
                           il_printable(shown, sizeof(shown), t->name, t->name_bytes));
        found = t;
    }
    if (!found)
        return il_fail(error, table ? IL_EARG : IL_EFORMAT, "%s: no tensor %s%s%s", name,
                       table ? "'" : "",
                       table ? il_printable(shown, sizeof(shown), table, strlen(table))
                             : "of 2 dimensions and of F32, F16, BF16, F64, I8 or U8",
                       table ? "'" : "");
    if (found->dims != 2 || found->size == 0)
        return il_fail(error, IL_EFORMAT,
                       "%s: the tensor '%s' is not one of 2 dimensions and of F32, F16, "
                       "BF16, F64, I8 or U8",
                       name, il_printable(shown, sizeof(shown), table, strlen(table)));
    *out = *found;
    return IL_OK;
}

/* The header in a block of its own, which grows as the bytes come: a length that lies
   costs no more than twice what is there. */
static enum il_status load(struct il_input *stream, size_t bytes, char **out,
                           struct il_error *error)
{
    size_t have = 0, room = 0;
    char *block = NULL;
    while (have < bytes) {
        size_t more = room < 65536 ? 65536 : 2 * room, got = 0;
        more = more < bytes ? more : bytes;
        char *grown = il_realloc(block, have, more + 1);
        if (!grown) {
            il_free(block);
            return il_fail(error, IL_ENOMEM, "%s: no memory for a header of %zu bytes",
                           il_input_name(stream), bytes);
        }
        block = grown;
        room = more;
        enum il_status status =
            il_input_read(stream, block + have, room - have, &got, error);
        have += got;
        if (status == IL_OK && have < room)
            status = il_fail(error, IL_EFORMAT,
                             "%s, byte 0: header of %zu bytes, the file ends at byte "
                             "%" PRIu64,
                             il_input_name(stream), bytes, il_input_at(stream));
        if (status != IL_OK) {
            il_free(block);
            return status;
        }
        block[have] = 0;
    }
    *out = block;
    return IL_OK;
}

/* From the tensors to the layout of one. */
static enum il_status lay_out(struct il_layout *out, struct header *h, uint64_t base,
                              struct il_input *stream, const char *table,
                              struct il_error *error)
{
    uint64_t data_bytes = 0;
    struct tensor t = {0};
    struct il_bytes bytes = {.name = h->json.name, .size = il_input_size(stream)};
    enum il_status status = read_tensors(h);
    if (status == IL_OK)
        status = check_all(h, &data_bytes, error);
    if (status == IL_OK)
        status = choose(h, table, &t, error);
    if (status != IL_OK)
        return status;
    if (bytes.size != IL_SIZE_UNKNOWN && data_bytes != bytes.size - base)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64 ": %" PRIu64 " bytes of data, wanted %" PRIu64
                       ": the file is %s",
                       bytes.name, base, bytes.size - base, data_bytes,
                       bytes.size - base < data_bytes ? "cut short"
                                                      : "longer than its header says");
    if (data_bytes > INT64_MAX)
        return il_fail(error, IL_ELIMIT, "%s: %" PRIu64 " bytes of data", bytes.name,
                       data_bytes);
    *out = (struct il_layout){.type = t.type,
                              .form = t.form,
                              .offset = base + t.begin,
                              .tail_bytes = data_bytes - t.end};
    return il_layout_check(out, &bytes, 8, t.shape[0], t.shape[1], error);
}

enum il_status il_safetensors_layout(struct il_layout *out, struct il_input *stream,
                                     const char *table, struct il_error *error)
{
    unsigned char p[8];
    size_t got = 0;
    const char *name = il_input_name(stream);
    enum il_status status = il_input_read(stream, p, sizeof(p), &got, error);
    if (status != IL_OK)
        return status;
    if (got < sizeof(p))
        return il_fail(error, IL_EFORMAT,
                       "%s: %zu bytes, wanted the length of a header (8)", name, got);
    uint64_t bytes = il_load_u64(p);
    uint64_t size = il_input_size(stream);
    if (bytes > HEADER_BYTES_MAX || bytes < 2)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte 0: header of %" PRIu64 " bytes, wanted 2 to %u", name,
                       bytes, HEADER_BYTES_MAX);
    if (size != IL_SIZE_UNKNOWN && bytes > size - sizeof(p))
        return il_fail(error, IL_EFORMAT,
                       "%s, byte 0: header of %" PRIu64 " bytes, the file ends at byte "
                       "%" PRIu64,
                       name, bytes, size);
    char *text = NULL;
    status = load(stream, (size_t)bytes, &text, error);
    if (status != IL_OK)
        return status;
    struct header h = {.json = {.at = text,
                                .start = text,
                                .end = text + bytes,
                                .name = name,
                                .offset = sizeof(p),
                                .error = error}};
    status = lay_out(out, &h, sizeof(p) + bytes, stream, table, error);
    il_free(h.tensors);
    il_free(text);
    return status;
}
