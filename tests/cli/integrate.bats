#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink integrate: every document once, whole or not at all.

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

both() {
    "$ISOLINK" integrate "$(at a.store)" "$(at b.store)" --links "$(at links.csv)" \
        --map "$(at m.ilm)" "$@"
}

refused() {
    local code=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr "$ISOLINK" integrate "$@"
    [ "$status" -eq "$code" ] || { echo "status $status: $stderr"; return 1; }
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
    contains "$stderr" "isolink: integrate: " "${words[@]}"
    nothing_left
}

@test "linked rows once, the others mapped, sources untouched" {
    "$ISOLINK" export "$(at a.store)" before.npy -q
    links=$(($(wc -l < "$(at links.csv)") - 1))
    rows_b=$(rows_of "$(at b.store)")
    run -0 --separate-stderr both -o s --codec f32 --provenance where.csv
    contains "$stderr" "rows        $links on both sides, $((600 - links)) of A alone"
    [ "$(rows_of s)" -eq $((600 - links + rows_b)) ]
    "$ISOLINK" verify s
    "$ISOLINK" info s > info.txt
    grep -q '^model  *two' info.txt
    [ "$(head -n 1 where.csv)" = id,a_id,b_id,posterior,confidence ]
    [ "$(wc -l < where.csv)" -eq $((600 - links + rows_b + 1)) ]
    [ "$(awk -F, 'NR > 1 && $2 != "" && $3 != "" && $4 != ""' where.csv | wc -l)" -eq \
        "$links" ]
    # A row of B is as it was; one of A alone is its image.
    id=$(sed -n 2p "$(at good/b.ids.txt)")
    "$ISOLINK" get s "b:$id" | sed 's/"b:/"/' > row.jsonl
    "$ISOLINK" get "$(at b.store)" "$id" | cmp - row.jsonl
    id=$(grep -m 1 '^a:' where.csv | cut -d, -f2)
    "$ISOLINK" get s "a:$id" | sed 's/"a:/"/' > row.jsonl
    "$ISOLINK" get "$(at a.store)" "$id" |
        "$ISOLINK" map apply "$(at m.ilm)" - -o - -q | cmp - row.jsonl
    "$ISOLINK" export "$(at a.store)" after.npy -q
    cmp before.npy after.npy
}

@test "equal rows for any number of threads and instruction set" {
    both -o one -q --threads 1
    ISOLINK_ISA=ref both -o two -q --threads 3
    "$ISOLINK" export one one.npy -q
    "$ISOLINK" export two two.npy -q
    cmp one.npy two.npy
}

@test "what a killed run left is cleared" {
    both -o s -q
    mv s s.new
    both -o s -q
    [ ! -e s.new ]
}

@test "what does not fit is refused, and nothing is left" {
    refused 2 "needs --links FILE, --map MAP and -o STORE" -- a b --links l --map m
    refused 2 "two sides" "got 0" -- --links l --map m -o s
    refused 2 "there is a store already" -- "$(at a.store)" "$(at b.store)" \
        --links "$(at links.csv)" --map "$(at m.ilm)" -o "$(at b.store)"
    refused 3 "rows of 64 coordinates, wanted 48" -- "$(at b.store)" "$(at a.store)" \
        --links "$(at links.csv)" --map "$(at m.ilm)" -o s -q
    head -c 1500 "$(at m.ilm)" > "$(at cut.ilm)"
    refused 4 "cut.ilm" -- "$(at a.store)" "$(at b.store)" --links "$(at links.csv)" \
        --map "$(at cut.ilm)" -o s
    refused 2 "'--codec' wants" -- a b --codec f8
    "$ISOLINK" import "$(at good/b.npy)" "$(at c.store)" --model three -q \
        --ids "$(at good/b.ids.txt)"
    refused 3 "model 'three', wanted 'two'" -- "$(at a.store)" "$(at c.store)" \
        --links "$(at links.csv)" --map "$(at m.ilm)" -o s
}
