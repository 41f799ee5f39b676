/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel test runner: buffers between unreadable pages, values, counting, main. */
#define _DEFAULT_SOURCE
#include "runner.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SLOTS = 16, SLOT_BYTES = 4 << 20, BORDER = 512, PATTERN = 0xA5 };

struct slot {
    unsigned char *start; /* first readable byte */
    unsigned char *at;    /* the buffer in use, NULL = none */
    size_t bytes;
};

static struct slot slots[SLOTS];
static uint64_t state = 0x9e3779b97f4a7c15u;
static int passed_count, failed_count;

uint32_t il_kt_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 32);
}

static void open_slots(void)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < SLOTS; i++) {
        unsigned char *p = mmap(NULL, SLOT_BYTES + 2 * page, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED || mprotect(p, page, PROT_NONE) != 0 ||
            mprotect(p + page + SLOT_BYTES, page, PROT_NONE) != 0) {
            perror("guard pages");
            exit(2);
        }
        slots[i].start = p + page;
    }
}

/* Sets or checks the pattern in the bytes around a buffer, as far as its pages go. */
static int border(const struct slot *s, int check)
{
    const size_t before = (size_t)(s->at - s->start);
    const size_t after = SLOT_BYTES - before - s->bytes;
    const size_t low = before < BORDER ? before : BORDER;
    const size_t high = after < BORDER ? after : BORDER;
    unsigned char *ranges[2] = {s->at - low, s->at + s->bytes};
    const size_t counts[2] = {low, high};
    for (int r = 0; r < 2; r++) {
        if (!check) {
            memset(ranges[r], PATTERN, counts[r]);
            continue;
        }
        for (size_t i = 0; i < counts[r]; i++) {
            if (ranges[r][i] != PATTERN) {
                return 0;
            }
        }
    }
    return 1;
}

void *il_kt_buffer(int slot, size_t bytes, size_t alignment, enum il_kt_place place)
{
    struct slot *s = &slots[slot];
    if (bytes > SLOT_BYTES) {
        fprintf(stderr, "buffer of %zu bytes is too large\n", bytes);
        exit(2);
    }
    const size_t at =
        place == IL_KT_END ? (SLOT_BYTES - bytes) / alignment * alignment : 0;
    s->at = s->start + at;
    s->bytes = bytes;
    (void)border(s, 0);
    return s->at;
}

static float special(void)
{
    static const float values[] = {NAN,    INFINITY, -INFINITY, 0.0f,   -0.0f,
                                   1e-45f, -1e-40f,  3e38f,     -3e38f, 1e-30f,
                                   -1e20f, 1.0f,     -1.17e-38f};
    return values[il_kt_random() % (sizeof values / sizeof *values)];
}

static float value(enum il_kt_values kind)
{
    const float x = (float)((int32_t)il_kt_random() / 256) / 8388608.0f;
    switch (kind) {
    case IL_KT_SPECIAL:
        return il_kt_random() % 16 == 0 ? special() : x;
    case IL_KT_TINY:
        return x * 1e-23f;
    case IL_KT_INTEGERS:
        return (float)((int)(il_kt_random() % 3) - 1);
    case IL_KT_EQUAL:
        return 0.25f;
    default:
        return x;
    }
}

void il_kt_fill_f32(float *x, size_t n, enum il_kt_values kind)
{
    for (size_t i = 0; i < n; i++) {
        x[i] = value(kind);
    }
}

void il_kt_fill_f64(double *x, size_t n, enum il_kt_values kind)
{
    for (size_t i = 0; i < n; i++) {
        x[i] =
            (double)value(kind) * (kind == IL_KT_TINY ? 1e-145 : 1.0 + 1e-9 * (double)i);
    }
}

void il_kt_fill_bytes(void *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ((unsigned char *)x)[i] = (unsigned char)il_kt_random();
    }
}

int il_kt_same_f32(const float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(x + i, y + i, sizeof *x) != 0 && !(isnan(x[i]) && isnan(y[i]))) {
            return 0;
        }
    }
    return 1;
}

int il_kt_same_f64(const double *x, const double *y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (memcmp(x + i, y + i, sizeof *x) != 0 && !(isnan(x[i]) && isnan(y[i]))) {
            return 0;
        }
    }
    return 1;
}

void il_kt_end_case(const struct il_kt *t, int ok, const char *kernel, const char *format,
                    ...)
{
    const char *what = "differs from the reference";
    for (int i = 0; i < SLOTS; i++) {
        if (slots[i].at != NULL && !border(&slots[i], 1)) {
            ok = 0;
            what = "wrote outside a buffer";
        }
        slots[i].at = NULL;
    }
    if (ok) {
        passed_count++;
        return;
    }
    failed_count++;
    if (failed_count > 50) {
        return;
    }
    va_list args;
    va_start(args, format);
    printf("FAIL %s_%s: %s: ", kernel, il_isa_name(t->simd.isa), what);
    vprintf(format, args);
    printf("\n");
    va_end(args);
}

size_t il_kt_size(const struct il_kt *t, size_t i)
{
    static const size_t few[] = {0,  1,  2,  3,  5,  7,  8,  11,  15,
                                 16, 17, 31, 33, 63, 64, 65, 130, 257};
    static const size_t primes[] = {131, 257, 509, 1021};
    if (t->quick) {
        return i < sizeof few / sizeof *few ? few[i] : SIZE_MAX;
    }
    if (i <= 130) {
        return i;
    }
    return i - 131 < sizeof primes / sizeof *primes ? primes[i - 131] : SIZE_MAX;
}

static void test_isa(enum il_isa isa, int quick)
{
    struct il_kt t = {.quick = quick};
    il_simd_init(&t.ref, IL_ISA_REF);
    il_simd_init(&t.simd, isa);
    if (t.simd.isa != isa) {
        return;
    }
    const int before = passed_count;
    il_kt_vector(&t);
    il_kt_convert(&t);
    il_kt_pack(&t);
    il_kt_gemm(&t);
    il_kt_match3(&t);
    il_kt_match1(&t);
    il_kt_topk(&t);
    il_kt_match_i8(&t);
    il_kt_f64(&t);
    il_kt_rows(&t);
    il_kt_rows_i8(&t);
    il_kt_bits(&t);
    struct il_simd plain; /* with the kernels that this machine has better ones for */
    il_simd_init_plain(&plain, isa);
    if (plain.rows_i8i8 != t.simd.rows_i8i8 || plain.hamming_row != t.simd.hamming_row) {
        t.simd = plain;
        il_kt_rows_i8(&t);
        il_kt_bits(&t);
    }
    printf("%s: %d passed\n", il_isa_name(isa), passed_count - before);
}

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [--quick]\n"
            "       %s --bench [--quick] [--only TEXT] [--json FILE]\n"
            "  --only: cases whose kernel and instruction set, as in 'match3_i8 avx512', "
            "hold TEXT\n"
            "  --json: the rows of the table as lines of JSON too\n",
            program, program);
    return 2;
}

int main(int argc, char **argv)
{
    struct il_kt_bench_options options = {.only = ""};
    int bench = 0, bench_only = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            options.quick = 1;
        } else if (strcmp(argv[i], "--bench") == 0) {
            bench = 1;
        } else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc) {
            options.only = argv[++i];
            bench_only = 1;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            options.json = argv[++i];
            bench_only = 1;
        } else {
            return usage(argv[0]);
        }
    }
    if (bench) {
        return il_kt_bench(&options) ? 0 : 1;
    }
    if (bench_only) {
        return usage(argv[0]);
    }
    printf("instruction sets: %s; seed %llx\n", il_simd_available(),
           (unsigned long long)state);
    open_slots();
    il_kt_table(&passed_count, &failed_count);
    for (int isa = IL_ISA_REF; isa <= IL_ISA_AVX512; isa++) {
        test_isa((enum il_isa)isa, options.quick);
    }
    printf("%d passed, %d failed\n", passed_count, failed_count);
    return failed_count != 0;
}
