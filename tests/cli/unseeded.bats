#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink link --seeds none: links where the clusters of both sides tell enough, refusal
# where they do not, and seeds that are too few for a start of their own.

load common

setup_file() {
    pair many --rows-a 900 --rows-b 850 --shared 500 --dim-a 96 --dim-b 128
}

# eval_demo LINKS: its report as JSON in eval.json.
eval_demo() {
    "$ISOLINK" eval "$1" "$DEMO/truth.csv" --json > eval.json
}

# at_least KEY NUMBER: in eval.json.
at_least() {
    local value
    value=$(sed -n "s/^  \"$1\": \([0-9.e-]*\),\{0,1\}$/\1/p" eval.json)
    echo "$1 $value, wanted $2"
    awk -v v="$value" -v w="$2" 'BEGIN { exit !(v >= w) }'
}

@test "the demo set without seeds: nearly as with them" {
    run -0 --separate-stderr link_demo --seeds none -o none.csv
    contains "$stderr" "0 given, 0 usable" "without seeds" "precision"
    [ "$(count_origin none.csv seed)" -eq 0 ]
    eval_demo none.csv
    at_least precision 0.70
    at_least recall 0.75
}

@test "equal bytes whatever the threads and the instruction set" {
    link_pair many -q --seeds none -o 1.csv --threads 1
    [ "$(count_origin 1.csv link)" -ge 200 ]
    link_pair many -q --seeds none -o 2.csv --threads 2
    cmp 1.csv 2.csv
    for isa in ref avx2; do
        ISOLINK_ISA=$isa "$ISOLINK" --version > version.txt 2>&1 || continue
        ISOLINK_ISA=$isa link_pair many -q --seeds none -o $isa.csv
        cmp 1.csv $isa.csv
    done
}

@test "the report says that there were no seeds, and JSON too" {
    run -0 --separate-stderr link_pair many --seeds none --json -o links.csv
    printf '%s\n' "$output" > report.json
    json_ok report.json
    json_has report.json unseeded true
    json_has report.json file null
    json_has report.json given 0
    run -0 --separate-stderr link_pair many --json -o links.csv
    printf '%s\n' "$output" > report.json
    json_has report.json unseeded false
}

# refused OPTIONS: exit 5, the evidence, no link.
refused() {
    run --separate-stderr "$@" --seeds none -o links.csv
    [ "$status" -eq 5 ] || { echo "status $status"; echo "$stderr"; return 1; }
    contains "$stderr" "isolink: link: cannot bootstrap: " "0 seeds and no links"
    [ "$(count_origin links.csv link)" -eq 0 ]
}

@test "unrelated sides, noise: refused" {
    pair unrelated --unrelated --rows-a 900 --rows-b 850 --dim-a 96 --dim-b 128
    refused link_pair unrelated
    contains "$stderr" "without seeds" "agree on"
    pair noise --noise-b --rows-a 900 --rows-b 850
    refused link_pair noise
}

@test "another corpus in a real store: refused" {
    pair many
    refused "$ISOLINK" link "$DEMO/a.npy" "$BATS_FILE_TMPDIR/many/b.npy"
}

@test "fewer rows than clusters, one row: refused" {
    pair few --rows-a 20 --rows-b 25 --shared 18
    refused link_pair few
    contains "$stderr" "too few rows"
    printf '{"id": "x", "vector": [1, 2, 3]}\n' > one.jsonl
    refused "$ISOLINK" link one.jsonl one.jsonl
}

@test "sides of 1 to 100" {
    pair slim --rows-a 6000 --rows-b 60 --shared 60
    run --separate-stderr link_pair slim --seeds none -o links.csv
    [ "$status" -eq 5 ] || [ "$status" -eq 0 ]
}

# jsonl ROWS KIND: a store of ROWS rows in which nearly all rows are equal (same), or all
# lie about one point (one).
jsonl() {
    awk -v n="$1" -v kind="$2" -v seed="$3" 'BEGIN {
        srand(seed)
        for (i = 0; i < n; i++) {
            printf "{\"id\": \"d%d\", \"vector\": [", i
            for (k = 0; k < 12; k++) {
                x = kind == "same" && i % 20 ? k + 1 : 5 + 0.01 * rand()
                printf "%s%.6f", k ? ", " : "", x
            }
            print "]}"
        }
    }'
}

@test "stores of equal rows, of one cluster: no crash, no invention" {
    for kind in same one; do
        jsonl 400 $kind 1 > a.jsonl
        jsonl 380 $kind 2 > b.jsonl
        refused "$ISOLINK" link a.jsonl b.jsonl
    done
}

# some_seeds N [SHIFT]: the first N seeds of the pair `many`; with SHIFT, all wrong.
some_seeds() {
    local seeds=$BATS_FILE_TMPDIR/many/seeds.csv
    echo a_id,b_id
    paste -d, <(tail -n +2 "$seeds" | cut -d, -f1 | head -n "$1") \
        <(tail -n "+$((2 + ${2:-0}))" "$seeds" | cut -d, -f2 | head -n "$1")
}

@test "two seeds: they test the start, and are kept" {
    some_seeds 2 > two.csv
    run -0 --separate-stderr link_pair many --seeds two.csv -o links.csv
    contains "$stderr" "2 given, 2 usable; 2 of 2 tested" "without seeds"
    [ "$(count_origin links.csv seed)" -eq 2 ]
    [ "$(count_origin links.csv link)" -ge 200 ]
}

@test "seeds that no start finds: refused, and named" {
    some_seeds 2 5 > wrong.csv
    run -5 --separate-stderr link_pair many --seeds wrong.csv -o links.csv
    contains "$stderr" "found 0 of 2 seeds"
    [ "$(count_origin links.csv link)" -eq 0 ]
}

@test "none is for geh; a file of that name is ./none" {
    run -2 --separate-stderr link_pair many --seeds none --method geh-published
    contains "$stderr" "geh-published' needs seeds"
    cp "$BATS_FILE_TMPDIR/many/seeds.csv" none
    run -0 --separate-stderr link_pair many --seeds ./none -o links.csv
    contains "$stderr" "15 given, 15 usable"
}

@test "mini-vec2vec: links without an estimate, seeds are not needed" {
    run -0 --separate-stderr link_pair many --seeds none --method mini-vec2vec -o m.csv
    [ "$(count_origin m.csv link)" -ge 200 ]
    contains "$stderr" "precision   not estimated by this method"
    run -2 link_pair many --seeds none --method vec2vec
    contains "$output" "mini-vec2vec"
}
