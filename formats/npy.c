/* SPDX-License-Identifier: Apache-2.0 */
/* The header is a Python dict literal. It is parsed by its grammar, in any order of the
   keys; nothing is ever evaluated, and what numpy never writes is refused. */
#include "formats/npy.h"

#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

/* numpy's own limit (numpy/numpy#22393). */
#define HEADER_BYTES_MAX 10000u
#define TYPES_WANTED "one of <f4 <f2 <f8 |i1 |u1 >f4 >f2 >f8"

/* What the dict says. The texts are borrowed from the header. */
struct dict {
    const char *descr;
    size_t descr_bytes;
    int fortran; /* -1 = not seen */
    int dims;    /* -1 = not seen */
    uint64_t shape[2];
    uint64_t descr_at, fortran_at, shape_at;
};

struct parser {
    const char *at, *end, *start;
    uint64_t offset; /* of start in the file */
    const char *name;
    struct il_error *error;
};

static uint64_t place(const struct parser *p)
{
    return p->offset + (uint64_t)(p->at - p->start);
}

static enum il_status bad(const struct parser *p, uint64_t at, const char *what)
{
    return il_fail(p->error, IL_EFORMAT, "%s, byte %" PRIu64 ": %s", p->name, at, what);
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end &&
           (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
        p->at++;
}

/* 1 and past it when the next thing is c. */
static int take(struct parser *p, char c)
{
    skip_space(p);
    if (p->at == p->end || *p->at != c)
        return 0;
    p->at++;
    return 1;
}

static int take_word(struct parser *p, const char *word)
{
    size_t bytes = strlen(word);
    skip_space(p);
    if ((size_t)(p->end - p->at) < bytes || memcmp(p->at, word, bytes) != 0)
        return 0;
    p->at += bytes;
    return 1;
}

/* A string without escapes: numpy writes none in the keys and types that are known here.
 */
static enum il_status take_string(struct parser *p, const char **text, size_t *bytes)
{
    skip_space(p);
    if (p->at == p->end || (*p->at != '\'' && *p->at != '"'))
        return bad(p, place(p), "wanted a quoted string");
    char quote = *p->at++;
    *text = p->at;
    while (p->at < p->end && *p->at != quote) {
        if (*p->at == '\\' || *p->at == '\n')
            return bad(p, place(p), "escape or line end inside a string");
        p->at++;
    }
    if (p->at == p->end)
        return bad(p, place(p), "open string at the end of the header");
    *bytes = (size_t)(p->at - *text);
    p->at++;
    return IL_OK;
}

static enum il_status take_number(struct parser *p, uint64_t *out)
{
    skip_space(p);
    uint64_t at = place(p), value = 0;
    if (p->at < p->end && *p->at == '-')
        return bad(p, at, "negative number in the shape");
    if (p->at == p->end || *p->at < '0' || *p->at > '9')
        return bad(p, at, "wanted a number in the shape");
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*p->at - '0'), &value))
            return bad(p, at, "number in the shape does not fit into 64 bits");
    }
    /* Python 2 wrote long integers as 3L. */
    if (p->at < p->end && *p->at == 'L')
        p->at++;
    *out = value;
    return IL_OK;
}

static enum il_status take_shape(struct parser *p, struct dict *d)
{
    d->dims = 0;
    if (!take(p, '('))
        return bad(p, place(p), "wanted the shape as a tuple");
    int comma = 1;
    while (!take(p, ')')) {
        uint64_t number = 0;
        if (!comma)
            return bad(p, place(p), "wanted ',' or ')' in the shape");
        enum il_status status = take_number(p, &number);
        if (status != IL_OK)
            return status;
        if (d->dims < 2)
            d->shape[d->dims] = number;
        d->dims++;
        comma = take(p, ',');
    }
    return IL_OK;
}

static enum il_status take_value(struct parser *p, struct dict *d, const char *key,
                                 size_t key_bytes, uint64_t key_at)
{
    char shown[48];
    skip_space(p);
    uint64_t at = place(p);
    if (key_bytes == 5 && memcmp(key, "descr", 5) == 0) {
        if (d->descr)
            return bad(p, key_at, "key 'descr' twice");
        if (p->at < p->end && *p->at == '[')
            return bad(p, at, "a structured type, wanted " TYPES_WANTED);
        d->descr_at = at;
        return take_string(p, &d->descr, &d->descr_bytes);
    }
    if (key_bytes == 13 && memcmp(key, "fortran_order", 13) == 0) {
        if (d->fortran >= 0)
            return bad(p, key_at, "key 'fortran_order' twice");
        d->fortran_at = at;
        d->fortran = take_word(p, "True");
        if (d->fortran || take_word(p, "False"))
            return IL_OK;
        return bad(p, at, "fortran_order is neither True nor False");
    }
    if (key_bytes == 5 && memcmp(key, "shape", 5) == 0) {
        if (d->dims >= 0)
            return bad(p, key_at, "key 'shape' twice");
        d->shape_at = at;
        return take_shape(p, d);
    }
    return il_fail(p->error, IL_EFORMAT,
                   "%s, byte %" PRIu64 ": key '%s', wanted descr, fortran_order or shape",
                   p->name, key_at, il_printable(shown, sizeof(shown), key, key_bytes));
}

static enum il_status take_dict(struct parser *p, struct dict *d)
{
    *d = (struct dict){.fortran = -1, .dims = -1};
    if (!take(p, '{'))
        return bad(p, place(p), "wanted a Python dict");
    int comma = 1;
    while (!take(p, '}')) {
        const char *key = NULL;
        size_t key_bytes = 0;
        if (!comma)
            return bad(p, place(p), "wanted ',' or '}'");
        skip_space(p);
        uint64_t key_at = place(p);
        enum il_status status = take_string(p, &key, &key_bytes);
        if (status != IL_OK)
            return status;
        if (!take(p, ':'))
            return bad(p, place(p), "wanted ':' after a key");
        status = take_value(p, d, key, key_bytes, key_at);
        if (status != IL_OK)
            return status;
        comma = take(p, ',');
    }
    skip_space(p);
    if (p->at != p->end)
        return bad(p, place(p), "something follows the dict of the header");
    if (!d->descr || d->fortran < 0 || d->dims < 0)
        return bad(p, p->offset, "the header lacks 'descr', 'fortran_order' or 'shape'");
    return IL_OK;
}

static enum il_status type_of(const struct parser *p, const struct dict *d,
                              struct il_layout *out)
{
    static const struct {
        char text[3];
        enum il_dtype type;
    } known[] = {
        {"f4", IL_F32}, {"f2", IL_F16}, {"f8", IL_F64}, {"i1", IL_I8}, {"u1", IL_U8}};
    char shown[48];
    il_printable(shown, sizeof(shown), d->descr, d->descr_bytes);
    const char *text = d->descr;
    size_t bytes = d->descr_bytes;
    char order = '=';
    if (bytes > 0 && strchr("<>=|", *text)) {
        order = *text++;
        bytes--;
    }
    if (bytes >= 1 && *text == 'O')
        return bad(
            p, d->descr_at,
            "an object array (a Python pickle, never loaded), wanted " TYPES_WANTED);
    for (size_t i = 0; bytes == 2 && i < sizeof(known) / sizeof(*known); i++) {
        if (memcmp(text, known[i].text, 2) != 0)
            continue;
        out->type = known[i].type;
        int single = il_dtype_bytes(out->type) == 1;
        out->form = order == '>' && !single ? IL_FORM_SWAPPED : IL_FORM_PLAIN;
        if (order == '|' && !single)
            break;
        return IL_OK;
    }
    return il_fail(p->error, IL_EFORMAT,
                   "%s, byte %" PRIu64 ": type '%s', wanted " TYPES_WANTED
                   "; convert with numpy.save(name, array.astype('<f4'))",
                   p->name, d->descr_at, shown);
}

/* Magic, version and the length of the header: where the dict begins and how long it is.
 */
static enum il_status read_preamble(const struct il_bytes *bytes, size_t *begin,
                                    size_t *length, struct il_error *error)
{
    unsigned char p[12] = {0};
    size_t have = bytes->size < sizeof(p) ? (size_t)bytes->size : sizeof(p);
    if (have == 0)
        return il_fail(error, IL_EFORMAT, "%s: the file is empty, wanted a .npy header",
                       bytes->name);
    enum il_status status = il_bytes_read(bytes, 0, p, have, error);
    if (status != IL_OK)
        return status;
    if (have < 8 || memcmp(p, IL_NPY_MAGIC, IL_NPY_MAGIC_BYTES) != 0)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte 0: no .npy file, wanted \\x93NUMPY there", bytes->name);
    if (p[6] < 1 || p[6] > 3 || p[7] != 0)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte 6: .npy version %u.%u, wanted 1.0 to 3.0", bytes->name,
                       p[6], p[7]);
    *begin = p[6] == 1 ? 10 : 12;
    *length = p[6] == 1 ? (size_t)p[8] | (size_t)p[9] << 8 : il_load_u32(p + 8);
    if (*length > HEADER_BYTES_MAX)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte 8: header of %zu bytes, wanted at most %u", bytes->name,
                       *length, HEADER_BYTES_MAX);
    if (bytes->size < *begin || bytes->size - *begin < *length)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte 8: header of %zu bytes, the file ends at byte %" PRIu64,
                       bytes->name, *length, bytes->size);
    return IL_OK;
}

enum il_status il_npy_layout(struct il_layout *out, const struct il_bytes *bytes,
                             struct il_error *error)
{
    char header[HEADER_BYTES_MAX];
    size_t begin = 0, length = 0;
    *out = (struct il_layout){0};
    enum il_status status = read_preamble(bytes, &begin, &length, error);
    if (status != IL_OK)
        return status;
    status = il_bytes_read(bytes, begin, header, length, error);
    if (status != IL_OK)
        return status;
    struct parser p = {.at = header,
                       .end = header + length,
                       .start = header,
                       .offset = begin,
                       .name = bytes->name,
                       .error = error};
    struct dict d;
    status = take_dict(&p, &d);
    if (status != IL_OK)
        return status;
    status = type_of(&p, &d, out);
    if (status != IL_OK)
        return status;
    if (d.dims != 2)
        return il_fail(error, IL_EFORMAT,
                       "%s, byte %" PRIu64
                       ": an array of %d dimensions, wanted 2 (rows, length)",
                       bytes->name, d.shape_at, d.dims);
    /* With one row or one column both orders are the same bytes; of a file that grows,
       the rows are not known. */
    if (d.fortran && (d.shape[0] > 1 || bytes->growing) && d.shape[1] > 1)
        return bad(&p, d.fortran_at,
                   "Fortran order, wanted C order; convert with "
                   "numpy.save(name, numpy.ascontiguousarray(array))");
    out->offset = begin + length;
    return il_layout_check(out, bytes, d.shape_at, d.shape[0], d.shape[1], error);
}
