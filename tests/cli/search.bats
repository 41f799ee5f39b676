#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink search: what it finds, through a map too, and what it refuses.

load common

setup_file() {
    pair good
    cd "$BATS_FILE_TMPDIR"
    "$ISOLINK" import good/a.npy a.store --ids good/a.ids.txt --model one -q --codec f32
    "$ISOLINK" import good/b.npy b.store --ids good/b.ids.txt --model two -q --codec f32
    "$ISOLINK" map fit a.store b.store --links good/truth.csv -o m.ilm -q
}

at() { echo "$BATS_FILE_TMPDIR/$1"; }

refused() {
    local code=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr "$ISOLINK" search "$@"
    [ "$status" -eq "$code" ] || { echo "status $status: $stderr"; return 1; }
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
    contains "$stderr" "isolink: search: " "${words[@]}"
    nothing_left
}

@test "a row finds itself first; files and stores alike, whatever the threads" {
    "$ISOLINK" search "$(at a.store)" "$(at a.store)" -k 3 > found.csv
    [ "$(head -n 1 found.csv)" = query,rank,id,score ]
    [ "$(wc -l < found.csv)" -eq 1801 ]
    awk -F, 'NR > 1 && $2 == 1 && ($1 != $3 || $4 != "1.000000") { print; bad = 1 }
        END { exit bad }' found.csv
    awk -F, 'NR > 1 && $2 > 1 && $4 > last { bad = 1 } { last = $4 }
        END { exit bad }' found.csv
    for threads in 1 3; do
        "$ISOLINK" search "$(at a.store)" "$(at a.store)" -k 3 --threads $threads |
            cmp - found.csv
    done
    "$ISOLINK" export "$(at a.store)" - | "$ISOLINK" search "$(at a.store)" - -k 3 |
        cmp - found.csv
    "$ISOLINK" export "$(at a.store)" - | "$ISOLINK" search - "$(at a.store)" -k 3 |
        cmp - found.csv
    ISOLINK_ISA=ref "$ISOLINK" search "$(at a.store)" "$(at a.store)" -k 3 |
        cmp - found.csv
}

@test "known answers, ties in the order of the rows, zero rows are not found" {
    printf '%s\n' '{"id": "east", "vector": [2, 0]}' '{"id": "north", "vector": [0, 3]}' \
        '{"id": "zero", "vector": [0, 0]}' '{"id": "too, east", "vector": [1, 0]}' \
        '{"id": "west", "vector": [-1, 0]}' > rows.jsonl
    printf '%s\n' '{"id": "q", "vector": [5, 0]}' '{"id": "none", "vector": [0, 0]}' \
        > q.jsonl
    "$ISOLINK" search rows.jsonl q.jsonl > found.csv
    printf '%s\n' query,rank,id,score q,1,east,1.000000 'q,2,"too, east",1.000000' \
        q,3,north,0.000000 q,4,west,-1.000000 | cmp - found.csv
    "$ISOLINK" search rows.jsonl q.jsonl -k 1 --json > found.jsonl
    printf '%s\n' '{"query": "q", "hits": [{"id": "east", "score": 1.000000}]}' \
        '{"query": "none", "hits": []}' | cmp - found.jsonl
}

@test "through a map the counterparts are found, both ways" {
    "$ISOLINK" search "$(at b.store)" "$(at a.store)" --map "$(at m.ilm)" > found.csv
    "$ISOLINK" search "$(at a.store)" "$(at b.store)" --map "$(at m.ilm)" --reverse \
        > back.csv
    awk -F, 'FNR == 1 { next } FILENAME ~ /truth/ { pair[$1 "," $2] = 1; n++; next }
        pair[$1 "," $3] { found++ } END { exit found < 0.9 * n }' \
        "$(at good/truth.csv)" found.csv
    awk -F, 'FNR == 1 { next } FILENAME ~ /truth/ { pair[$2 "," $1] = 1; n++; next }
        pair[$1 "," $3] { found++ } END { exit found < 0.9 * n }' \
        "$(at good/truth.csv)" back.csv
}

@test "what does not fit is refused" {
    refused 3 "queries of 48 coordinates, but rows of" "have 64" "'--map'" -- \
        "$(at b.store)" "$(at a.store)"
    refused 3 "rows of 64 coordinates, wanted 48" -- \
        "$(at a.store)" "$(at b.store)" --map "$(at m.ilm)"
    "$ISOLINK" import "$(at good/b.npy)" "$(at c.store)" --model three -q
    refused 3 "model 'three', wanted 'two'" -- \
        "$(at c.store)" "$(at a.store)" --map "$(at m.ilm)"
    refused 2 "STORE QUERY, got 1" -- a
    refused 2 "'-k' wants a number from 1 to 64" -- a b -k 65
    refused 2 "'--reverse' belongs to '--map MAP'" -- a b --reverse
    refused 2 "only one of STORE and QUERY" -- - -
    refused 3 "none.store" -- none.store "$(at a.store)"
    head -c 1500 "$(at m.ilm)" > "$(at cut.ilm)"
    refused 4 "cut.ilm" -- "$(at b.store)" "$(at a.store)" --map "$(at cut.ilm)"
    "$ISOLINK" search "$(at c.store)" "$(at a.store)" --map "$(at m.ilm)" --force > x.csv
    [ "$(wc -l < x.csv)" -eq 6001 ]
}
