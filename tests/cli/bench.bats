#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink bench: limits of the machine, and every kernel as a share of one of them.

load common

# numbers FILE KEY: the values of a key, one a line.
numbers() { awk -v key="\"$2\":" '$1 == key { sub(/,$/, "", $2); print $2 }' "$1"; }

# each FILE KEY CONDITION: holds for every value, and there is one.
each() {
    numbers "$1" "$2" | awk "{ n++ } !($3) { print \"$2: \" \$0; bad = 1 }
        END { exit bad || n == 0 }"
}

usage() {
    local word=$1
    shift
    run -2 --separate-stderr "$ISOLINK" bench "$@"
    [ -z "$output" ]
    contains "$stderr" "isolink: bench: " "$word"
}

@test "--quick --json: valid, every kernel has a speed, a limit and a share" {
    "$ISOLINK" bench --quick --json --threads 2 > bench.json
    json_ok bench.json
    json_has bench.json schema '"isolink-bench-1"'
    json_has bench.json threads 2
    for key in per_second limit share share_min; do
        each bench.json $key '$1 > 0'
    done
    # Speeds beyond a thousand Tflop/s or TB/s are a wrong clock or a wrong count.
    each bench.json per_second '$1 < 1e15'
    # Every kernel of the table stands in it, on one thread and on two.
    # A new kernel needs its line in src/link/bench_work.c.
    for kernel in $(sed -n 's/^IL_KERNEL(\([a-z0-9_]*\),.*/\1/p' \
        "$ROOT/simd/kernels.def"); do
        # Only machines that multiply bytes have this one.
        [ "$kernel" != match3_i8 ] || grep -qE 'vnni|asimddp' /proc/cpuinfo || continue
        [ "$(grep -Ec "\"name\": \"$kernel(,|\")" bench.json)" -ge 2 ] ||
            { echo "missing: $kernel"; false; }
    done
    # What multiplies cannot pass the peak; 1.2 because a busy machine blurs both.
    awk '$1 == "\"name\":" { bytes = /match3_i8|rows_i8i8/ }
         $1 == "\"unit\":" { multiplies = bytes || /flop/ }
         $1 == "\"share\":" && multiplies && $2 + 0 > 1.2 { print; exit 1 }' bench.json
}

@test "the table, and the limits of every instruction set" {
    run -0 --separate-stderr "$ISOLINK" bench --quick --threads 1
    [ -z "$stderr" ]
    for isa in $(sed -n 's/.*this machine has \([a-z0-9 ]*\);.*/\1/p' <<<"$output"); do
        contains "$output" "multiply-add, $isa " "multiply-add i8, $isa "
    done
    contains "$output" "multiply-add, ref " copy match3_f32 gemm_f32 dot_f32 pack_f32 \
        normalise_f32 "Gflop/s" "GB/s" " %" "measured in"
    # One thread only: no line of two.
    [ "$(grep -Ec ' [2-9] +[0-9.]+ (Gflop|Gop|GB)/s' <<<"$output")" -eq 0 ]
}

@test "ISOLINK_ISA chooses the kernels" {
    ISOLINK_ISA=ref "$ISOLINK" bench --quick --json --threads 1 > bench.json
    json_has bench.json isa '"ref"'
    [ "$(sed -n '/"kernels"/,$p' bench.json | grep '"isa"' | sort -u |
        tr -d ' ,')" = '"isa":"ref"' ]
    ISOLINK_ISA=sse9 run -2 "$ISOLINK" bench
}

@test "--help, and what is wrong with a command line" {
    run -0 --separate-stderr "$ISOLINK" bench --help
    [ "${lines[0]}" = Examples ]
    [ -z "$stderr" ]
    contains "$output" "Usage: isolink bench" "Exit status" --quick --threads --json
    awk 'length > 84 { exit 1 }' <<<"$output"
    run -0 "$ISOLINK" --help
    contains "$output" "  bench  "
    grep -q 'isolink bench' "$ROOT/src/cli/isolink.1"
    grep -q -- '\\-\\-quick' "$ROOT/src/cli/isolink.1"
    usage "'--threads' wants a number from 0 to 256, got '257'" --threads 257
    usage "unknown option '--quikc'; did you mean '--quick'" --quikc
    usage "wants no files, got 'a.npy'" a.npy
}
