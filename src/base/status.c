/* SPDX-License-Identifier: Apache-2.0 */
#include "src/base/base.h"

#include <stdio.h>
#include <string.h>

const char *il_status_text(enum il_status status)
{
    switch (status) {
    case IL_OK:
        return "no error";
    case IL_ENOMEM:
        return "out of memory";
    case IL_EIO:
        return "input/output error";
    case IL_EFORMAT:
        return "bad format";
    case IL_ECORRUPT:
        return "damaged data";
    case IL_EVERSION:
        return "newer version";
    case IL_EARG:
        return "bad argument";
    case IL_ELIMIT:
        return "limit exceeded";
    case IL_ELOCKED:
        return "locked";
    case IL_ECANCEL:
        return "cancelled";
    case IL_EBOOTSTRAP:
        return "cannot bootstrap";
    }
    return "unknown status";
}

enum il_status il_fail(struct il_error *error, enum il_status status, const char *format,
                       ...)
{
    IL_ASSERT(status != IL_OK);
    if (error) {
        va_list args;
        va_start(args, format);
        /* A text that is too long is cut; a format that cannot be printed leaves the
         * name. */
        int printed = vsnprintf(error->text, sizeof(error->text), format, args);
        va_end(args);
        if (printed < 0)
            snprintf(error->text, sizeof(error->text), "%s", il_status_text(status));
    }
    return status;
}

const char *il_path_tail(const char *path)
{
    size_t bytes = strlen(path);
    return bytes > 160 ? path + bytes - 160 : path;
}

const char *il_printable(char *out, size_t out_bytes, const char *text, size_t text_bytes)
{
    IL_ASSERT(out_bytes >= 8);
    size_t kept = text_bytes;
    int cut = kept > out_bytes - 1;
    if (cut) {
        kept = out_bytes - 4;
        /* Not in the middle of an UTF-8 sequence. */
        while (kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80)
            kept--;
    }
    for (size_t i = 0; i < kept; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    memcpy(out + kept, cut ? "..." : "", cut ? 4 : 1);
    return out;
}
