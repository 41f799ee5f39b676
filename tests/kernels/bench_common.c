/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every round times each case of a group once, between two timings of its peak; shares
 * and ratios are of the same round. Processor time of the thread, so that other load on
 * the machine disturbs less; the median of the rounds and their spread.
 */
#define _POSIX_C_SOURCE 200809L
#include "bench_common.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/link/bench_peak.h"

enum { ROUNDS_MAX = 16 };

/* What a case did in every round. */
struct samples {
    double speed[ROUNDS_MAX]; /* 1e9 units a second */
    double peak[ROUNDS_MAX];
    double percent[ROUNDS_MAX];
    double to_first[ROUNDS_MAX]; /* speed over that of the group's first case */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void *il_kt_take(size_t bytes)
{
    const size_t size = (bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, size);
    if (p == NULL) {
        perror("bench");
        exit(2);
    }
    memset(p, 0, size); /* pages that are there */
    return p;
}

/* Some milliseconds of a peak, in 1e9 operations a second; 0 = no limit. */
static double peak(enum il_isa isa, enum il_kt_limit limit)
{
    const long passes = 1000000;
    const double start = now();
    if (limit == IL_KT_NO_LIMIT) {
        return 0.0;
    }
    const double done =
        limit == IL_KT_I8 ? il_peak_run_i8(isa, passes) : il_peak_run(isa, passes);
    return done / (now() - start) / 1e9;
}

/* A run that takes less than some milliseconds is repeated until it does. */
static double speed(const struct il_kt_case *c, void *data)
{
    double time = 0.0, work = 0.0;
    while (time < 4e-3) {
        if (c->prepare != NULL) {
            c->prepare(data);
        }
        const double start = now();
        c->run(data);
        time += now() - start;
        work += c->work;
    }
    return work / time / 1e9;
}

static int compare(const void *x, const void *y)
{
    const double a = *(const double *)x;
    const double b = *(const double *)y;
    return (a > b) - (a < b);
}

static void sort(struct samples *s, int rounds)
{
    double *const all[] = {s->speed, s->peak, s->percent, s->to_first};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        qsort(all[i], (size_t)rounds, sizeof *all[i], compare);
    }
}

static void head(void)
{
    static int done;
    if (!done) {
        printf("%-18s %-6s %6s %6s %5s %9s %17s %-8s %8s %7s %13s %8s\n", "kernel", "isa",
               "n", "m", "k", "median", "least - most", "1e9/s", "peak", "share",
               "least - most", "to first");
    }
    done = 1;
}

/* The rounds are sorted: [0] is the least and [last] the most. */
static void report_json(FILE *json, const struct il_kt_group *g,
                        const struct il_kt_case *c, const struct samples *s)
{
    const int last = g->rounds - 1, middle = g->rounds / 2;
    fprintf(json,
            "{\"kernel\": \"%s\", \"isa\": \"%s\", \"n\": %zu, \"m\": %zu, \"k\": %zu, "
            "\"unit\": \"1e9 %s/s\", \"median\": %.4g, \"min\": %.4g, \"max\": %.4g",
            c->kernel, il_isa_name(g->simd->isa), g->n, g->m, g->k, c->unit,
            s->speed[middle], s->speed[0], s->speed[last]);
    if (c->limit != IL_KT_NO_LIMIT) {
        fprintf(json,
                ", \"limit\": \"multiply-add %s\", \"peak\": %.1f, \"percent\": %.1f, "
                "\"percent_min\": %.1f, \"percent_max\": %.1f, \"to_first\": %.3f",
                c->limit == IL_KT_I8 ? "i8" : "f32", s->peak[middle], s->percent[middle],
                s->percent[0], s->percent[last], s->to_first[middle]);
    }
    fprintf(json, "}\n");
}

static void report(const struct il_kt_group *g, const struct il_kt_case *c,
                   const struct samples *s)
{
    const int last = g->rounds - 1, middle = g->rounds / 2;
    head();
    printf("%-18s %-6s %6zu %6zu %5zu %9.4g %8.4g %8.4g %s", c->kernel,
           il_isa_name(g->simd->isa), g->n, g->m, g->k, s->speed[middle], s->speed[0],
           s->speed[last], c->unit);
    if (c->limit != IL_KT_NO_LIMIT) {
        printf(" %*.1f %5.1f %% %6.1f %6.1f %8.2f", 17 - (int)strlen(c->unit),
               s->peak[middle], s->percent[middle], s->percent[0], s->percent[last],
               s->to_first[middle]);
    }
    printf("\n");
    fflush(stdout);
}

void il_kt_add(const struct il_kt_bencher *bencher, struct il_kt_group *group,
               struct il_kt_case one)
{
    char name[64];
    snprintf(name, sizeof name, "%s %s", one.kernel, il_isa_name(group->simd->isa));
    if (strstr(name, bencher->options->only) != NULL) {
        group->cases[group->count++] = one;
    }
}

void il_kt_run(const struct il_kt_bencher *bencher, const struct il_kt_group *group)
{
    struct samples samples[IL_KT_CASES_MAX];
    const enum il_isa isa = group->simd->isa;
    for (int r = -1; r < group->rounds; r++) {
        const int at = r < 0 ? 0 : r;
        for (size_t i = 0; i < group->count; i++) {
            const struct il_kt_case *c = &group->cases[i];
            struct samples *s = &samples[i];
            const double before = peak(isa, c->limit);
            s->speed[at] = speed(c, group->data);
            const double after = peak(isa, c->limit);
            s->peak[at] = before > after ? before : after;
            s->percent[at] = s->peak[at] > 0.0 ? 100.0 * s->speed[at] / s->peak[at] : 0.0;
            s->to_first[at] = s->speed[at] / samples[0].speed[at];
        }
    }
    for (size_t i = 0; i < group->count; i++) {
        sort(&samples[i], group->rounds);
        report(group, &group->cases[i], &samples[i]);
        if (bencher->json != NULL) {
            report_json(bencher->json, group, &group->cases[i], &samples[i]);
        }
    }
}

int il_kt_bench(const struct il_kt_bench_options *options)
{
    struct il_kt_bencher b = {.options = options};
    if (options->json != NULL && (b.json = fopen(options->json, "w")) == NULL) {
        perror(options->json);
        return 0;
    }
    for (int isa = IL_ISA_NEON; isa <= IL_ISA_AVX512; isa++) {
        struct il_simd s;
        il_simd_init(&s, (enum il_isa)isa);
        if ((int)s.isa == isa) {
            il_kt_bench_match(&b, &s);
            il_kt_bench_rows(&b, &s);
        }
    }
    if (b.json != NULL && fclose(b.json) != 0) {
        perror(options->json);
        return 0;
    }
    return 1;
}
