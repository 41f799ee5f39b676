#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# tools/bench_scale.sh: the table, the JSON, and what it refuses.

load common

scale() {
    ISOLINK_BIN=$ISOLINK ISOLINK_BUILD=$ISOLINK_BUILD \
        "$ROOT/tools/bench_scale.sh" "$@"
}

@test "two sizes: stages, quality, exponents; kept pairs are used again" {
    here=$PWD
    run -0 --separate-stderr scale --sizes 800,1600 --dim 192 --threads 1 \
        --keep "$here/kept" --json "$here/scale.json" -- --seed 2
    contains "$output" "rows a side" "prepare, s" "accept, s" "multiply-adds" \
        "peak, MiB" "F1" "  estimated" "link options: --seed 2" \
        "from 800 to 1600 rows: time grows with exponent"
    json_ok scale.json
    contains "$(cat scale.json)" '"schema": "isolink-bench-scale-1"' '"rows": 800,' \
        '"rows": 1600,' '"status": "linked"'
    # Twice the rows are between twice and five times the work.
    grep 'exponent, work' <<<"$output" |
        awk '{ exit !($NF > 0.9 && $NF < 2.4) }'
    # The figures are those of the report and of eval.
    f1=$(awk '$1 == "\"f1\":" { sub(",", "", $2); print $2 }' kept/1600/eval.json)
    contains "$(cat scale.json)" "\"f1\": $f1"
    touch -d 2001-01-01 kept/800/a.npy
    run -0 scale --sizes 800 --dim 192 --keep "$here/kept"
    [ "$(date -r kept/800/a.npy +%Y)" = 2001 ]
    # Other options are another pair.
    run -0 scale --sizes 800 --dim 160 --keep "$here/kept"
    [ "$(date -r kept/800/a.npy +%Y)" != 2001 ]
}

@test "what is wrong with a command line" {
    run -2 scale --sizes 5,x
    contains "$output" "bench_scale: '--sizes' wants"
    run -2 scale --size 5
    contains "$output" "unknown option '--size'"
    run -2 scale --sizes
    contains "$output" "'--sizes' needs a value"
    run -2 scale --sizes 10
    contains "$output" "gen_pair: '--seeds' wants at most the 3 shared documents"
    run -0 scale --help
    contains "$output" Usage --sizes --keep --json
}
