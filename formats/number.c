/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/number.h"

#include <locale.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What the digits are gathered in stays below 10^18, so that it is a positive i64. */
#define ROOM_FOR_8 ((uint64_t)10000000000)        /* 10^10 */
#define ROOM_FOR_1 ((uint64_t)100000000000000000) /* 10^17 */
#define EXPONENT_MAX 100000

#define POWER_MIN (-64)
#define POWER_MAX 40
static const double power[POWER_MAX - POWER_MIN + 1] = {
    1e-64, 1e-63, 1e-62, 1e-61, 1e-60, 1e-59, 1e-58, 1e-57, 1e-56, 1e-55, 1e-54, 1e-53,
    1e-52, 1e-51, 1e-50, 1e-49, 1e-48, 1e-47, 1e-46, 1e-45, 1e-44, 1e-43, 1e-42, 1e-41,
    1e-40, 1e-39, 1e-38, 1e-37, 1e-36, 1e-35, 1e-34, 1e-33, 1e-32, 1e-31, 1e-30, 1e-29,
    1e-28, 1e-27, 1e-26, 1e-25, 1e-24, 1e-23, 1e-22, 1e-21, 1e-20, 1e-19, 1e-18, 1e-17,
    1e-16, 1e-15, 1e-14, 1e-13, 1e-12, 1e-11, 1e-10, 1e-9,  1e-8,  1e-7,  1e-6,  1e-5,
    1e-4,  1e-3,  1e-2,  1e-1,  1e0,   1e1,   1e2,   1e3,   1e4,   1e5,   1e6,   1e7,
    1e8,   1e9,   1e10,  1e11,  1e12,  1e13,  1e14,  1e15,  1e16,  1e17,  1e18,  1e19,
    1e20,  1e21,  1e22,  1e23,  1e24,  1e25,  1e26,  1e27,  1e28,  1e29,  1e30,  1e31,
    1e32,  1e33,  1e34,  1e35,  1e36,  1e37,  1e38,  1e39,  1e40,
};

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The value of 8 digits, first digit lowest, or -1 when they are not all digits. */
static int64_t eight(const char *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof(v));
    /* 0x30..0x39: the upper half is 3, and still is after 6 is added. */
    if ((v & 0xf0f0f0f0f0f0f0f0u) != 0x3030303030303030u ||
        ((v + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u) != 0x3030303030303030u)
        return -1;
    /* Neighbours are joined: digits to pairs, pairs to fours, fours to eight. */
    v = ((v & 0x0f0f0f0f0f0f0f0fu) * (10 * 0x100 + 1)) >> 8;
    v = ((v & 0x00ff00ff00ff00ffu) * (100 * 0x10000 + 1)) >> 16;
    v = ((v & 0x0000ffff0000ffffu) * ((uint64_t)10000 * 0x100000000u + 1)) >> 32;
    return (int64_t)v;
}

/* Gathers digits. Those that find no room are dropped: *dropped counts them. */
static const char *gather(const char *at, const char *end, uint64_t *digits,
                          int64_t *dropped)
{
    int64_t value;
    while (end - at >= 8 && *digits < ROOM_FOR_8 && (value = eight(at)) >= 0) {
        *digits = *digits * 100000000 + (uint64_t)value;
        at += 8;
    }
    for (; at < end && is_digit(*at); at++) {
        if (*digits < ROOM_FOR_1)
            *digits = *digits * 10 + (uint64_t)(*at - '0');
        else
            ++*dropped;
    }
    return at;
}

static const char *gather_exponent(const char *at, const char *end, int64_t *exponent)
{
    int below = at < end && *at == '-';
    int64_t value = 0;
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end || !is_digit(*at))
        return NULL;
    for (; at < end && is_digit(*at); at++) {
        if (value < EXPONENT_MAX)
            value = value * 10 + (*at - '0');
    }
    *exponent += below ? -value : value;
    return at;
}

/* The C library's own, in the locale "C", which needs no memory in glibc. */
static float slow(const char *at)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    float value = c ? strtof_l(at, NULL, c) : NAN;
    if (c)
        freelocale(c);
    return value;
}

/* digits 10^exponent rounded to f32, when that is beyond doubt.
 *
 * The double is made with three roundings and, where digits were dropped, with one
 * 10^17th less: it is off by less than 4 units in its last place. Rounding it to f32
 * looks at its lower 29 bits: unless they are that near to one half, the rounding goes
 * the same way as that of the exact value. */
static int quick(uint64_t digits, int64_t exponent, float *out)
{
    if (exponent < POWER_MIN || exponent > POWER_MAX)
        return 0;
    double value = (double)(int64_t)digits * power[exponent - POWER_MIN];
    if (!(value > 1.2e-38 && value < 3.4e38))
        return 0;
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    uint32_t low = (uint32_t)bits & 0x1fffffffu;
    if (low - (0x10000000u - 8) <= 16)
        return 0;
    *out = (float)value;
    return 1;
}

const char *il_number_f32(const char *at, const char *end, float *out)
{
    const char *start = at;
    uint64_t digits = 0;
    int64_t exponent = 0, dropped = 0;
    int below = at < end && *at == '-';
    at += below;
    if (at == end || !is_digit(*at))
        return NULL;
    if (*at == '0') {
        at++;
        if (at < end && is_digit(*at))
            return NULL;
    } else {
        at = gather(at, end, &digits, &exponent);
    }
    if (at < end && *at == '.') {
        const char *point = ++at;
        at = gather(at, end, &digits, &dropped);
        if (at == point)
            return NULL;
        exponent -= at - point - dropped;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = gather_exponent(at + 1, end, &exponent);
        if (!at)
            return NULL;
    }
    float value = 0;
    if (digits == 0 || quick(digits, exponent, &value))
        *out = below ? -value : value;
    else
        *out = slow(start);
    return at;
}

const char *il_number_word(const char *at, const char *end, float *out)
{
    static const struct {
        const char *text;
        float value;
    } words[] = {{"nan", NAN}, {"infinity", INFINITY}, {"inf", INFINITY}};
    int below = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        size_t bytes = strlen(words[i].text);
        if ((size_t)(end - at) >= bytes && strncasecmp(at, words[i].text, bytes) == 0) {
            *out = below ? -words[i].value : words[i].value;
            return at + bytes;
        }
    }
    return NULL;
}
