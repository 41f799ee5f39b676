/* SPDX-License-Identifier: Apache-2.0 */
/* JSON (RFC 8259) read in place from memory, value by value; nothing is allocated,
 * nothing calls itself. */
#ifndef IL_JSON_H
#define IL_JSON_H

#include <stddef.h>
#include <stdint.h>

#include <isolink/status.h>

/** Objects and arrays inside each other. */
#define IL_JSON_DEPTH_MAX 64

/** A text under way. Set the fields, then call what follows from front to back. */
struct il_json {
    char *at;
    char *start;      /**< where places are counted from */
    const char *end;  /**< the byte there may be read, and is no digit */
    const char *name; /**< for messages */
    uint64_t line;    /**< that the text is; 0: places are bytes of the file, */
    uint64_t offset;  /**< from here */
    struct il_error *error;
};

/** "NAME, line 3, column 7: WHAT" or "NAME, byte 7: WHAT", for a place in the text.
   Returns IL_EFORMAT. */
enum il_status il_json_fail(const struct il_json *json, const char *at, const char *what);

/** Next byte that is no white space, or 0 at the end (which a zero byte is, too). */
char il_json_peek(struct il_json *json);

/** 1 and past it, when that is the next byte but white space. */
int il_json_take(struct il_json *json, char c);

/**
 * Reads a string. Escapes are undone in place, so a string is read once.
 * \param text  receives its bytes, in UTF-8 as far as the text is; not zero-terminated
 * \return IL_OK; IL_EFORMAT for what is no string, a control byte, a wrong escape or half
 * a surrogate pair
 */
IL_MUST_CHECK enum il_status il_json_string(struct il_json *json, char **text,
                                            size_t *bytes);

/** Reads a whole number of 0 to 2^64 - 1. */
IL_MUST_CHECK enum il_status il_json_u64(struct il_json *json, uint64_t *out);

/** Goes past any value; IL_EFORMAT for what is no JSON, or deeper than the limit. */
IL_MUST_CHECK enum il_status il_json_skip(struct il_json *json);

/**
 * Begins (comma 0) or goes on with the members of an object whose '{' was taken.
 * \param more  1: a key was read, and the ':' behind it; 0: the '}' was taken
 */
IL_MUST_CHECK enum il_status il_json_member(struct il_json *json, int first, char **key,
                                            size_t *key_bytes, int *more);

/** 1 = the bytes are this text. */
int il_json_is(const char *text, size_t bytes, const char *wanted);

#endif
