#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# The main job on real data: 3,529 Debian package descriptions a side, 1,058 in common.

load common

# figure KEY: a number of the evaluation's JSON.
figure() { sed -n "s/^ *\"$1\": \([-0-9.e]*\),\{0,1\}\$/\1/p" "$2" | head -n 1; }
at_least() {
    awk -v x="$1" -v y="$2" 'BEGIN { if (!(x >= y)) { print x " < " y; exit 1 } }'
}
judge() {
    "$ISOLINK" eval links.csv "$DEMO/truth.csv" --seeds "$DEMO/seeds.csv" --json \
        > eval.json
}
near() {
    awk -v x="$1" -v y="$2" -v d="$3" 'BEGIN { e = x - y; if (e < 0) e = -e
        if (!(e <= d)) { print x " and " y " differ by more than " d; exit 1 } }'
}

@test "15 seeds: most links are found, and the estimate is near the truth" {
    link_demo --json > report.json 2> report.txt
    judge
    cat report.txt eval.json
    at_least "$(figure f1 eval.json)" 0.75
    near "$(figure precision report.json)" "$(figure precision eval.json)" 0.05
    at_least 0.05 "$(figure ece eval.json)"
}

@test "3 wrong seeds of 15 are found, named and set aside" {
    {
        head -n 13 "$DEMO/seeds.csv"
        # The partners of the last three seeds, turned round.
        paste -d, <(tail -n 3 "$DEMO/seeds.csv" | cut -d, -f1) \
            <(tail -n 3 "$DEMO/seeds.csv" | cut -d, -f2 | sed -n '1h;2,3p;${x;p}')
    } > seeds.csv
    link_demo --seeds seeds.csv --json > report.json 2> report.txt
    cat report.txt
    for id in $(tail -n 3 seeds.csv | cut -d, -f1); do
        grep -q "set aside.* $id - " report.txt
        absent "^$id,.*,seed\$" links.csv
    done
    [ "$(count_origin links.csv seed)" -ge 11 ]
    judge
    at_least "$(figure f1 eval.json)" 0.7
}

@test "doctor says go" {
    run -0 --separate-stderr "$ISOLINK" doctor "$DEMO/a.npy" "$DEMO/b.npy" --a-ids \
        "$DEMO/a.ids.txt" --b-ids "$DEMO/b.ids.txt" --seeds "$DEMO/seeds.csv"
    contains "$output" "3,529" "verdict     go"
}
