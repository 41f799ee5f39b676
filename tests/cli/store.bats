#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# info, verify, get, rm, compact; and link and doctor on stores.

load common

setup_file() {
    made f32 --codec f32 --model some-model
    lines 0 20 > "$BATS_FILE_TMPDIR/rows.jsonl"
}

# refused CODE WORDS... -- COMMAND ARGS: says so, the last line in these words.
refused() {
    local code=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr "$ISOLINK" "$@"
    [ "$status" -eq "$code" ] || { echo "status $status: $stderr"; return 1; }
    contains "$stderr" "isolink: $1: " "${words[@]}"
}

# twenty OPTIONS: a store s of 20 rows of three coordinates, d0 .. d19.
twenty() {
    "$ISOLINK" import "$BATS_FILE_TMPDIR/rows.jsonl" s -q --codec f32 "$@"
}

# flip FILE OFFSET: changes one byte.
flip() {
    local byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\x$(printf %02x $((byte ^ 1)))" |
        dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "info: a table and JSON" {
    S=$BATS_FILE_TMPDIR/f32
    run -0 "$ISOLINK" info "$S"
    contains "$output" "model       some-model" "rows        600" "dimension   48" \
        "codec       f32" "% of f32" "segments    1" "deleted     0"
    "$ISOLINK" info "$S" --json > info.json
    json_ok info.json
    json_has info.json schema '"isolink-info-1"'
    json_has info.json model '"some-model"'
    json_has info.json rows 600
    json_has info.json deleted 0
    bytes=$(cat "$S"/* | wc -c)
    json_has info.json bytes "$bytes"
}

@test "no store: every command says so" {
    mkdir folder
    for command in info get rm compact verify export; do
        args=()
        case $command in
        get | rm) args=(d1) ;;
        export) args=(out.npy) ;;
        esac
        refused 3 "missing: " "No such file" -- "$command" missing "${args[@]}"
        refused 3 "folder: no store" MANIFEST -- "$command" folder "${args[@]}"
        refused 3 "a.npy" -- "$command" "$BATS_FILE_TMPDIR/good/a.npy" "${args[@]}"
    done
    [ -z "$(ls -A folder)" ]
}

@test "usage of every command" {
    refused 2 "wants one store, got 0" -- info
    refused 2 "wants one store, got 2" -- compact a b
    refused 2 "wants at least one store" -- verify
    refused 2 "wants a store and ids" -- get s
    refused 2 "wants a store and ids" -- rm s
    refused 2 "wants a store and ids" -- rm --ids list.txt
    refused 2 "unknown option '--jsn'" "--json" -- info s --jsn
    for command in info verify get rm compact; do
        run -0 "$ISOLINK" "$command" --help
        [ "${lines[0]}" = Examples ]
        contains "$output" "Exit status: 0"
    done
    run -2 --separate-stderr "$ISOLINK" verfy s
    contains "$stderr" "did you mean 'verify'"
}

@test "get: JSONL in the order asked for, missing ids named, exit 3" {
    twenty
    run -0 --separate-stderr "$ISOLINK" get s d3 d1
    [ "${lines[0]}" = '{"id": "d3", "vector": [4,1,-2.5]}' ]
    [ "${lines[1]}" = '{"id": "d1", "vector": [2,1,-2.5]}' ]
    [ -z "$stderr" ]
    run -3 --separate-stderr "$ISOLINK" get s d3 x d1 y
    [ "${#lines[@]}" -eq 2 ]
    [ "${stderr_lines[0]}" = "isolink: get: s: no row with the id 'x'" ]
    [ "${stderr_lines[1]}" = "isolink: get: s: no row with the id 'y'" ]
    printf '%s\n' d4 d5 > ids.txt
    run -0 "$ISOLINK" get s --json d3 --ids ids.txt
    [ "${#lines[@]}" -eq 3 ]
    printf 'd4\r\nd5' | "$ISOLINK" get s --ids - | "$ISOLINK" import - part -q
    [ "$(rows_of part)" -eq 2 ]
    seq 30 | sed s/^/x/ > ids.txt
    run -3 --separate-stderr "$ISOLINK" get s --ids ids.txt
    [ "${#stderr_lines[@]}" -eq 11 ]
    contains "${stderr_lines[10]}" "no row with 30 of the ids, the first 10"
    refused 3 "none.txt" "No such file" -- get s --ids none.txt
    printf 'd4\n\nd5\n' > ids.txt
    refused 3 "ids.txt, line 2: empty id" -- get s --ids ids.txt
    run -1 bash -c '"$1" get s d3 2>&1 >/dev/full' _ "$ISOLINK"
    contains "$output" "isolink: get: " "No space left"
}

@test "rm: the rows are gone, the others stay, missing ids are named" {
    twenty
    run -0 --separate-stderr "$ISOLINK" rm s d3 d4
    [ "$stderr" = "removed     2 rows of s, which has 18 now" ]
    [ "$(rows_of s)" -eq 18 ]
    run -3 "$ISOLINK" get s d3
    run -3 --separate-stderr "$ISOLINK" rm s d3 d5
    contains "$stderr" "s: no row with the id 'd3'" "removed     1 rows"
    printf '%s\n' d6 d7 > ids.txt
    run -0 --separate-stderr "$ISOLINK" rm s -q --ids ids.txt d8
    [ -z "$stderr" ]
    [ "$(rows_of s)" -eq 14 ]
    printf 'd9\n\nd10\n' > ids.txt
    refused 3 "ids.txt, line 2: empty id" -- rm s --ids ids.txt
    [ "$(rows_of s)" -eq 14 ]
    "$ISOLINK" verify s
}

@test "a removed id comes back; compact frees the room and changes no value" {
    twenty
    "$ISOLINK" rm s -q d3 d4 d5
    sed -n 4p "$BATS_FILE_TMPDIR/rows.jsonl" > one.jsonl
    "$ISOLINK" import one.jsonl s -q --append
    [ "$(rows_of s)" -eq 18 ]
    "$ISOLINK" export s - -q | sort > before.txt
    run -0 "$ISOLINK" info s
    contains "$output" "segments    2" "deleted     3 rows still take room"
    run -0 --separate-stderr "$ISOLINK" compact s
    contains "$stderr" "s: 18 rows, 3 dropped; segments 1, before 2"
    run -0 "$ISOLINK" info s
    contains "$output" "segments    1" "deleted     0"
    "$ISOLINK" export s - -q | sort | cmp - before.txt
    "$ISOLINK" verify s
    run -0 --separate-stderr "$ISOLINK" compact s -q
    [ -z "$stderr" ]
}

@test "verify: sound stores, and what is said of them" {
    twenty
    run -0 --separate-stderr "$ISOLINK" verify s "$BATS_FILE_TMPDIR/f32"
    [ "${lines[0]}" = "s: sound" ]
    [ -z "$stderr" ]
    run -0 "$ISOLINK" verify -q s
    [ -z "$output" ]
    "$ISOLINK" verify s --json > verify.json
    json_ok verify.json
    json_has verify.json schema '"isolink-verify-1"'
    json_has verify.json sound true
}

@test "a byte of a segment is changed: verify names file and place, exit 4" {
    cp -r "$BATS_FILE_TMPDIR/f32" bad
    twenty
    seg=$(ls bad/*.seg)
    flip "$seg" 8000
    run -4 --separate-stderr "$ISOLINK" verify s bad
    [ "$output" = "s: sound" ]
    contains "${stderr_lines[0]}" "isolink: verify: $seg" "byte" "rows lost: "
    [ "${stderr_lines[-1]}" = "isolink: verify: bad: damaged, 1 fault" ]
    run -4 --separate-stderr "$ISOLINK" verify bad s missing --json
    echo "$output" > verify.json
    json_ok verify.json
    json_has verify.json sound false
    json_has verify.json sound true
    json_has verify.json file "\"[0-9]*.seg\"" || json_has verify.json file "\"$seg\""
    contains "$stderr" "missing"
    # The others stop at it, and say where.
    refused 4 "$seg" byte -- export bad out.npy
    [ ! -e out.npy ]
    refused 4 "$seg" byte -- link bad "$BATS_FILE_TMPDIR/f32" --seeds \
        "$BATS_FILE_TMPDIR/good/seeds.csv"
    [ ! -e links.csv ]
}

@test "a damaged manifest, a missing segment, a file cut short" {
    cp -r "$BATS_FILE_TMPDIR/f32" a
    flip a/MANIFEST 100
    refused 4 a/MANIFEST -- info a
    refused 4 a/MANIFEST -- verify a
    refused 4 a/MANIFEST -- import "$BATS_FILE_TMPDIR/good/a.npy" a --append
    cp -r "$BATS_FILE_TMPDIR/f32" b
    seg=$(ls b/*.seg)
    rm "$seg"
    refused 4 "$seg" -- info b
    refused 4 "$seg" -- verify b
    cp -r "$BATS_FILE_TMPDIR/f32" c
    seg=$(ls c/*.seg)
    truncate -s -100 "$seg"
    refused 4 "$seg" -- get c d1
    refused 4 "$seg" -- verify c
}

@test "locked: a second writer is told who writes, readers go on" {
    twenty
    mkfifo pipe
    "$ISOLINK" import pipe s --append --format jsonl -q 3>&- &
    pid=$!
    exec 5> pipe
    lines 100 101 >&5
    for _ in $(seq 100); do
        ! grep -q "$pid" s/LOCK || break
        sleep 0.1
    done
    refused 6 "s: locked by process $pid, which writes it" -- rm s d1
    refused 6 "s: locked by process $pid" -- compact s
    refused 6 "s: locked by process $pid" -- import "$BATS_FILE_TMPDIR/rows.jsonl" s \
        --append
    [ "$(rows_of s)" -eq 20 ]
    "$ISOLINK" get s d1
    "$ISOLINK" export s out.npy -q
    exec 5>&-
    wait "$pid"
    [ "$(rows_of s)" -eq 21 ]
    "$ISOLINK" rm s d1 -q
}

@test "a read-only file system: readers work, writers exit 1" {
    unshare -rm true 2>/dev/null || skip "no mount namespaces"
    twenty
    mkdir ro
    run -0 unshare -rm bash -c '
        mount -t tmpfs none ro && cp -r s ro/s && mount -o remount,ro none ro
        "$1" info ro/s >/dev/null || exit 90
        "$1" get ro/s d1 >/dev/null || exit 91
        "$1" verify ro/s || exit 92
        "$1" export ro/s out.npy -q || exit 93
        for command in "rm ro/s d1" "compact ro/s" "import $2 ro/s --append"; do
            # shellcheck disable=SC2086
            "$1" $command; echo "status $?"
        done' _ "$ISOLINK" "$BATS_FILE_TMPDIR/rows.jsonl"
    [ "$(grep -c "status 1" <<<"$output")" -eq 3 ]
    [ "$(grep -c "Read-only file system" <<<"$output")" -eq 3 ]
}

@test "link: f32 stores give the links of the files they came from, byte for byte" {
    "$ISOLINK" import "$DEMO/a.npy" a --ids "$DEMO/a.ids.txt" --codec f32 -q
    "$ISOLINK" import "$DEMO/b.npy" b --ids "$DEMO/b.ids.txt" --codec f32 -q
    link_demo -q -o files.csv
    for io in auto uring pread; do
        "$ISOLINK" link a b --seeds "$DEMO/seeds.csv" -q -o "$io.csv" --io "$io" 2>&1
        cmp "$io.csv" files.csv
    done
    # A store on one side, a file on the other.
    "$ISOLINK" link a "$DEMO/b.npy" --b-ids "$DEMO/b.ids.txt" --seeds "$DEMO/seeds.csv" \
        -q -o mixed.csv
    cmp mixed.csv files.csv
    run -0 "$ISOLINK" doctor a b --seeds "$DEMO/seeds.csv" --io pread
    contains "$output" verdict
}

# f1_of LINKS: F1 on demo, in hundredths of a point.
f1_of() {
    "$ISOLINK" eval "$1" "$DEMO/truth.csv" --seeds "$DEMO/seeds.csv" |
        awk '$1 == "F1" { printf "%d", $2 * 10000 }'
}

@test "link: i8 stores lose at most half a point of F1 on demo" {
    link_demo -q -o files.csv
    "$ISOLINK" import "$DEMO/a.npy" a --ids "$DEMO/a.ids.txt" -q
    "$ISOLINK" import "$DEMO/b.npy" b --ids "$DEMO/b.ids.txt" -q
    "$ISOLINK" link a b --seeds "$DEMO/seeds.csv" -q
    echo "$(f1_of files.csv) $(f1_of links.csv)"
    [ $(($(f1_of files.csv) - $(f1_of links.csv))) -le 50 ]
}

@test "link: JSONL with ids of its own, packed or not, one side from a pipe" {
    dir=$BATS_FILE_TMPDIR/good
    link_pair good -q -o files.csv
    "$ISOLINK" export "$BATS_FILE_TMPDIR/f32" a.jsonl -q
    "$ISOLINK" link a.jsonl "$dir/b.npy" --b-ids "$dir/b.ids.txt" --seeds \
        "$dir/seeds.csv" -q
    cmp links.csv files.csv
    "$ISOLINK" link - "$dir/b.npy" --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv" -q \
        < a.jsonl
    cmp links.csv files.csv
    refused 2 "only one of A and B can be standard input" -- link - - --seeds \
        "$dir/seeds.csv"
}

@test "link: a store has ids of its own; a directory that is no store; an odd id" {
    dir=$BATS_FILE_TMPDIR/good
    refused 2 "f32: a store has ids of its own: '--a-ids $dir/a.ids.txt' is for" -- \
        link "$BATS_FILE_TMPDIR/f32" "$dir/b.npy" --a-ids "$dir/a.ids.txt" \
        --seeds "$dir/seeds.csv"
    mkdir folder
    refused 3 "folder: a directory without the MANIFEST of a store" -- link folder \
        "$dir/b.npy" --seeds "$dir/seeds.csv"
    # A line end and a comma in an id: quoted as CSV does.
    "$ISOLINK" export "$BATS_FILE_TMPDIR/f32" a.jsonl -q
    seed=$(sed -n 2p "$dir/seeds.csv" | cut -d, -f1)
    grep -q "\"id\": \"$seed\"" a.jsonl
    sed "s/\"id\": \"$seed\"/\"id\": \"x\\\\n,y\"/" a.jsonl > odd.jsonl
    "$ISOLINK" import odd.jsonl odd -q --codec f32
    awk -F, -v seed="$seed" '$1 == seed { printf "\"x\n,y\",%s\n", $2; next } { print }' \
        "$dir/seeds.csv" > seeds.csv
    "$ISOLINK" link odd "$dir/b.npy" --b-ids "$dir/b.ids.txt" --seeds seeds.csv -q \
        2> messages.txt
    [ ! -s messages.txt ]
    grep -q '^"x$' links.csv
    link_pair good -q -o files.csv
    [ "$(wc -l < links.csv)" -eq $(($(wc -l < files.csv) + 1)) ]
}

@test "link: stores on fewer axes" {
    dir=$BATS_FILE_TMPDIR/good
    made pca --codec i8 --pca 75%
    "$ISOLINK" link "$BATS_FILE_TMPDIR/pca" "$dir/b.npy" --b-ids "$dir/b.ids.txt" \
        --seeds "$dir/seeds.csv" -q
    [ "$(count_origin links.csv link)" -ge 50 ]
}

@test "link: ids that no list of pairs can name are refused" {
    printf '{"id": "a\\u0000b", "vector": [1, 2]}\n' > rows.jsonl
    refused 3 "rows.jsonl, line 1" "NUL" -- import rows.jsonl s
}
