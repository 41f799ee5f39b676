/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of API arguments that every entry point makes; each failure is IL_EARG with a
 * text. */
#ifndef IL_CHECK_H
#define IL_CHECK_H

#include <isolink/link.h>

IL_MUST_CHECK enum il_status il_check_sides(const struct il_matrix *a,
                                            const struct il_matrix *b,
                                            struct il_error *error);
IL_MUST_CHECK enum il_status il_check_config(const struct il_link_config *config,
                                             struct il_error *error);

/* A pair out of range, or a row that stands in two pairs; what: "seed", "link". */
IL_MUST_CHECK enum il_status il_check_pairs(const char *what, const struct il_pair *pairs,
                                            size_t count, const struct il_matrix *a,
                                            const struct il_matrix *b,
                                            struct il_error *error);

#endif
