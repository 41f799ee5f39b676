/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of ids, one a line, read in order. */
#include <isolink/transfer.h>

#include "formats/text_reader.h"
#include "src/base/base.h"

#include <inttypes.h>
#include <string.h>

struct il_id_list {
    struct il_lines lines;
    size_t shown; /* bytes of the line that the caller looks at */
};

enum il_status il_id_list_open(struct il_id_list **out, const char *path,
                               struct il_error *error)
{
    struct il_input *stream = NULL;
    *out = NULL;
    enum il_status status = il_input_open(&stream, path, error);
    if (status != IL_OK)
        return status;
    struct il_id_list *list = il_alloc_zero(1, sizeof(*list));
    if (!list) {
        status =
            il_fail(error, IL_ENOMEM, "%s: no memory to read it", il_input_name(stream));
        il_input_close(&stream);
        return status;
    }
    status = il_lines_begin(&list->lines, stream, error);
    /* Longer than any id: a file that is no list is refused by its first line. */
    list->lines.bytes_max = (size_t)64 * 1024;
    if (status != IL_OK)
        il_id_list_close(&list);
    *out = list;
    return status;
}

enum il_status il_id_list_next(struct il_id_list *list, const void **id, size_t *id_bytes,
                               struct il_error *error)
{
    char *text = NULL;
    size_t bytes = 0, whole = 0;
    *id = NULL;
    *id_bytes = 0;
    if (list->shown > 0)
        il_input_take(list->lines.stream, list->shown);
    list->shown = 0;
    enum il_status status = il_lines_look(&list->lines, 0, &text, &bytes, &whole, error);
    if (status != IL_OK || whole == 0)
        return status;
    const char *name = il_input_name(list->lines.stream);
    const uint64_t line = list->lines.line + 1;
    if (bytes > 0 && text[bytes - 1] == '\r')
        bytes--;
    if (bytes == 0)
        return il_fail(error, IL_EFORMAT, "%s, line %" PRIu64 ": empty id", name, line);
    if (bytes > IL_ID_BYTES_MAX)
        return il_fail(error, IL_EFORMAT,
                       "%s, line %" PRIu64 ": id of %zu bytes, wanted at most %u", name,
                       line, bytes, IL_ID_BYTES_MAX);
    if (memchr(text, 0, bytes))
        return il_fail(error, IL_EFORMAT, "%s, line %" PRIu64 ": a NUL byte", name, line);
    list->lines.line = line;
    list->shown = whole;
    *id = text;
    *id_bytes = bytes;
    return IL_OK;
}

void il_id_list_close(struct il_id_list **list)
{
    if (!*list)
        return;
    il_input_close(&(*list)->lines.stream);
    il_free(*list);
    *list = NULL;
}
