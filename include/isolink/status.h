/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ISOLINK_STATUS_H
#define ISOLINK_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* Symbols of the shared library; everything else is hidden. */
#define IL_API __attribute__((visibility("default")))
/* A status that is thrown away is a bug. */
#define IL_MUST_CHECK __attribute__((warn_unused_result))

/** What a fallible function returns: IL_OK or one negative value. */
enum il_status {
    IL_OK = 0,
    IL_ENOMEM = -1, /**< memory is exhausted */
    IL_EIO = -2, /**< the operating system refused a read, a write, an open or a rename */
    IL_EFORMAT = -3,  /**< input from outside breaks the rules of its format */
    IL_ECORRUPT = -4, /**< a file of our own is damaged */
    IL_EVERSION = -5, /**< a file of our own comes from a newer version */
    IL_EARG = -6,     /**< an argument is outside its documented range */
    IL_ELIMIT = -7,   /**< a documented limit is exceeded */
    IL_ELOCKED = -8,  /**< somebody else holds the object */
    IL_ECANCEL = -9,  /**< the caller's cancel flag was seen */
    IL_EBOOTSTRAP =
        -10 /**< seeds and stores do not support a bootstrap; nothing was linked */
};

/**
 * A text that goes with a status: object, place, found and wanted.
 *
 * Functions that read input take one; it is written only when they fail and always
 * zero-terminated. The caller owns it; it holds no pointers.
 */
struct il_error {
    char text[480];
};

/**
 * Name of a status, such as "bad format".
 * \return a constant string, never NULL, "unknown status" for other values. Any thread.
 */
IL_API const char *il_status_text(enum il_status status);

#ifdef __cplusplus
}
#endif
#endif
