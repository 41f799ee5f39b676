// SPDX-License-Identifier: Apache-2.0
//
// Our matchers beside OpenBLAS, FAISS and hnswlib on the same data: nearest neighbours of
// two sets of n unit rows, both ways. Alternating rounds; median, least and most; speed
// as operations of one pass (2 n n k) per second, and as a share of the peak, of fma or
// of products of bytes, that was measured between the methods. `--help` lists the
// options.
#include "bench_peers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <unistd.h>

namespace {
struct Options {
    std::vector<size_t> n = {20000, 50000}, k = {16, 64, 256}, threads = {1, 2};
    int rounds = 5;
    il_isa isa = IL_ISA_AVX512;
    std::string only; // methods whose name holds this
    std::string json;
    bool hnsw = false, processor_time = false, own = false;
};

struct Sample {
    std::vector<double> seconds, peak; // of each round
};

struct Result {
    size_t n, k;
    int threads;
    std::string method;
    double median, least, most, gflops, peak, ratio, agreement;
    bool counts; // false: the other threads' cores were busy
};

double median(std::vector<double> v)
{
    std::sort(v.begin(), v.end());
    return v.empty() ? 0.0 : v[v.size() / 2];
}

void fill(std::vector<float> &x, size_t n, size_t k, unsigned seed,
          const struct il_simd &s)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> gauss;
    x.resize(n * k);
    for (float &v : x) {
        v = gauss(random);
    }
    s.normalise_f32(x.data(), n, k, k);
}

// Share of the rows, and of the columns when both ways, that agree with the first method.
double agreement(const Problem &p, const Problem &first, bool both_ways)
{
    size_t same = 0;
    for (size_t i = 0; i < p.n; i++) {
        same += p.row[i] == first.row[i];
        same += both_ways && p.col[i] == first.col[i];
    }
    return static_cast<double>(same) / static_cast<double>(both_ways ? 2 * p.n : p.n);
}

double peak_ratio(const std::vector<double> &one, const std::vector<double> &many)
{
    return median(one) > 0.0 ? median(many) / median(one) : 0.0;
}

// All methods and numbers of threads in turns; peaks before each turn.
std::vector<Result> run(Problem &p, const Options &o, const Methods &methods)
{
    const size_t cases = methods.size() * o.threads.size();
    std::vector<Sample> samples(cases);
    std::vector<double> agree(methods.size(), 1.0), one;
    std::vector<std::vector<double>> peaks(o.threads.size());
    Problem first;
    for (int round = 0; round <= o.rounds; round++) { // the first one warms up
        for (size_t c = 0; c < cases; c++) {
            const Method &m = methods[c % methods.size()];
            const size_t at = c / methods.size();
            const int threads = static_cast<int>(o.threads[at]);
            const double one_now = fma_peak(o.isa, 1);
            const double peak = threads == 1 ? one_now : fma_peak(o.isa, threads);
            const double start = now(threads);
            m.run(threads);
            const double time = now(threads) - start;
            if (round == 0) {
                if (c == 0) {
                    first.row = p.row;
                    first.col = p.col;
                }
                const double same = agreement(p, first, m.both_ways);
                agree[c % methods.size()] = std::min(agree[c % methods.size()], same);
                continue;
            }
            samples[c].seconds.push_back(time);
            samples[c].peak.push_back(m.bytes ? i8_peak(o.isa, threads) : peak);
            one.push_back(one_now);
            peaks[at].push_back(peak);
        }
    }
    std::vector<Result> results;
    for (size_t c = 0; c < cases; c++) {
        const size_t at = c / methods.size();
        const std::vector<double> &s = samples[c].seconds;
        const double ops = 2.0 * static_cast<double>(p.n) * static_cast<double>(p.n) *
                           static_cast<double>(p.k);
        const double own = median(samples[at * methods.size()].seconds);
        const auto threads = static_cast<double>(o.threads[at]);
        results.push_back(
            {p.n, p.k, static_cast<int>(o.threads[at]), methods[c % methods.size()].name,
             median(s), *std::min_element(s.begin(), s.end()),
             *std::max_element(s.begin(), s.end()), ops / median(s) / 1e9,
             median(samples[c].peak), median(s) / own, agree[c % methods.size()],
             peak_ratio(one, peaks[at]) >= 0.95 * threads});
    }
    return results;
}

void print(const std::vector<Result> &results)
{
    std::printf("%7s %4s %3s  %-25s %8s %17s %8s %6s %7s %7s\n", "n", "k", "thr",
                "method", "median s", "least - most", "GFLOP/s", "peak%", "time x",
                "agree");
    for (const Result &r : results) {
        std::printf("%7zu %4zu %3d  %-25s %8.4f %8.4f-%8.4f %8.1f %6.1f %7.2f %7.4f%s\n",
                    r.n, r.k, r.threads, r.method.c_str(), r.median, r.least, r.most,
                    r.gflops, r.peak > 0.0 ? 100.0 * r.gflops / r.peak : 0.0, r.ratio,
                    r.agreement, r.counts ? "" : "  (does not count)");
    }
    for (const Result &r : results) {
        if (!r.counts) {
            std::printf("lines that do not count: the fma peak of all threads was below "
                        "0.95 times as many single ones, so other work was running\n");
            break;
        }
    }
    std::fflush(stdout);
}

bool write_json(const std::string &path, const Options &o, const std::vector<Result> &all)
{
    std::FILE *f = std::fopen(path.c_str(), "w");
    if (f == nullptr) {
        std::perror(path.c_str());
        return false;
    }
    std::fprintf(f, "{\"isa\": \"%s\", \"rounds\": %d, \"clock\": \"%s\", \"results\": [",
                 il_isa_name(o.isa), o.rounds, o.processor_time ? "processor" : "wall");
    for (size_t i = 0; i < all.size(); i++) {
        const Result &r = all[i];
        std::fprintf(f,
                     "%s\n {\"n\": %zu, \"k\": %zu, \"threads\": %d, \"method\": \"%s\", "
                     "\"seconds\": %.6f, \"min\": %.6f, \"max\": %.6f, \"gflops\": %.2f, "
                     "\"peak_gflops\": %.2f, \"time_ratio\": %.4f, \"agreement\": %.6f, "
                     "\"counts\": %s}",
                     i ? "," : "", r.n, r.k, r.threads, r.method.c_str(), r.median,
                     r.least, r.most, r.gflops, r.peak, r.ratio, r.agreement,
                     r.counts ? "true" : "false");
    }
    std::fprintf(f, "\n]}\n");
    if (std::fclose(f) != 0) {
        std::perror(path.c_str());
        return false;
    }
    return true;
}

std::vector<size_t> numbers(const char *text)
{
    std::vector<size_t> out;
    char *end = const_cast<char *>(text);
    do {
        const char *begin = *end == ',' ? end + 1 : end;
        const unsigned long v = std::strtoul(begin, &end, 10);
        if (end == begin || v == 0 || v > 10000000 || (*end != ',' && *end != '\0')) {
            return {};
        }
        out.push_back(v);
    } while (*end != '\0');
    return out;
}

int usage(int status)
{
    std::fprintf(status ? stderr : stdout,
                 "usage: bench_peers [--n 20000,50000] [--k 16,64,256] [--threads 1,2] "
                 "[--rounds 5]\n"
                 "  [--isa avx512|avx2|ref] [--only TEXT] [--hnsw] [--own] [--cpu] "
                 "[--json FILE]\n"
                 "  --only: methods whose name holds TEXT, beside the first\n"
                 "  --cpu: processor time per thread instead of time\n"
                 "  --hnsw: hnswlib at every size, not only at n = 50000, k = 64\n");
    return status;
}

bool parse(int argc, char **argv, Options &o)
{
    for (int i = 1; i < argc; i++) {
        const std::string name = argv[i];
        if (name == "--hnsw") {
            o.hnsw = true;
            continue;
        }
        if (name == "--own") {
            o.own = true;
            continue;
        }
        if (name == "--cpu") {
            o.processor_time = true;
            continue;
        }
        if (i + 1 == argc) {
            return false;
        }
        const char *value = argv[++i];
        const std::vector<size_t> v = numbers(value);
        if (name == "--n" && !v.empty()) {
            o.n = v;
        } else if (name == "--k" && !v.empty()) {
            o.k = v;
        } else if (name == "--threads" && !v.empty() &&
                   *std::max_element(v.begin(), v.end()) <= 256) {
            o.threads = v;
        } else if (name == "--rounds" && v.size() == 1) {
            o.rounds = static_cast<int>(v[0]);
        } else if (name == "--isa") {
            int isa = IL_ISA_AVX512;
            while (isa >= 0 &&
                   std::strcmp(value, il_isa_name(static_cast<il_isa>(isa)))) {
                isa--;
            }
            if (isa < 0) {
                return false;
            }
            o.isa = static_cast<il_isa>(isa);
        } else if (name == "--only") {
            o.only = value;
        } else if (name == "--json") {
            o.json = value;
        } else {
            return false;
        }
    }
    return true;
}

// The libraries read these when they are loaded, so the program starts itself anew.
// OpenBLAS takes newer processors for older ones and then leaves half of them unused.
void set_environment(char **argv)
{
    if (std::getenv("OPENBLAS_NUM_THREADS") != nullptr) {
        return;
    }
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    setenv("OMP_NUM_THREADS", "1", 1);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
        setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
    }
#endif
    execv("/proc/self/exe", argv);
    std::perror("bench_peers: starts with the environment as it is");
}

std::vector<Result> measure(const Options &o, const struct il_simd &simd, size_t n,
                            size_t k)
{
    Problem p;
    Methods methods;
    p.n = n;
    p.k = k;
    p.row.resize(n);
    p.col.resize(n);
    fill(p.x, n, k, 1, simd);
    fill(p.y, n, k, 2, simd);
    add_own(p, simd, methods);
    if (!o.own) {
        add_blas(p, methods);
        add_faiss(p, methods);
    }
    if (!o.own && (o.hnsw || (n == 50000 && k == 64))) {
        const size_t most = *std::max_element(o.threads.begin(), o.threads.end());
        add_hnsw(p, static_cast<int>(most), methods);
    }
    methods.erase(std::remove_if(methods.begin() + 1, methods.end(),
                                 [&](const Method &m) {
                                     return m.name.find(o.only) == std::string::npos;
                                 }),
                  methods.end());
    const std::vector<Result> results = run(p, o, methods);
    print(results);
    return results;
}
} // namespace

int main(int argc, char **argv)
{
    Options o;
    if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
        return usage(0);
    }
    if (!parse(argc, argv, o)) {
        return usage(2);
    }
    set_environment(argv);
    struct il_simd simd;
    il_simd_init(&simd, o.isa);
    o.isa = simd.isa;
    if (o.processor_time) {
        use_processor_time();
    }
    std::printf("instruction set %s, %d rounds, %s; time x: of the first line's method; "
                "agree: best partners as by it "
                "(recall@1 of hnswlib)\n",
                il_isa_name(simd.isa), o.rounds,
                o.processor_time ? "processor time per thread" : "time");
    std::vector<Result> all;
    for (const size_t n : o.n) {
        for (const size_t k : o.k) {
            const std::vector<Result> some = measure(o, simd, n, k);
            all.insert(all.end(), some.begin(), some.end());
        }
    }
    return o.json.empty() || write_json(o.json, o, all) ? 0 : 1;
}
