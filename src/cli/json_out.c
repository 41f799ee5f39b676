/* SPDX-License-Identifier: Apache-2.0 */
#include "json_out.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *il_json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *il_json_whole(size_t value)
{
    return json_integer((json_int_t)value);
}

json_t *il_json_text(const char *value)
{
    json_t *out = json_string(value);

    if (out == NULL) {
        char *copy = strdup(value);

        for (unsigned char *at = (unsigned char *)copy; at != NULL && *at != 0; at++) {
            *at = *at < 0x80 ? *at : '?';
        }
        out = copy != NULL ? json_string(copy) : NULL;
        free(copy);
    }
    return out;
}

char *il_json_finish(json_t *object)
{
    size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(9);
    size_t bytes = object != NULL ? json_dumpb(object, NULL, 0, flags) : 0;
    char *out = bytes > 0 ? malloc(bytes + 2) : NULL;

    if (out != NULL && json_dumpb(object, out, bytes, flags) == bytes) {
        out[bytes] = '\n';
        out[bytes + 1] = 0;
    } else {
        free(out);
        out = NULL;
    }
    json_decref(object);
    return out;
}
