/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/json.h"

#include "formats/number.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

enum il_status il_json_fail(const struct il_json *json, const char *at, const char *what)
{
    uint64_t place = (uint64_t)(at - json->start);
    if (json->line > 0)
        return il_fail(json->error, IL_EFORMAT,
                       "%s, line %" PRIu64 ", column %" PRIu64 ": %s", json->name,
                       json->line, place + 1, what);
    return il_fail(json->error, IL_EFORMAT, "%s, byte %" PRIu64 ": %s", json->name,
                   json->offset + place, what);
}

char il_json_peek(struct il_json *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\t' ||
                                    *json->at == '\n' || *json->at == '\r'))
        json->at++;
    return json->at < json->end ? *json->at : 0;
}

int il_json_take(struct il_json *json, char c)
{
    if (il_json_peek(json) != c || json->at == json->end)
        return 0;
    json->at++;
    return 1;
}

/* The first byte from `at` on that is not plain text of a string. */
static char *plain(char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    while (end - at >= 8) {
        uint64_t v;
        memcpy(&v, at, sizeof(v));
        uint64_t quote = v ^ ones * '"', slash = v ^ ones * '\\';
        /* The high bit of each byte that is a quote, a backslash or below a space; bytes
           of 128 and more never are. */
        uint64_t found = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) |
                         ((v - ones * ' ') & ~v);
        if (found & high)
            break;
        at += 8;
    }
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20)
        at++;
    return at;
}

static int four_hex(const char *at, const char *end, uint32_t *out)
{
    uint32_t value = 0;
    if (end - at < 4)
        return 0;
    for (int i = 0; i < 4; i++) {
        char c = at[i], low = (char)(c | 0x20);
        uint32_t digit = c >= '0' && c <= '9'       ? (uint32_t)(c - '0')
                         : low >= 'a' && low <= 'f' ? (uint32_t)(low - 'a' + 10)
                                                    : 16;
        if (digit > 15)
            return 0;
        value = value << 4 | digit;
    }
    *out = value;
    return 1;
}

static char *put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    *to++ = (char)(lead[more] | c >> (6 * more));
    while (more-- > 0)
        *to++ = (char)(0x80 | (c >> (6 * more) & 0x3f));
    return to;
}

/* From the backslash; what it means goes to *to, which lies before it. Returns behind the
   escape, or NULL. */
static char *escape(char *at, const char *end, char **to)
{
    static const char known[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    uint32_t c = 0, low = 0;
    if (end - at < 2)
        return NULL;
    const char *which = at[1] ? strchr(known, at[1]) : NULL;
    if (which) {
        *(*to)++ = means[which - known];
        return at + 2;
    }
    if (at[1] != 'u' || !four_hex(at + 2, end, &c))
        return NULL;
    at += 6;
    if (c >= 0xd800 && c < 0xe000) {
        /* Two halves make one character; a half alone is none. */
        if (c >= 0xdc00 || end - at < 6 || at[0] != '\\' || at[1] != 'u' ||
            !four_hex(at + 2, end, &low) || low < 0xdc00 || low >= 0xe000)
            return NULL;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    *to = put_utf8(*to, c);
    return at;
}

/* Goes past a string; with `to` its bytes go there. */
static enum il_status string(struct il_json *json, char **to)
{
    if (il_json_peek(json) != '"')
        return il_json_fail(json, json->at, "wanted a string in quotes");
    const char *opened = json->at;
    char *at = json->at + 1;
    char scratch[8], *none = scratch;
    for (;;) {
        char *stop = plain(at, json->end);
        if (to) {
            if (*to != at)
                memmove(*to, at, (size_t)(stop - at));
            *to += stop - at;
        }
        at = stop;
        if (at == json->end)
            return il_json_fail(json, opened, "a string is opened here and never closed");
        if (*at == '"')
            break;
        if (*at != '\\')
            return il_json_fail(json, at, "a control byte inside a string");
        none = scratch;
        stop = escape(at, json->end, to ? to : &none);
        if (!stop)
            return il_json_fail(json, at, "an escape that JSON does not know");
        at = stop;
    }
    json->at = at + 1;
    return IL_OK;
}

enum il_status il_json_string(struct il_json *json, char **text, size_t *bytes)
{
    il_json_peek(json);
    *text = json->at < json->end ? json->at + 1 : json->at;
    char *to = *text;
    enum il_status status = string(json, &to);
    *bytes = (size_t)(to - *text);
    return status;
}

enum il_status il_json_u64(struct il_json *json, uint64_t *out)
{
    char c = il_json_peek(json);
    char *at = json->at;
    uint64_t value = 0;
    if (c < '0' || c > '9' ||
        (c == '0' && at + 1 < json->end && at[1] >= '0' && at[1] <= '9'))
        return il_json_fail(json, at, "wanted a whole number of 0 or more");
    for (; at < json->end && *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
            return il_json_fail(json, json->at,
                                "a number that does not fit into 64 bits");
    }
    if (at < json->end && (*at == '.' || *at == 'e' || *at == 'E'))
        return il_json_fail(json, json->at, "wanted a whole number");
    json->at = at;
    *out = value;
    return IL_OK;
}

/* A value that is neither object nor array. */
static enum il_status scalar(struct il_json *json)
{
    static const char *const words[] = {"true", "false", "null", "NaN"};
    char c = il_json_peek(json);
    float value = 0;
    if (c == '"')
        return string(json, NULL);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        size_t bytes = strlen(words[i]);
        if ((size_t)(json->end - json->at) >= bytes &&
            memcmp(json->at, words[i], bytes) == 0) {
            json->at += bytes;
            return IL_OK;
        }
    }
    const char *stop = il_number_f32(json->at, json->end, &value);
    if (!stop)
        return il_json_fail(json, json->at, "wanted a value");
    json->at += stop - json->at;
    return IL_OK;
}

int il_json_is(const char *text, size_t bytes, const char *wanted)
{
    return bytes == strlen(wanted) && memcmp(text, wanted, bytes) == 0;
}

/* A key and its colon, when an object is open. */
static enum il_status key(struct il_json *json, int object)
{
    if (!object)
        return IL_OK;
    enum il_status status = string(json, NULL);
    if (status != IL_OK)
        return status;
    return il_json_take(json, ':') ? IL_OK : il_json_fail(json, json->at, "wanted ':'");
}

enum il_status il_json_skip(struct il_json *json)
{
    uint64_t objects = 0; /* bit d: what is open at depth d is an object */
    unsigned depth = 0;
    for (;;) {
        enum il_status status = IL_OK;
        int open = il_json_take(json, '{') ? 1 : il_json_take(json, '[') ? 2 : 0;
        if (open && depth == IL_JSON_DEPTH_MAX)
            return il_json_fail(json, json->at - 1,
                                "objects or arrays inside each other "
                                "more than 64 deep");
        if (open) {
            objects = open == 1 ? objects | 1ull << depth : objects & ~(1ull << depth);
            depth++;
            if (!il_json_take(json, open == 1 ? '}' : ']')) {
                status = key(json, open == 1);
                if (status != IL_OK)
                    return status;
                continue;
            }
            depth--;
        } else {
            status = scalar(json);
        }
        /* Behind a value: the next one, or the ends of what is open. */
        while (status == IL_OK && depth > 0 && !il_json_take(json, ',')) {
            int object = (int)(objects >> (depth - 1) & 1);
            if (!il_json_take(json, object ? '}' : ']'))
                return il_json_fail(json, json->at,
                                    object ? "wanted ',' or '}'" : "wanted ',' or ']'");
            depth--;
        }
        if (status != IL_OK || depth == 0)
            return status;
        status = key(json, (int)(objects >> (depth - 1) & 1));
        if (status != IL_OK)
            return status;
    }
}

enum il_status il_json_member(struct il_json *json, int first, char **key_text,
                              size_t *key_bytes, int *more)
{
    *more = 0;
    if (il_json_take(json, '}'))
        return IL_OK;
    if (!first && !il_json_take(json, ','))
        return il_json_fail(json, json->at, "wanted ',' or '}'");
    enum il_status status = il_json_string(json, key_text, key_bytes);
    if (status != IL_OK)
        return status;
    if (!il_json_take(json, ':'))
        return il_json_fail(json, json->at, "wanted ':'");
    *more = 1;
    return IL_OK;
}
