/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text. */
#ifndef IL_NUMBER_H
#define IL_NUMBER_H

/**
 * Reads a number as JSON writes it: -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?,
 * rounded to the nearest f32, ties to even, whatever the locale is; beyond its range
 * +-Inf or 0.
 *
 * \param at   first byte
 * \param end  behind the last; the byte there may be read and must not be a digit
 * \return behind the number, or NULL when there is none (*out is then as before)
 */
const char *il_number_f32(const char *at, const char *end, float *out);

/** Reads NaN, Inf or Infinity, with a sign or not, in upper or lower case. Returns as
 * il_number_f32 does. */
const char *il_number_word(const char *at, const char *end, float *out);

#endif
