/* SPDX-License-Identifier: Apache-2.0 */
/* Events and links as text: lines of JSON, fields of CSV. */
#ifndef IL_EVENT_LINE_H
#define IL_EVENT_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include <isolink/isolink.h>

/** Largest line: two ids of control bytes alone, each as \u00XX, and the rest. */
#define IL_EVENT_LINE_MAX (2 * 6 * (size_t)IL_ID_BYTES_MAX + 512)

/**
 * Writes an event as a line of JSON, its end included. An id that is no UTF-8 stands as
 * "a_id_hex" or "b_id_hex", its bytes in hexadecimal digits.
 * \param out  IL_EVENT_LINE_MAX bytes; written; not zero-terminated
 * \return bytes of the line
 */
size_t il_event_line(char *out, const struct il_event *event);

/** seq of a line that il_event_line wrote, without its end; 0 when it is none. */
uint64_t il_event_line_seq(const char *line, size_t bytes);

/** Writes a text between quotes as JSON wants it, a byte that is no UTF-8 as '?'. Takes
 * at most 6 * bytes + 2. Returns the end; not zero-terminated. */
char *il_json_put(char *to, const void *text, size_t bytes);

/** Writes a field of CSV, quoted where RFC 4180 asks for it. Takes at most 2 * bytes + 2.
 * Returns the end. */
char *il_csv_put(char *to, const void *text, size_t bytes);

/** A time in ns since 1970 as "2026-01-31T23:59:59.123456789Z"; digits: behind the point,
 * 0 to 9. */
struct il_time_text {
    char text[48];
};
struct il_time_text il_time_text(int64_t time_ns, int digits);

/** A number up to 10^6 in size with six digits behind the point, as links files have it.
 */
struct il_fixed {
    char text[32];
};
struct il_fixed il_fixed(double value);

#endif
