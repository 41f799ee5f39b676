/* SPDX-License-Identifier: Apache-2.0 */
/* The table: names, levels, and a process table that agrees with ISOLINK_ISA. */
#include "runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int ok, const char *what, int *passed, int *failed)
{
    if (ok) {
        (*passed)++;
    } else {
        (*failed)++;
        printf("FAIL table: %s\n", what);
    }
}

void il_kt_table(int *passed, int *failed)
{
    const struct il_simd *t = il_simd();
    const char *env = getenv("ISOLINK_ISA");
    check(strcmp(il_isa_name(IL_ISA_REF), "ref") == 0, "name of ref", passed, failed);
    check(strncmp(il_simd_available(), "ref", 3) == 0, "ref is available", passed,
          failed);
    check(strstr(il_simd_available(), il_isa_name(t->isa)) != NULL,
          "process isa is available", passed, failed);
    check(t == il_simd(), "one process table", passed, failed);
    if (env != NULL && *env != '\0') {
        const int same = strcmp(env, il_isa_name(t->isa)) == 0;
        check(same == il_simd_env_ok(), "ISOLINK_ISA is followed", passed, failed);
        check(same || t->isa == IL_ISA_REF, "bad ISOLINK_ISA gives ref", passed, failed);
    } else {
        check(il_simd_env_ok(), "unset ISOLINK_ISA is fine", passed, failed);
    }
    for (int isa = IL_ISA_REF; isa <= IL_ISA_AVX512; isa++) {
        struct il_simd level;
        il_simd_init(&level, (enum il_isa)isa);
        check((int)level.isa <= isa, "isa_max is a limit", passed, failed);
        check(level.mr > 0 && level.nr > 0 && level.match3_f32 != NULL, "filled", passed,
              failed);
    }
}
