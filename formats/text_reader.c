/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/text_reader.h"

#include "formats/number.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum il_status il_lines_begin(struct il_lines *lines, struct il_input *stream,
                              struct il_error *error)
{
    unsigned char *data = NULL;
    size_t have = 0;
    *lines =
        (struct il_lines){.stream = stream, .bytes_max = IL_LINE_BYTES_MAX(IL_DIM_MAX)};
    enum il_status status = il_input_look(stream, 3, &data, &have, error);
    if (status == IL_OK && have >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
        il_input_take(stream, 3);
    return status;
}

enum il_status il_lines_look(struct il_lines *lines, size_t from, char **text,
                             size_t *bytes, size_t *whole, struct il_error *error)
{
    size_t searched = from, wanted = from + 1, have = 0;
    for (;;) {
        unsigned char *data = NULL;
        enum il_status status = il_input_look(lines->stream, wanted, &data, &have, error);
        if (status != IL_OK)
            return status;
        *text = (char *)data;
        const unsigned char *stop =
            have > searched ? memchr(data + searched, '\n', have - searched) : NULL;
        *bytes = stop ? (size_t)(stop - data) : have;
        *whole = *bytes + (stop != NULL);
        if (*bytes > lines->bytes_max)
            return il_fail(
                error, IL_EFORMAT, "%s, line %" PRIu64 ": longer than %zu bytes",
                il_input_name(lines->stream), lines->line + 1, lines->bytes_max);
        if (stop || have < wanted)
            return IL_OK;
        searched = have;
        wanted = have + 1;
    }
}

enum il_status il_text_length(const struct il_json *json, const char *at, size_t count,
                              size_t dim)
{
    char what[80];
    if (count == 0)
        return il_json_fail(json, at, "a vector of no numbers, wanted at least 1");
    if (count > IL_DIM_MAX) {
        snprintf(what, sizeof(what), "a vector of more than %u numbers", IL_DIM_MAX);
        il_json_fail(json, at, what);
        return IL_ELIMIT;
    }
    if (dim == 0 || count == dim)
        return IL_OK;
    snprintf(what, sizeof(what), "a vector of %zu numbers%s, wanted %zu", count,
             count > dim ? " or more" : "", dim);
    return il_json_fail(json, at, what);
}

enum il_status il_text_vector(struct il_json *json, size_t dim, float *out, size_t *count)
{
    const char *opened = json->at, *end = json->end;
    size_t most = dim > 0 ? dim : IL_DIM_MAX, n = 0;
    if (!il_json_take(json, '['))
        return il_json_fail(json, json->at, "wanted a vector: [1, 2, ...]");
    int more = !il_json_take(json, ']');
    while (more) {
        float value = 0;
        /* White space is one space at most, as a rule. */
        if (json->at < end && *json->at == ' ')
            json->at++;
        if (json->at < end && *json->at <= ' ')
            il_json_peek(json);
        const char *stop = il_number_f32(json->at, end, &value);
        if (!stop)
            stop = il_number_word(json->at, end, &value);
        if (!stop)
            return il_json_fail(json, json->at, "wanted a number");
        if (n == most)
            return il_text_length(json, opened, n + 1, dim);
        if (out)
            out[n] = value;
        n++;
        json->at += stop - json->at;
        if (json->at < end && *json->at == ',')
            json->at++;
        else if (il_json_take(json, ']'))
            more = 0;
        else if (!il_json_take(json, ','))
            return il_json_fail(json, json->at, "wanted ',' or ']'");
    }
    *count = n;
    return il_text_length(json, opened, n, dim);
}

enum il_status il_text_id(const struct il_json *json, const char *at, const char *text,
                          size_t bytes)
{
    char what[80];
    if (bytes == 0)
        return il_json_fail(json, at, "an empty id");
    if (bytes > IL_ID_BYTES_MAX) {
        snprintf(what, sizeof(what), "an id of %zu bytes, wanted at most %u", bytes,
                 IL_ID_BYTES_MAX);
        return il_json_fail(json, at, what);
    }
    if (memchr(text, 0, bytes))
        return il_json_fail(json, at, "a NUL byte in an id");
    return IL_OK;
}
