#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Wall time and peak memory of `isolink link` against the numpy reference: both link
# tests/data/demo with two threads, in turns, so that a busy machine troubles both alike.
# Then one run over the large set, when it is there: memory against the size of the
# inputs.
#
#   tools/bench_speed.sh [PROGRAM]          (`make bench-speed` builds it first)
#
# REFERENCE  the reference's script         [../shared/reference/geh_reference.py]
# PYTHON     a Python that has numpy        [python3, or /usr/bin/python3]
# ROUNDS     rounds of both                 [5]
# LARGE      folder of the large set        [$ISOLINK_DATA/debian-fasttext; ISOLINK_DATA
#                                            itself is ../shared/data when not set]
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

isolink=${1:-${ISOLINK_BIN:-build/$(uname -m)/isolink}}
reference=${REFERENCE:-../shared/reference/geh_reference.py}
rounds=${ROUNDS:-5}
large=${LARGE:-${ISOLINK_DATA:-../shared/data}/debian-fasttext}
demo=tests/data/demo
threads=2

stop() {
    echo "bench_speed: $*" >&2
    exit 1
}

[ -x "$isolink" ] || stop "$isolink is not there; run: make cli"
[[ $rounds =~ ^[1-9][0-9]*$ ]] || stop "ROUNDS is '$rounds', wanted a number from 1"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# Runs a command; sets seconds (wall) and mib (peak resident memory, "-" without GNU
# time).
measure() {
    local began ended
    local -a gnu_time=()
    [ ! -x /usr/bin/time ] || gnu_time=(/usr/bin/time -q -f %M -o "$out/kib")
    : >"$out/kib"
    began=$EPOCHREALTIME
    if ! "${gnu_time[@]}" "$@" >"$out/log" 2>&1; then
        cat "$out/log" >&2
        stop "failed: $*"
    fi
    ended=$EPOCHREALTIME
    seconds=$(awk -v a="$began" -v b="$ended" 'BEGIN { printf "%.3f", b - a }')
    mib=$(awk '{ m = sprintf("%.0f", $1 / 1024) } END { print m == "" ? "-" : m }' \
        "$out/kib")
}

link() {
    measure "$isolink" link "$1/a.npy" "$1/b.npy" --a-ids "$1/a.ids.txt" \
        --b-ids "$1/b.ids.txt" --seeds "$1/seeds.csv" --threads $threads --quiet \
        -o "$out/links.csv"
}

median() {
    sort -n | awk '
        { v[NR] = $1 }
        END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
# The largest, or "-" when none was measured.
largest() { sort -n | tail -n 1; }

# OpenBLAS takes some CPUs with AVX-512 for older ones; the reference gets the best it
# has.
export OPENBLAS_NUM_THREADS=$threads OMP_NUM_THREADS=$threads
if grep -qw avx512f /proc/cpuinfo 2>/dev/null; then
    export OPENBLAS_CORETYPE=SkylakeX
fi

# The reference wants row numbers where seeds.csv has ids. No id here holds a comma.
seed_rows() {
    awk -F, '
        { sub(/\r$/, "") }
        FNR == 1 { file++ }
        file == 1 { a[$0] = FNR - 1; next }
        file == 2 { b[$0] = FNR - 1; next }
        FNR == 1 && $1 == "a_id" { next }
        NF >= 2 {
            if (!($1 in a) || !($2 in b)) {
                print "unknown id: " $0 >"/dev/stderr"
                exit 1
            }
            print a[$1] "," b[$2]
        }' "$1/a.ids.txt" "$1/b.ids.txt" "$1/seeds.csv"
}

compare() {
    local round
    seed_rows $demo >"$out/seeds.csv"
    echo "$demo, $threads threads each, $rounds rounds in turns," \
        "OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE:-not set}"
    echo
    printf '%-8s %14s %14s %8s %16s %16s\n' round 'reference, s' 'isolink, s' ratio \
        'reference, MiB' 'isolink, MiB'
    for ((round = 1; round <= rounds; round++)); do
        measure "$python" "$reference" $demo/a.npy $demo/b.npy "$out/seeds.csv" \
            --mode improved -o "$out/reference.csv"
        echo "$seconds" >>"$out/reference.s"
        echo "$mib" >>"$out/reference.mib"
        link $demo
        echo "$seconds" >>"$out/isolink.s"
        echo "$mib" >>"$out/isolink.mib"
        line $round tail -n 1
    done
    line median median
}

# A line of the table: what $2... makes of the times so far.
line() {
    local name=$1 slow fast memory=tail
    shift
    slow=$("$@" <"$out/reference.s")
    fast=$("$@" <"$out/isolink.s")
    [ "$name" != median ] || memory=largest
    printf '%-8s %14.2f %14.2f %7.1fx %16s %16s\n' "$name" "$slow" "$fast" \
        "$(awk -v a="$slow" -v b="$fast" 'BEGIN { print a / b }')" \
        "$(last_or_largest $memory "$out/reference.mib")" \
        "$(last_or_largest $memory "$out/isolink.mib")"
}

last_or_largest() {
    if [ "$1" = largest ]; then largest <"$2"; else tail -n 1 "$2"; fi
}

large_run() {
    local bytes
    if [ ! -r "$large/a.npy" ]; then
        echo "Large set: $large is absent, left out."
        return
    fi
    bytes=$(cat "$large/a.npy" "$large/b.npy" | wc -c)
    link "$large"
    awk -v s="$seconds" -v peak="$mib" -v bytes="$bytes" -v name="$(basename "$large")" \
        -v a="$(wc -l <"$large/a.ids.txt")" -v b="$(wc -l <"$large/b.ids.txt")" 'BEGIN {
            printf "%s, %d x %d rows: %.1f s, ", name, a, b, s
            input = bytes / 1048576
            if (peak == "-") print "memory not measured"
            else printf "peak %d MiB = inputs %.0f MiB + %.0f MiB\n", peak, input, \
                peak - input
        }'
}

[ -x /usr/bin/time ] ||
    echo "Memory is not measured: /usr/bin/time is missing (Debian package time)."
[ -r "$reference" ] ||
    stop "the reference $reference is absent (REFERENCE=... names another): nothing to" \
        "compare with"
python=
for try in ${PYTHON:+"$PYTHON"} python3 /usr/bin/python3; do
    if "$try" -c 'import numpy' 2>/dev/null; then
        python=$try
        break
    fi
done
[ -n "$python" ] || stop "no Python with numpy (Debian package python3-numpy)"

compare
echo
large_run
