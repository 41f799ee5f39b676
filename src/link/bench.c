/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels of this machine beside its limits, for the public API. A kernel and its
   limit are timed in turns, and the share is taken round by round: what slows the machine
   slows both. */
#include <isolink/bench.h>

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "simd/simd.h"
#include "src/base/base.h"
#include "src/link/bench_peak.h"
#include "src/link/bench_work.h"

enum { ROUNDS_MAX = 5, SIZE_FIRST = 128 };

struct bench {
    struct il_bench *out;
    struct il_pool *pool;
    struct il_work *work; /* one for each thread */
    unsigned threads, cores;
    int rounds;
    double target;          /* seconds of a timing */
    double processor, wall; /* of all timings */
    /* What the next timing runs. */
    void (*call)(struct il_work *work);
    double (*peak)(enum il_isa isa, long passes);
    size_t repeat;
    enum il_isa isa;
    long passes;
};

/* What a kernel that multiplies can reach: so many times the rate of a peak, on vectors
   and with the scalar code of ref. Bits go 32 where the peak does one float, by three
   instructions (exclusive or, count, add) for its one; scalar code does 64. */
struct limit {
    enum il_bench_unit unit;
    double (*peak)(enum il_isa isa, long passes); /* NULL: the copying speed */
    double vector, scalar;
};

static const struct limit limits[IL_WORK_LIMITS] = {
    [IL_WORK_F32] = {IL_BENCH_FLOPS, il_peak_run, 1, 1},
    [IL_WORK_F64] = {IL_BENCH_FLOPS, il_peak_run, 0.5, 1},
    [IL_WORK_I8] = {IL_BENCH_OPS, il_peak_run_i8, 1, 1},
    [IL_WORK_ONE_BIT] = {IL_BENCH_OPS, il_peak_run, 32.0 / 3, 64.0 / 3},
    [IL_WORK_COPY] = {IL_BENCH_BYTES, NULL, 1, 1},
};

static double seconds_of(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void task_call(void *context, size_t task, unsigned thread)
{
    struct bench *b = context;
    double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    (void)thread;
    for (size_t i = 0; i < b->repeat; i++)
        b->call(&b->work[task]);
    b->work[task].seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
}

static void task_peak(void *context, size_t task, unsigned thread)
{
    struct bench *b = context;
    double start = seconds_of(CLOCK_THREAD_CPUTIME_ID);
    (void)thread;
    (void)b->peak(b->isa, b->passes);
    b->work[task].seconds = seconds_of(CLOCK_THREAD_CPUTIME_ID) - start;
}

/* Processor time that a task of several threads took: other load on the machine disturbs
   it less than wall time, and what the threads take from each other (clock, caches,
   memory, halves of a core) is in it. More threads than cores do no more than the cores:
   their time counts as if they had waited. */
static double timed(struct bench *b, il_task_fn *fn, unsigned threads)
{
    double start = il_clock_seconds(), sum = 0;
    il_pool_run(b->pool, threads, fn, b);
    double wall = il_clock_seconds() - start;
    for (unsigned t = 0; t < threads; t++)
        sum += b->work[t].seconds;
    unsigned cores = threads < b->cores ? threads : b->cores;
    b->processor += sum;
    b->wall += wall * cores;
    return sum > 1e-9 ? sum / cores : 1e-9;
}

/* How often something must run to take the wanted time. */
static double times_for(double seconds, double once)
{
    double times = seconds / once;
    return times < 1 ? 1 : times > 1e6 ? 1e6 : times;
}

/* Operations a second of so many threads. */
static double peak_rate(struct bench *b, const struct limit *limit, enum il_isa isa,
                        unsigned threads)
{
    b->peak = limit->peak;
    b->isa = isa;
    b->passes = 2000;
    double once = timed(b, task_peak, 1);
    b->passes = (long)(2000 * times_for(b->target / 4, once));
    double work = limit->peak(isa, 1) * (double)b->passes * threads;
    return work / timed(b, task_peak, threads);
}

/* How often a call must run to take the wanted time. */
static size_t call_repeat(struct bench *b, const struct il_work_kernel *kernel,
                          double seconds)
{
    b->call = kernel->call;
    b->repeat = 1;
    return (size_t)times_for(seconds, timed(b, task_call, 1));
}

static double call_rate(struct bench *b, const struct il_work_kernel *kernel,
                        unsigned threads, size_t repeat)
{
    const struct il_work *w = &b->work[0];
    double each = kernel->each * (double)w->n * (double)w->k;
    each = w->m ? each * (double)w->m : each;
    b->call = kernel->call;
    b->repeat = repeat;
    return each * (double)repeat * threads / timed(b, task_call, threads);
}

static double limit_rate(struct bench *b, const struct il_work_kernel *kernel,
                         unsigned threads)
{
    const struct limit *limit = &limits[kernel->limit];
    enum il_isa isa = il_simd()->isa;
    if (!limit->peak)
        return call_rate(b, il_work_copying(), threads,
                         call_repeat(b, il_work_copying(), b->target / 4));
    return peak_rate(b, limit, isa, threads) *
           (isa == IL_ISA_REF ? limit->scalar : limit->vector);
}

static int compare(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void summarise(struct il_bench_line *line, double *rate, double *peak,
                      double *share, int rounds)
{
    size_t count = (size_t)rounds;
    qsort(rate, count, sizeof *rate, compare);
    qsort(peak, count, sizeof *peak, compare);
    qsort(share, count, sizeof *share, compare);
    line->rate = rate[count / 2];
    line->peak = peak[count / 2];
    line->share = share[count / 2];
    line->share_min = share[0];
    line->share_max = share[count - 1];
}

static void measure(struct bench *b, const struct il_work_kernel *kernel,
                    unsigned threads)
{
    double rate[ROUNDS_MAX], peak[ROUNDS_MAX], share[ROUNDS_MAX];
    struct il_bench_line *line = &b->out->kernel[b->out->kernels++];
    const struct il_work *w = &b->work[0];

    (void)call_repeat(b, kernel, 0); /* a first run, for caches and pages */
    size_t repeat = call_repeat(b, kernel, b->target);
    for (int r = 0; r < b->rounds; r++) {
        double before = limit_rate(b, kernel, threads);
        rate[r] = call_rate(b, kernel, threads, repeat);
        double after = limit_rate(b, kernel, threads);
        peak[r] = before > after ? before : after;
        share[r] = rate[r] / peak[r];
    }
    *line = (struct il_bench_line){.name = kernel->name,
                                   .isa = b->out->isa,
                                   .unit = limits[kernel->limit].unit,
                                   .rows = w->n,
                                   .columns = w->m,
                                   .k = w->k,
                                   .threads = threads};
    summarise(line, rate, peak, share, b->rounds);
}

static void work_close_all(struct bench *b)
{
    for (unsigned t = 0; t < b->threads; t++)
        il_work_close(&b->work[t]);
}

static enum il_status work_open_all(struct bench *b, const struct il_work_kernel *kernel,
                                    size_t n, size_t m)
{
    for (unsigned t = 0; t < b->threads; t++) {
        enum il_status status = il_work_open(&b->work[t], kernel, n, m, t);
        if (status) {
            work_close_all(b);
            return status;
        }
    }
    return IL_OK;
}

/* Largest side of a problem that one call gets through in about three times the target:
   the reference kernels are a hundred times slower than the others. */
static enum il_status find_size(struct bench *b, const struct il_work_kernel *kernel,
                                size_t *size)
{
    size_t most = kernel->n > kernel->m ? kernel->n : kernel->m;

    *size = SIZE_FIRST;
    /* Small problems go slower than large ones, so one step would stop too early. */
    for (int step = 0; step < 4 && *size < most; step++) {
        size_t n = kernel->n < *size ? kernel->n : *size;
        size_t m = kernel->m < *size ? kernel->m : *size;
        enum il_status status = work_open_all(b, kernel, n, m);
        if (status)
            return status;
        (void)call_repeat(b, kernel, 0);
        double next = (double)*size * sqrt(3 * b->target / timed(b, task_call, 1));
        work_close_all(b);
        size_t rounded = next > (double)most ? most : (size_t)next / 64 * 64;
        if (rounded <= *size) {
            *size = rounded > 64 ? rounded : 64;
            break;
        }
        *size = rounded;
    }
    return IL_OK;
}

static enum il_status bench_kernel(struct bench *b, const struct il_work_kernel *kernel)
{
    size_t n = kernel->n, m = kernel->m, size = 0;
    enum il_status status;

    if (m) {
        status = find_size(b, kernel, &size);
        if (status)
            return status;
        n = n < size ? n : size;
        m = m < size ? m : size;
    }
    status = work_open_all(b, kernel, n, m);
    if (status)
        return status;
    measure(b, kernel, 1);
    if (b->threads > 1)
        measure(b, kernel, b->threads);
    work_close_all(b);
    return IL_OK;
}

/* A line about a limit itself, from its rates of all rounds. */
static void add_peak(struct bench *b, struct il_bench_line about, double *rate)
{
    double share[ROUNDS_MAX];
    struct il_bench_line *line = &b->out->peak[b->out->peaks++];

    qsort(rate, (size_t)b->rounds, sizeof *rate, compare);
    for (int r = 0; r < b->rounds; r++)
        share[r] = rate[r] / rate[b->rounds / 2];
    *line = about;
    summarise(line, rate, rate, share, b->rounds);
}

static void bench_multiply_add(struct bench *b, const char *name, enum il_work_limit of,
                               enum il_isa isa, unsigned threads)
{
    double rate[ROUNDS_MAX];

    for (int r = 0; r < b->rounds; r++)
        rate[r] = peak_rate(b, &limits[of], isa, threads);
    add_peak(b,
             (struct il_bench_line){.name = name,
                                    .isa = il_isa_name(isa),
                                    .unit = limits[of].unit,
                                    .threads = threads},
             rate);
}

static void bench_copying(struct bench *b, unsigned threads)
{
    const struct il_work_kernel *copying = il_work_copying();
    size_t repeat = call_repeat(b, copying, b->target);
    double rate[ROUNDS_MAX];

    for (int r = 0; r < b->rounds; r++)
        rate[r] = call_rate(b, copying, threads, repeat);
    add_peak(b,
             (struct il_bench_line){.name = copying->name,
                                    .isa = b->out->isa,
                                    .unit = limits[copying->limit].unit,
                                    .rows = copying->n,
                                    .k = copying->k,
                                    .threads = threads},
             rate);
}

static enum il_status bench_peaks(struct bench *b)
{
    unsigned step = b->threads > 1 ? b->threads - 1 : 1; /* one thread, then all */

    for (int isa = IL_ISA_REF; isa <= IL_ISA_AVX512; isa++) {
        struct il_simd table;
        il_simd_init(&table, (enum il_isa)isa);
        if ((int)table.isa != isa)
            continue;
        for (unsigned t = 1; t <= b->threads; t += step)
            bench_multiply_add(b, "multiply-add", IL_WORK_F32, table.isa, t);
        for (unsigned t = 1; t <= b->threads; t += step)
            bench_multiply_add(b, "multiply-add i8", IL_WORK_I8, table.isa, t);
    }
    enum il_status status = work_open_all(b, il_work_copying(), il_work_copying()->n, 0);
    if (status)
        return status;
    for (unsigned t = 1; t <= b->threads; t += step)
        bench_copying(b, t);
    work_close_all(b);
    return IL_OK;
}

void il_bench_config_init(struct il_bench_config *config)
{
    *config = (struct il_bench_config){.struct_bytes = sizeof *config};
}

enum il_status il_bench_run(struct il_bench *out, const struct il_bench_config *config,
                            struct il_error *error)
{
    struct il_bench_config defaults;
    struct bench b = {.out = out};
    double start = il_clock_seconds();
    enum il_status status;
    size_t count = 0;

    il_bench_config_init(&defaults);
    config = config ? config : &defaults;
    *out = (struct il_bench){0};
    if (config->struct_bytes != sizeof *config)
        return il_fail(error, IL_EARG, "config: not set by il_bench_config_init");
    status = il_pool_open(&b.pool, config->threads);
    if (status)
        return il_fail(error, status, "%u threads: %s", config->threads,
                       il_status_text(status));
    b.threads = il_pool_threads(b.pool);
    b.cores = il_cores();
    b.rounds = config->quick ? 3 : ROUNDS_MAX;
    b.target = config->quick ? 1e-3 : 8e-3;
    out->isa = il_isa_name(il_simd()->isa);
    out->available = il_simd_available();
    out->threads = b.threads;
    b.work = il_alloc_zero(b.threads, sizeof *b.work);
    status = b.work ? bench_peaks(&b) : IL_ENOMEM;
    const struct il_work_kernel *kernels = il_work_kernels(&count);
    for (size_t i = 0; i < count && !status; i++)
        if (il_work_available(&kernels[i]))
            status = bench_kernel(&b, &kernels[i]);
    il_free(b.work);
    il_pool_close(&b.pool);
    out->processor = b.wall > 0 ? b.processor / b.wall : 1;
    out->seconds = il_clock_seconds() - start;
    return status ? il_fail(error, status, "the kernels: %s", il_status_text(status))
                  : IL_OK;
}
