#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink diff: rows of one side only, and what it refuses.

load common

setup_file() {
    pair good
    cd "$BATS_FILE_TMPDIR"
    link_pair good -q -o links.csv
    "$ISOLINK" import good/a.npy a.store --ids good/a.ids.txt --model one -q --codec f32
    "$ISOLINK" import good/b.npy b.store --ids good/b.ids.txt --model two -q --codec f32
    "$ISOLINK" map fit a.store b.store --links links.csv -o m.ilm -q
}

at() { echo "$BATS_FILE_TMPDIR/$1"; }

diff_pair() {
    "$ISOLINK" diff "$(at a.store)" "$(at b.store)" --links "$(at links.csv)" \
        --map "$(at m.ilm)" "$@"
}

refused() {
    local code=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr "$ISOLINK" diff "$@"
    [ "$status" -eq "$code" ] || { echo "status $status: $stderr"; return 1; }
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
    contains "$stderr" "isolink: diff: " "${words[@]}"
    nothing_left
}

@test "every row without a link, both sides; the sum is what the recall says" {
    run -0 --separate-stderr diff_pair --recall 0.9 -o alone.csv
    [ -z "$output" ]
    contains "$stderr" "side A" "side B" "without a link" "in B alone" "links "
    [ "$(head -n 1 alone.csv)" = side,id,confidence,nearest,score ]
    links=$(($(wc -l < "$(at links.csv)") - 1))
    [ "$(grep -c '^a,' alone.csv)" -eq $((600 - links)) ]
    # What is missed by the recall: right links * (1 / 0.9 - 1).
    awk -F, 'FNR == 1 { next } FILENAME ~ /links/ { right += $3; next }
        $1 == "a" { n++; sum += $3 } END {
        off = n - sum - right * (1 / 0.9 - 1); exit off > 1 || off < -1 }' \
        "$(at links.csv)" alone.csv
    diff_pair --recall 0.9 -q --threads 1 | cmp - alone.csv
    ISOLINK_ISA=ref diff_pair --recall 0.9 -q | cmp - alone.csv
}

@test "on demo rows with a counterpart get less confidence than those without" {
    link_demo -q -o links.csv
    "$ISOLINK" map fit "$DEMO/a.npy" "$DEMO/b.npy" --a-ids "$DEMO/a.ids.txt" --b-ids \
        "$DEMO/b.ids.txt" --links links.csv -o m.ilm -q
    "$ISOLINK" diff "$DEMO/a.npy" "$DEMO/b.npy" --a-ids "$DEMO/a.ids.txt" --b-ids \
        "$DEMO/b.ids.txt" --links links.csv --map m.ilm --recall 0.87 -q > alone.csv
    awk -F, 'FNR == 1 { next } FILENAME ~ /truth/ { a["a" $1] = a["b" $2] = 1; next }
        a[$1 $2] { n++; with += $3; next } { m++; without += $3 }
        END { exit !(with / n < without / m - 0.05) }' "$DEMO/truth.csv" alone.csv
}

@test "what does not fit is refused" {
    refused 2 "needs --links FILE, --map MAP and --recall R" -- a b --links l --map m
    refused 2 "two sides" "got 1" -- a --links l --map m --recall 1
    refused 2 "'--recall' wants a number from 0 to 1" -- a b --recall 2
    refused 2 "above 0" -- a b --links l --map m --recall 0
    refused 3 "rows of 64 coordinates, wanted 48" -- "$(at b.store)" "$(at a.store)" \
        --links "$(at links.csv)" --map "$(at m.ilm)" --recall 1 -q
    head -n 15 "$(at links.csv)" > "$(at few.csv)"
    refused 5 "14 links, wanted at least 20" -- "$(at a.store)" "$(at b.store)" \
        --links "$(at few.csv)" --map "$(at m.ilm)" --recall 1
    head -c 1500 "$(at m.ilm)" > "$(at cut.ilm)"
    refused 4 "cut.ilm" -- "$(at a.store)" "$(at b.store)" --links "$(at links.csv)" \
        --map "$(at cut.ilm)" --recall 1
    "$ISOLINK" import "$(at good/b.npy)" "$(at c.store)" --model three -q \
        --ids "$(at good/b.ids.txt)"
    refused 3 "model 'three', wanted 'two'" -- "$(at a.store)" "$(at c.store)" \
        --links "$(at links.csv)" --map "$(at m.ilm)" --recall 1
    refused 2 "would replace the input" -- "$(at a.store)" "$(at b.store)" \
        --links "$(at links.csv)" --map "$(at m.ilm)" --recall 1 -o "$(at links.csv)"
}
