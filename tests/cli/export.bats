#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# export: what comes out of a store, whole or not at all.

load common

setup_file() {
    made f32 --codec f32
}

# refused CODE WORDS... -- ARGS: export says so in one line.
refused() {
    local code=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr "$ISOLINK" export "$@"
    [ "$status" -eq "$code" ] || { echo "status $status: $stderr"; return 1; }
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
    contains "$stderr" "isolink: export: " "${words[@]}"
}

@test "npy: the bytes of before, and a line that says so" {
    S=$BATS_FILE_TMPDIR/f32
    run -0 --separate-stderr "$ISOLINK" export "$S" out.npy --ids ids.txt
    [ "$stderr" = "rows        600 x 48 f32 in out.npy, ids in ids.txt" ]
    cmp out.npy "$BATS_FILE_TMPDIR/good/a.npy"
    cmp ids.txt "$BATS_FILE_TMPDIR/good/a.ids.txt"
    "$ISOLINK" export "$S" - --format npy -q | cmp - out.npy
    for io in auto uring pread; do
        "$ISOLINK" export "$S" "$io.npy" -q --io "$io" 2>/dev/null
        cmp "$io.npy" out.npy
    done
}

@test "fvecs and jsonl come back as the same store" {
    S=$BATS_FILE_TMPDIR/f32
    "$ISOLINK" export "$S" out.fvecs -q --ids ids.txt
    "$ISOLINK" export "$S" out.jsonl -q
    [ "$(stat -c %s out.fvecs)" -eq $((600 * (4 + 48 * 4))) ]
    "$ISOLINK" import out.fvecs a -q --codec f32 --ids ids.txt
    "$ISOLINK" import out.jsonl b -q --codec f32
    "$ISOLINK" export "$S" - | "$ISOLINK" import - c -q --codec f32
    for store in a b c; do
        "$ISOLINK" export "$store" "$store.npy" -q --ids "$store.txt"
        cmp "$store.npy" "$BATS_FILE_TMPDIR/good/a.npy"
        cmp "$store.txt" "$BATS_FILE_TMPDIR/good/a.ids.txt"
    done
}

@test "jsonl is JSON, for every number and every id" {
    command -v python3 >/dev/null || skip "no python3"
    printf '%s\n' \
        '{"id": "a\"b\\c\u0001\u007f", "vector": [1e-45, -3.4028234e38, 0.1]}' \
        '{"id": "\u00e9\ud83d\ude00,", "vector": [1, 16777216, -1e-38]}' > in.jsonl
    "$ISOLINK" import in.jsonl s -q --codec f32
    "$ISOLINK" export s out.jsonl -q
    python3 - <<'END'
import json, struct
f32 = lambda x: struct.pack("<f", x)
for a, b in zip(open("in.jsonl"), open("out.jsonl"), strict=True):
    a, b = json.loads(a), json.loads(b)
    assert a["id"] == b["id"], (a, b)
    assert list(map(f32, a["vector"])) == list(map(f32, b["vector"])), (a, b)
END
    LC_ALL=de_DE.UTF-8 "$ISOLINK" export s - -q | cmp - out.jsonl
}

@test "an id that is no UTF-8 becomes id_hex" {
    lines 0 6 > rows.jsonl
    printf '\xff\xfe\n\xc3\xa9\n\xc0\x80\n\xed\xa0\x80\n\xf5\x80\x80\x80\nab\xc3\n' \
        > ids.txt
    "$ISOLINK" import rows.jsonl s -q --ids ids.txt
    "$ISOLINK" export s out.jsonl -q
    sed 's/, "vector.*//' out.jsonl > found.txt
    printf '%s\n' '{"id_hex": "fffe"' '{"id": "é"' '{"id_hex": "c080"' \
        '{"id_hex": "eda080"' '{"id_hex": "f5808080"' '{"id_hex": "6162c3"' | \
        cmp - found.txt
    "$ISOLINK" export s out.npy -q --ids back.txt
    cmp back.txt ids.txt
}

@test "an id with a line end stands in no list" {
    printf '{"id": "a\\nb", "vector": [1, 2]}\n' > rows.jsonl
    "$ISOLINK" import rows.jsonl s -q
    refused 3 "out.npy, row 0" "'a?b'" "line end" JSONL -- s out.npy --ids ids.txt
    [ ! -e out.npy ] && [ ! -e ids.txt ]
    run -0 "$ISOLINK" export s - -q
    contains "$output" '"a\u000ab"'
}

@test "formats: by name, by option, and not at all" {
    S=$BATS_FILE_TMPDIR/f32
    "$ISOLINK" export "$S" rows -q --format npy
    cmp rows "$BATS_FILE_TMPDIR/good/a.npy"
    rm rows
    refused 2 "rows.bin: no kind of file that can be written" .jsonl -- "$S" rows.bin
    refused 2 "a.npy.zst: no kind" -- "$S" a.npy.zst
    refused 2 "--format" "npy, fvecs or jsonl" "'csv'" -- "$S" rows --format csv
    refused 2 "--io" "auto, uring or pread" -- "$S" rows.npy --io fast
    refused 2 "wants a store and a file" "got 1" -- "$S"
    refused 2 "one file" -- "$S" rows.npy --ids rows.npy
    nothing_left
}

@test "no store: a file, a directory, nothing" {
    refused 3 missing "No such file" -- missing out.npy
    mkdir ../folder
    refused 3 folder "no store" -- ../folder out.npy
    refused 3 a.npy -- "$BATS_FILE_TMPDIR/good/a.npy" out.npy
    nothing_left
}

@test "outputs that cannot be written: exit 1, at once" {
    S=$BATS_FILE_TMPDIR/f32
    refused 1 nowhere/out.npy "No such file" -- "$S" nowhere/out.npy
    refused 1 "No such file" nowhere/ids -- "$S" out.npy --ids nowhere/ids
    refused 1 "Is a directory" -- "$S" ..
    nothing_left
    [ -c /dev/full ] || skip "no /dev/full"
    refused 1 "No space left" -- "$S" /dev/full --format npy
    run -1 bash -c '"$1" export "$2" - 2>&1 >/dev/full' _ "$ISOLINK" "$S"
    contains "$output" "isolink: export: " "No space left"
}

@test "a full disk leaves the old file" {
    unshare -rm true 2>/dev/null || skip "no mount namespaces"
    mkdir small
    run -0 --separate-stderr unshare -rm bash -c '
        mount -t tmpfs -o size=64k none small && echo old > small/out.npy
        "$1" export "$2" small/out.npy
        echo "status $?"
        ls -A small
        cat small/out.npy' _ "$ISOLINK" "$BATS_FILE_TMPDIR/f32"
    [ "${lines[0]}" = "status 1" ]
    [ "${lines[1]}" = out.npy ]
    [ "${lines[2]}" = old ]
}

@test "SIGINT: 130 and no file" {
    S=$BATS_FILE_TMPDIR/f32
    mkfifo pipe
    set -m
    "$ISOLINK" export "$S" pipe --format jsonl --ids ids.txt 2> messages.txt 3>&- &
    pid=$!
    set +m
    exec 5< pipe
    sleep 0.3
    kill -INT "$pid"
    cat <&5 > /dev/null
    status=0
    wait "$pid" || status=$?
    [ "$status" -eq 130 ]
    contains "$(cat messages.txt)" "ended by signal 2"
    [ ! -e ids.txt ]
}

@test "help starts with examples" {
    run -0 "$ISOLINK" export --help
    [ "${lines[0]}" = Examples ]
}
