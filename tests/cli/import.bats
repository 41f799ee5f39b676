#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# import: what becomes a store, what does not, and that it is all or nothing.

load common

setup_file() {
    pair good
}

# refused CODE WORDS... -- ARGS: import says so in one line and makes nothing.
refused() {
    local code=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr "$ISOLINK" import "$@"
    [ "$status" -eq "$code" ] || { echo "status $status: $stderr"; return 1; }
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
    contains "$stderr" "isolink: import: " "${words[@]}"
}

# good ARGS: imports a.npy of the pair with its ids.
good() {
    "$ISOLINK" import "$BATS_FILE_TMPDIR/good/a.npy" "$1" \
        --ids "$BATS_FILE_TMPDIR/good/a.ids.txt" "${@:2}"
}

@test "two lines say what was made" {
    run -0 --separate-stderr good s --model some-model
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    contains "$stderr" "rows        600 x 48 i8, model some-model" "s: 600 rows" \
        "% of f32" "MB/s"
    [ "$(rows_of s)" -eq 600 ]
    [ ! -e s.new ]
    run -0 --separate-stderr good t -q
    [ -z "$output$stderr" ]
}

@test "--json: the report for a program" {
    good s --json --codec f16 > report.json 2> messages.txt
    json_ok report.json
    json_has report.json schema '"isolink-import-1"'
    json_has report.json rows 600
    json_has report.json codec '"f16"'
    json_has report.json left_out 0
    json_has report.json variance_kept null
}

@test "round trip: f32 is exact, the others within the bounds of their rounding" {
    command -v python3 >/dev/null || skip "no python3"
    for codec in f32 f16 i8 fp8 b1; do
        good "$codec" -q --codec "$codec"
        "$ISOLINK" export "$codec" "$codec.npy" -q --ids ids.txt
        cmp ids.txt "$BATS_FILE_TMPDIR/good/a.ids.txt"
        python3 "$ROOT/tests/support/npy_compare.py" \
            "$([ "$codec" = f32 ] && echo rel:0 || echo "$codec")" \
            "$BATS_FILE_TMPDIR/good/a.npy" "$codec.npy"
    done
    cmp f32.npy "$BATS_FILE_TMPDIR/good/a.npy"
}

@test "--pca: all axes bring the rows back, fewer keep what they say" {
    command -v python3 >/dev/null || skip "no python3"
    good all -q --codec f32 --pca 100%
    "$ISOLINK" export all all.npy -q
    python3 "$ROOT/tests/support/npy_compare.py" rel:0.00001 \
        "$BATS_FILE_TMPDIR/good/a.npy" all.npy
    run -0 --separate-stderr good half --pca 50%
    contains "$stderr" "600 x 24 of 48 i8" "% of the variance of 600 rows"
    good number -q --pca 5
    "$ISOLINK" info number --json > info.json
    json_has info.json stored_dim 5
    json_has info.json dim 48
    "$ISOLINK" verify all half number
}

@test "--pca samples a large source: the rows come from all of it" {
    # The last tenth alone goes along the third coordinate: a sample of the beginning
    # would not see it.
    awk 'BEGIN { for (i = 0; i < 50000; i++)
        printf "{\"vector\": [%d, 0, %d]}\n", i % 7 + 1, i < 45000 ? 0 : i % 2 ? 99 : -99
    }' > rows.jsonl
    "$ISOLINK" import rows.jsonl s --pca 1 --codec f32 -q
    "$ISOLINK" get s 0 49999 > got.jsonl
    contains "$(tail -n 1 got.jsonl)" '"id": "49999"'
    tail -n 1 got.jsonl | grep -Eq '(98|99)\.[0-9]+\]'
}

@test "--pca that cannot be: two readings, too many axes, no number" {
    lines 0 5 > rows.jsonl
    refused 2 "standard input" "twice" -- - s --pca 50% < rows.jsonl
    mkfifo pipe
    refused 2 pipe "twice" -- pipe s --pca 2
    refused 2 "--pca 4" "3 coordinates" -- rows.jsonl s --pca 4
    refused 2 "--pca" "'half'" -- rows.jsonl s --pca half
    refused 2 "--pca" "'0'" -- rows.jsonl s --pca 0
    refused 2 "--pca" "'101%'" -- rows.jsonl s --pca 101%
    rm rows.jsonl pipe
    nothing_left
}

@test "JSONL brings its ids, from a file, a pipe, and packed" {
    lines 0 50 > rows.jsonl
    "$ISOLINK" import rows.jsonl a -q
    lines 0 50 | "$ISOLINK" import - b -q --format jsonl
    lines 0 50 | "$ISOLINK" import /dev/stdin c -q
    for store in a b c; do
        [ "$(rows_of "$store")" -eq 50 ]
        run -0 "$ISOLINK" get "$store" d17
        contains "$output" '{"id": "d17", "vector": [' ",-2.5"
    done
    command -v zstd >/dev/null || skip "no zstd"
    zstd -q rows.jsonl
    "$ISOLINK" import rows.jsonl.zst d -q --codec f32
    zstd -q "$BATS_FILE_TMPDIR/good/a.npy" -o a.npy.zst
    "$ISOLINK" import a.npy.zst e -q --codec f32
    "$ISOLINK" import - f -q --codec f32 < a.npy.zst
    for store in e f; do
        "$ISOLINK" export "$store" "$store.npy" -q
        cmp "$store.npy" "$BATS_FILE_TMPDIR/good/a.npy"
    done
}

@test "without ids rows are named by their numbers" {
    "$ISOLINK" import "$BATS_FILE_TMPDIR/good/a.npy" s -q
    "$ISOLINK" get s 0 599 > got.jsonl
    [ "$(wc -l < got.jsonl)" -eq 2 ]
}

@test "--ids: one for each row, no more, no fewer, none empty or twice" {
    lines 0 5 > rows.jsonl
    printf '%s\n' a b c d > ids.txt
    refused 3 ids.txt "4 ids" "rows.jsonl has more rows" -- rows.jsonl s --ids ids.txt
    printf '%s\n' a b c d e f > ids.txt
    refused 3 ids.txt "more ids than the 5 rows" -- rows.jsonl s --ids ids.txt
    printf '%s\n' a b '' d e > ids.txt
    refused 3 "ids.txt, line 3: empty id" -- rows.jsonl s --ids ids.txt
    printf '%s\n' a b a d e > ids.txt
    refused 3 "rows.jsonl, row 2" "'a'" twice -- rows.jsonl s --ids ids.txt
    refused 3 missing.txt "No such file" -- rows.jsonl s --ids missing.txt
    refused 2 "both" "standard input" -- - s --ids -
    rm rows.jsonl ids.txt
    nothing_left
}

@test "an id that comes twice: refused, or the last row stands with --replace" {
    { lines 0 5; echo '{"id": "d3", "vector": [7, 8, 9]}'; } > rows.jsonl
    refused 3 "rows.jsonl, row 5" "'d3'" twice -- rows.jsonl s
    run -0 --separate-stderr "$ISOLINK" import rows.jsonl s --replace --codec f32
    contains "$stderr" "1 of them in the place of earlier rows" "s: 5 rows"
    run -0 "$ISOLINK" get s d3
    [ "$output" = '{"id": "d3", "vector": [7,8,9]}' ]
    "$ISOLINK" verify s
}

@test "rows that are zero or not finite are left out with a warning, or refused" {
    cp "$BATS_FILE_TMPDIR/good/a.npy" a.npy
    mkvec poke a.npy 17 nan
    mkvec poke a.npy 99 inf
    run -0 --separate-stderr "$ISOLINK" import a.npy s \
        --ids "$BATS_FILE_TMPDIR/good/a.ids.txt"
    id=$(sed -n 18p "$BATS_FILE_TMPDIR/good/a.ids.txt")
    contains "${stderr_lines[0]}" "isolink: import: warning: a.npy: 2 of 600 rows left" \
        "first: row 17 (id '$id') is not finite"
    [ "$(rows_of s)" -eq 598 ]
    run -3 "$ISOLINK" get s "$id"
    refused 3 "a.npy: row 17 (id '$id') is not finite" -- a.npy t --on-bad fail \
        --ids "$BATS_FILE_TMPDIR/good/a.ids.txt"
    [ ! -e t ] && [ ! -e t.new ]
    echo '{"id": "x", "vector": [0, 0, -0.0]}' > zero.jsonl
    refused 3 "zero.jsonl: no row that is finite and not zero" -- zero.jsonl t
    { lines 0 3; cat zero.jsonl; } > rows.jsonl
    run -0 --separate-stderr "$ISOLINK" import rows.jsonl u
    contains "$stderr" "1 of 4 rows left out" "row 3 (id 'x') is zero"
    refused 2 "--on-bad" "skip or fail" -- rows.jsonl t --on-bad perhaps
}

@test "a value that the codec cannot hold: the row, the value, the limit" {
    echo '{"id": "x", "vector": [1, 2, 70000]}' > rows.jsonl
    refused 3 "rows.jsonl, row 0" "coordinate 2 is 70000" "at most 655" "for f16" -- \
        rows.jsonl s --codec f16 --on-bad fail
    refused 3 "rows.jsonl: no row that is finite" "codec can hold" -- rows.jsonl s \
        --codec f16
    lines 0 3 >> rows.jsonl
    run -0 --separate-stderr "$ISOLINK" import rows.jsonl t --codec f16
    contains "$stderr" "rows.jsonl: 1 of 4 rows left out" "too large for the codec" \
        "first: row 0 (id 'x') is too large for the codec" "t: 3 rows"
    # On axes too: what is stored is too large, not what was given.
    { lines 0 9; echo '{"id": "y", "vector": [60000, 60000, 60000]}'; } > axes.jsonl
    run -0 --separate-stderr "$ISOLINK" import axes.jsonl u --codec f16 --pca 1
    contains "$stderr" "1 of 10 rows left out" "row 9 (id 'y') is too large"
    "$ISOLINK" import rows.jsonl s -q --codec f32
    [ "$(rows_of s)" -eq 4 ]
}

@test "a store that is there is not replaced" {
    good s -q
    refused 2 "s: there is a store already" "--append" -- \
        "$BATS_FILE_TMPDIR/good/b.npy" s
    [ "$(rows_of s)" -eq 600 ]
    mkdir full && touch full/note
    refused 2 "full: there already, and no store" -- "$BATS_FILE_TMPDIR/good/b.npy" full
    touch file
    refused 2 "file: there already" -- "$BATS_FILE_TMPDIR/good/b.npy" file
    mkdir none
    good none/ -q
    [ "$(rows_of none)" -eq 600 ]
    [ "$(ls -A full)" = note ]
}

@test "--append adds; ids of before are refused, or replaced with --replace" {
    lines 0 10 > a.jsonl
    lines 8 20 > b.jsonl
    lines 10 20 > c.jsonl
    echo '{"id": "d9", "vector": [3, 3, 3]}' > d.jsonl
    refused 3 "s: no store to append to" "without '--append'" -- a.jsonl s --append
    "$ISOLINK" import a.jsonl s -q --codec f32 --model m
    refused 3 "b.jsonl, row 0: s has a row with the id 'd8'" "--replace" -- \
        b.jsonl s --append
    [ "$(rows_of s)" -eq 10 ]
    run -0 --separate-stderr "$ISOLINK" import c.jsonl s --append
    contains "$stderr" "added       10 x 3 f32, model m" "s: 20 rows"
    run -0 --separate-stderr "$ISOLINK" import d.jsonl s --append --replace
    contains "$stderr" "1 of them in the place of earlier rows" "s: 20 rows"
    run -0 "$ISOLINK" get s d9
    [ "$output" = '{"id": "d9", "vector": [3,3,3]}' ]
    "$ISOLINK" verify s
}

@test "--append: dimension, model and codec must be those of the store" {
    lines 0 10 > a.jsonl
    echo '{"id": "x", "vector": [1, 2]}' > two.jsonl
    "$ISOLINK" import a.jsonl s -q --model m
    lines 10 12 > b.jsonl
    refused 3 "two.jsonl: rows of 2 coordinates" "those of s have 3" -- \
        two.jsonl s --append
    refused 3 "s: holds vectors of the model 'm', '--model' says 'other'" -- \
        b.jsonl s --append --model other
    refused 3 "s: its codec is i8, '--codec' says f32" -- \
        b.jsonl s --append --codec f32
    refused 2 "'--pca' belongs to a new store" -- b.jsonl s --append --pca 2
    "$ISOLINK" import b.jsonl s -q --append --model m --codec i8
    [ "$(rows_of s)" -eq 12 ]
}

@test "usage: operands and options" {
    refused 2 "wants a file and a store" "got 1" -- x.npy
    refused 2 "--codec" "f32, f16, i8, fp8 or b1" "'i9'" -- x.npy s --codec i9
    refused 2 "--format" "'parquet'" -- x.npy s --format parquet
    refused 2 "unknown option '--appendix'" "--append" -- x.npy s --appendix
    refused 2 "name of the store is empty" -- x.npy ''
    refused 3 x.npy "No such file" -- x.npy s
    nothing_left
    run -0 "$ISOLINK" import --help
    [ "${lines[0]}" = Examples ]
}

@test "a source that breaks off leaves nothing" {
    { lines 0 300; printf '{"id": "x", "vector": [1, 2'; } > rows.jsonl
    refused 3 "rows.jsonl, line 301" -- rows.jsonl s
    rm rows.jsonl
    nothing_left
    refused 3 "a.npy" -- <(head -c 5000 "$BATS_FILE_TMPDIR/good/a.npy") s --format npy ||
        refused 3 "/dev/fd" -- <(head -c 5000 "$BATS_FILE_TMPDIR/good/a.npy") s \
            --format npy
    nothing_left
}

# A source that goes on until somebody stops it.
endless() {
    lines 0 2000000000
}

@test "SIGINT: 130, nothing is left, and an old store is as it was" {
    # shellcheck disable=SC2031
    run --separate-stderr timeout -s INT --foreground --preserve-status 1 \
        "$ISOLINK" import <(endless) s --format jsonl
    [ "$status" -eq 130 ]
    contains "$stderr" "isolink: import: ended by signal 2"
    nothing_left
    lines 0 1 | sed s/d0/first/ > one.jsonl
    "$ISOLINK" import one.jsonl s -q
    run --separate-stderr timeout -s TERM --foreground --preserve-status 1 \
        "$ISOLINK" import <(endless) s --format jsonl --append
    [ "$status" -eq 143 ]
    [ "$(rows_of s)" -eq 1 ]
    "$ISOLINK" verify s
    [ "$(find s -name '*.seg' | wc -l)" -eq 1 ]
}

# killed OPTIONS: import into s ends by SIGKILL after rows were written.
killed() {
    endless > pipe 3>&- &
    local feeder=$!
    "$ISOLINK" import pipe s --format jsonl -q "$@" 2>/dev/null 3>&- &
    local pid=$! name=s.new found
    [ "$#" -eq 0 ] || name=s
    # Landed: a segment is being written.
    for _ in $(seq 100); do
        found=$(find "$name" -name '*.seg' -size +0 2>/dev/null | wc -l)
        [ "$found" -le "${segs:-0}" ] || break
        sleep 0.1
    done
    [ "$found" -gt "${segs:-0}" ]
    kill -KILL "$pid"
    status=0
    wait "$pid" || status=$?
    [ "$status" -eq 137 ]
    wait "$feeder" || true
}

@test "kill -9 during the import of a new store: there is none, and the next one works" {
    mkfifo pipe
    killed
    [ ! -e s ]
    [ -e s.new ]
    lines 0 5 > rows.jsonl
    "$ISOLINK" import rows.jsonl s -q
    [ "$(rows_of s)" -eq 5 ]
    [ ! -e s.new ]
    "$ISOLINK" verify s
}

@test "kill -9 during --append: the store is as before, and the next one works" {
    mkfifo pipe
    lines 0 5 | sed 's/"d/"old/' > rows.jsonl
    "$ISOLINK" import rows.jsonl s -q --codec f32
    "$ISOLINK" export s before.jsonl -q
    segs=1 killed --append
    "$ISOLINK" export s after.jsonl -q
    cmp before.jsonl after.jsonl
    "$ISOLINK" verify s
    lines 5 9 > more.jsonl
    run -0 --separate-stderr "$ISOLINK" import more.jsonl s --append
    contains "$stderr" "warning: removed files that a writer left" "s: 9 rows"
    [ "$(find s -name '*.seg' | wc -l)" -eq 2 ]
}

@test "two imports into one name: the second one is told who writes" {
    mkfifo pipe
    "$ISOLINK" import pipe s --format jsonl -q 3>&- &
    pid=$!
    exec 5> pipe
    lines 0 3 >&5
    for _ in $(seq 100); do [ ! -e s.new/MANIFEST ] || break; sleep 0.1; done
    lines 0 5 > rows.jsonl
    refused 6 "s.new: locked by process $pid" -- rows.jsonl s
    exec 5>&-
    wait "$pid"
    [ "$(rows_of s)" -eq 3 ]
}

@test "what stands in the way of STORE.new is not removed" {
    mkdir s.new && echo mine > s.new/note
    lines 0 5 > rows.jsonl
    refused 2 "s.new: not removed: 'note'" -- rows.jsonl s
    [ "$(ls -A s.new)" = note ]
}

@test "a directory that takes nothing: exit 1" {
    lines 0 5 > rows.jsonl
    refused 1 "nowhere/s.new" "No such file" -- rows.jsonl nowhere/s
    unshare -rm true 2>/dev/null || skip "no mount namespaces"
    mkdir ro
    run -1 --separate-stderr unshare -rm bash -c \
        'mount -t tmpfs -o ro none ro && "$1" import rows.jsonl ro/s' _ "$ISOLINK"
    contains "$stderr" "isolink: import: ro/s.new" "Read-only"
}

@test "full disk: exit 1, nothing left; an old store is as it was" {
    unshare -rm true 2>/dev/null || skip "no mount namespaces"
    mkdir small
    lines 0 2 | sed 's/"d/"old/' > two.jsonl
    run -0 --separate-stderr unshare -rm bash -c '
        mount -t tmpfs -o size=128k none small
        "$1" import "$2" small/s -q --codec f32
        echo "status $?"
        ls -A small
        "$1" import two.jsonl small/s -q
        "$1" import "$2" small/s -q --codec f32 --append
        echo "status $?"
        "$1" info small/s --json | grep \"rows\"
        "$1" verify small/s' _ "$ISOLINK" <(lines 0 100000)
    [ "${lines[0]}" = "status 1" ]
    contains "$stderr" "isolink: import: small/s.new" "No space left"
    [ "${lines[-1]}" = "small/s: sound" ]
}

@test "a progress bar on a terminal only" {
    run -0 --separate-stderr good s
    lacks "$stderr" $'\r'
}
