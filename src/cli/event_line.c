/* SPDX-License-Identifier: Apache-2.0 */
#include "event_line.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Bytes of the UTF-8 character that begins here, 0 when there is none: no longer form
   than needed, no surrogate, nothing past U+10FFFF. */
static size_t character(const unsigned char *at, size_t bytes)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t count;
    uint32_t code;

    if (at[0] < 0x80) {
        return 1;
    }
    count = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    if (at[0] < 0xc0 || at[0] > 0xf7 || count > bytes) {
        return 0;
    }
    code = at[0] & (0x7fu >> count);
    for (size_t i = 1; i < count; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (at[i] & 0x3fu);
    }
    return code < least[count] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)
               ? 0
               : count;
}

static bool is_text(const unsigned char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes;) {
        size_t count = character(text + i, bytes - i);

        if (count == 0) {
            return false;
        }
        i += count;
    }
    return true;
}

static const char digits16[] = "0123456789abcdef";

char *il_json_put(char *to, const void *text, size_t bytes)
{
    const unsigned char *at = text;

    *to++ = '"';
    for (size_t i = 0; i < bytes;) {
        size_t count = character(at + i, bytes - i);

        if (count == 0) {
            *to++ = '?';
            i++;
            continue;
        }
        if (count == 1 && (at[i] < 0x20 || at[i] == 0x7f)) {
            /* The zero byte falls on what comes next, at least the last quote. */
            to += snprintf(to, 7, "\\u%04x", at[i]);
            i++;
            continue;
        }
        if (at[i] == '"' || at[i] == '\\') {
            *to++ = '\\';
        }
        memcpy(to, at + i, count);
        to += count;
        i += count;
    }
    *to++ = '"';
    return to;
}

char *il_csv_put(char *to, const void *text, size_t bytes)
{
    const char *at = text;
    bool quote = bytes == 0;

    for (size_t i = 0; i < bytes && !quote; i++) {
        quote = at[i] != 0 && strchr(",\"\r\n", at[i]) != NULL;
    }
    quote = quote || at[0] == ' ' || at[bytes - 1] == ' ';
    if (quote) {
        *to++ = '"';
    }
    for (size_t i = 0; i < bytes; i++) {
        if (at[i] == '"') {
            *to++ = '"';
        }
        *to++ = at[i];
    }
    if (quote) {
        *to++ = '"';
    }
    return to;
}

struct il_time_text il_time_text(int64_t time_ns, int digits)
{
    struct il_time_text out = {"1970-01-01T00:00:00Z"};
    int64_t second = time_ns / 1000000000;
    int64_t rest = time_ns % 1000000000;
    char part[16] = "";
    struct tm parts;
    size_t used;

    if (rest < 0) {
        rest += 1000000000;
        second--;
    }
    time_t when = (time_t)second;
    if (gmtime_r(&when, &parts) == NULL) {
        return out;
    }
    used = strftime(out.text, sizeof out.text, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(part, sizeof part, ".%09" PRId64, rest);
    snprintf(out.text + used, sizeof out.text - used, "%.*sZ",
             digits > 0 ? digits + 1 : 0, part);
    return out;
}

struct il_fixed il_fixed(double value)
{
    struct il_fixed out;

    if (!(value >= -1e6 && value <= 1e6)) {
        snprintf(out.text, sizeof out.text, "nan");
    } else {
        long long millionths = llrint(value * 1e6);
        long long size = millionths < 0 ? -millionths : millionths;

        snprintf(out.text, sizeof out.text, "%s%lld.%06lld", millionths < 0 ? "-" : "",
                 size / 1000000, size % 1000000);
    }
    return out;
}

static char *put_id(char *to, const char *name, const unsigned char *id, size_t bytes)
{
    if (is_text(id, bytes)) {
        to += snprintf(to, 32, ",\"%s\":", name);
        return il_json_put(to, id, bytes);
    }
    to += snprintf(to, 32, ",\"%s_hex\":\"", name);
    for (size_t i = 0; i < bytes; i++) {
        *to++ = digits16[id[i] >> 4];
        *to++ = digits16[id[i] & 15];
    }
    *to++ = '"';
    return to;
}

size_t il_event_line(char *out, const struct il_event *event)
{
    char *to = out;

    to += snprintf(to, 192,
                   "{\"seq\":%" PRIu64 ",\"time\":\"%s\",\"event\":\"%s\","
                   "\"link_id\":\"%016" PRIx64 "\"",
                   event->seq, il_time_text(event->time_ns, 9).text,
                   il_event_text(event->kind), event->link_id);
    to = put_id(to, "a_id", event->a_id, event->a_bytes);
    to = put_id(to, "b_id", event->b_id, event->b_bytes);
    to += snprintf(to, 160, ",\"posterior\":%s,\"round\":%u,\"origin\":\"%s\"}\n",
                   il_fixed(event->posterior).text, event->round,
                   event->origin == IL_ORIGIN_SEED ? "seed" : "link");
    return (size_t)(to - out);
}

uint64_t il_event_line_seq(const char *line, size_t bytes)
{
    static const char begin[] = "{\"seq\":";
    const size_t skip = sizeof begin - 1;
    uint64_t seq = 0;
    size_t at = skip;

    if (bytes <= skip || memcmp(line, begin, skip) != 0 || line[bytes - 1] != '}') {
        return 0;
    }
    for (; at < bytes && line[at] >= '0' && line[at] <= '9' && at < skip + 19; at++) {
        seq = seq * 10 + (uint64_t)(line[at] - '0');
    }
    return at < bytes && line[at] == ',' ? seq : 0;
}
