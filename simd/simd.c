/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel table: detection of the instruction set, ISOLINK_ISA, the process's table.
 */
#include "internal.h"

#ifdef IL_SIMD_X86
#include <cpuid.h>
#endif
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#ifdef IL_SIMD_ARM
#include <sys/auxv.h>
#ifndef HWCAP_ASIMD
#define HWCAP_ASIMD (1 << 1)
#endif
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1 << 20)
#endif
#endif

enum { ISA_COUNT = IL_ISA_AVX512 + 1 };

static const char *const isa_names[ISA_COUNT] = {"ref", "neon", "avx2", "avx512"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct il_simd process_table;
static int process_env_ok;
static char process_available[32];

/* The builtins test the operating system's register saving too, which bare cpuid does
 * not. */
static int has_isa(enum il_isa isa)
{
    switch (isa) {
    case IL_ISA_REF:
        return 1;
#ifdef IL_SIMD_ARM
    case IL_ISA_NEON:
        return (getauxval(AT_HWCAP) & HWCAP_ASIMD) != 0;
#endif
#ifdef IL_SIMD_X86
    case IL_ISA_AVX2:
        /* Every processor with avx2 and fma has f16c; old compilers cannot ask for f16c.
         */
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case IL_ISA_AVX512:
        return has_isa(IL_ISA_AVX2) && __builtin_cpu_supports("avx512f") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
#endif
    default:
        return 0;
    }
}

static void fill_ref(struct il_simd *table)
{
    table->isa = IL_ISA_REF;
    table->mr = IL_MR_REF;
    table->nr = IL_NR_REF;
#define IL_KERNEL(name, ret, args) table->name = il_##name##_ref;
#include "kernels.def"
#undef IL_KERNEL
}

#ifdef IL_SIMD_ARM
static void fill_neon(struct il_simd *table)
{
    table->isa = IL_ISA_NEON;
    table->mr = IL_MR_NEON;
    table->nr = IL_NR_NEON;
#define IL_KERNEL(name, ret, args) table->name = il_##name##_neon;
#include "kernels.def"
#undef IL_KERNEL
}
#endif

#ifdef IL_SIMD_X86
static void fill_avx2(struct il_simd *table)
{
    table->isa = IL_ISA_AVX2;
    table->mr = IL_MR_AVX2;
    table->nr = IL_NR_AVX2;
#define IL_KERNEL(name, ret, args) table->name = il_##name##_avx2;
#include "kernels.def"
#undef IL_KERNEL
}

static void fill_avx512(struct il_simd *table)
{
    table->isa = IL_ISA_AVX512;
    table->mr = IL_MR_AVX512;
    table->nr = IL_NR_AVX512;
#define IL_KERNEL(name, ret, args) table->name = il_##name##_avx512;
#include "kernels.def"
#undef IL_KERNEL
}
#endif

#ifdef IL_SIMD_X86
/* Old compilers cannot ask for AVX-VNNI, which needs no more of the system than avx2. */
static int has_avx_vnni(void)
{
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1u) != 0;
}
#endif

/* What some machines of the table's instruction set have beyond it. */
static void fill_beyond(struct il_simd *table)
{
#ifdef IL_SIMD_DOTPROD
    if (table->isa == IL_ISA_NEON && (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0) {
        table->rows_i8i8 = il_rows_i8i8_dotprod;
        table->rows_pack_i8 = il_rows_pack_i8_dotprod;
        table->match3_i8 = il_match3_i8_neon;
    }
#endif
#ifdef IL_SIMD_X86
    if (table->isa == IL_ISA_AVX512 && __builtin_cpu_supports("avx512vnni")) {
        table->rows_i8i8 = il_rows_i8i8_avx512vnni;
        table->rows_pack_i8 = il_rows_pack_i8_avx512vnni;
        table->match3_i8 = il_match3_i8_avx512;
    }
    if (table->isa == IL_ISA_AVX2 && has_avx_vnni()) {
        table->match3_i8 = il_match3_i8_avx2;
    }
    if (table->isa == IL_ISA_AVX512 && __builtin_cpu_supports("avx512vpopcntdq")) {
        table->hamming_row = il_hamming_row_avx512popcnt;
        table->hamming_block = il_hamming_block_avx512popcnt;
    }
#endif
    (void)table;
}

void il_simd_init(struct il_simd *table, enum il_isa isa_max)
{
    il_simd_init_plain(table, isa_max);
    fill_beyond(table);
}

void il_simd_init_plain(struct il_simd *table, enum il_isa isa_max)
{
    fill_ref(table);
#ifdef IL_SIMD_ARM
    if (isa_max >= IL_ISA_NEON && has_isa(IL_ISA_NEON)) {
        fill_neon(table);
    }
#endif
#ifdef IL_SIMD_X86
    if (isa_max >= IL_ISA_AVX2 && has_isa(IL_ISA_AVX2)) {
        fill_avx2(table);
    }
    if (isa_max >= IL_ISA_AVX512 && has_isa(IL_ISA_AVX512)) {
        fill_avx512(table);
    }
#endif
    if (table->isa != IL_ISA_REF) {
        table->match3_i8 = NULL; /* fill_beyond knows whether the machine has it */
    }
    (void)isa_max;
}

/* An unset or empty ISOLINK_ISA asks for everything. A bad one gives ref and *ok = 0. */
static enum il_isa env_isa(int *ok)
{
    const char *name = getenv("ISOLINK_ISA");
    *ok = 1;
    if (name == NULL || *name == '\0') {
        return IL_ISA_AVX512;
    }
    for (int i = 0; i < ISA_COUNT; i++) {
        if (strcmp(name, isa_names[i]) == 0 && has_isa((enum il_isa)i)) {
            return (enum il_isa)i;
        }
    }
    *ok = 0;
    return IL_ISA_REF;
}

static void init_process(void)
{
    size_t at = 0;
#ifdef IL_SIMD_X86
    __builtin_cpu_init();
#endif
    for (int i = 0; i < ISA_COUNT; i++) {
        if (has_isa((enum il_isa)i)) {
            const size_t len = strlen(isa_names[i]);
            if (at > 0) {
                process_available[at++] = ' ';
            }
            memcpy(process_available + at, isa_names[i], len + 1);
            at += len;
        }
    }
    il_simd_init(&process_table, env_isa(&process_env_ok));
}

const struct il_simd *il_simd(void)
{
    (void)pthread_once(&once, init_process);
    return &process_table;
}

int il_simd_env_ok(void)
{
    (void)pthread_once(&once, init_process);
    return process_env_ok;
}

const char *il_isa_name(enum il_isa isa)
{
    return (unsigned)isa < (unsigned)ISA_COUNT ? isa_names[isa] : "unknown";
}

const char *il_simd_available(void)
{
    (void)pthread_once(&once, init_process);
    return process_available;
}
