#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# --memory and --scratch: the same links within a bound, refusals at once.

load common

setup_file() {
    pair good
}

# with OPTIONS: the demo with its ids, quietly, links in links.csv.
with() {
    "$ISOLINK" link "$DEMO/a.npy" "$DEMO/b.npy" --a-ids "$DEMO/a.ids.txt" \
        --b-ids "$DEMO/b.ids.txt" --seeds "$DEMO/seeds.csv" -q "$@"
}

@test "the links are the same bytes, the report says what was used" {
    with -o all.csv --json=all.json
    mkdir scratch
    # A sanitizer's own memory is beyond a small bound.
    local mib=128
    [ -z "${SAN:-}" ] || mib=8192
    with -o some.csv --json=some.json --memory "${mib}M" --scratch scratch
    cmp all.csv some.csv
    grep -q '"memory_limit_bytes": null' all.json
    grep -q '"scratch_bytes_max": 0' all.json
    grep -q "\"memory_limit_bytes\": $((mib << 20))," some.json
    local most peak
    most=$(awk '$1 == "\"scratch_bytes_max\":" { print $2 + 0 }' some.json)
    peak=$(awk '$1 == "\"peak_rss_bytes\":" { print $2 + 0 }' some.json)
    [ "$most" -gt 4000000 ]
    [ "$peak" -le $((mib << 20)) ]
    [ -z "$(ls -A scratch)" ]
}

@test "scratch files lie beside the links unless --scratch names a place" {
    mkdir out
    with -o out/links.csv --memory 8g
    [ "$(ls -A out)" = links.csv ]
    with -o - --memory 8192M --scratch . >links.csv
    cmp links.csv out/links.csv
}

@test "a size that is none, or too small" {
    local size
    for size in 0 1 127M 64K -5 12x 1.5G M '' 99999999999T; do
        run -2 --separate-stderr with -o links.csv --memory "$size"
        contains "$stderr" "option '--memory' wants a number of bytes as in 512M" \
            "at least 128M, got '$size'"
    done
    nothing_left
}

@test "a scratch directory that is not there, or a file" {
    run -1 --separate-stderr with -o links.csv --memory 8G --scratch nowhere
    contains "$stderr" "nowhere: cannot hold scratch files: No such file"
    run -1 --separate-stderr with -o links.csv --memory 8G --scratch "$DEMO/a.npy"
    contains "$stderr" "a.npy: cannot hold scratch files: Not a directory"
    nothing_left
}

@test "a scratch disk that is too small: exit 7, and nothing is left" {
    unshare -rm true 2>/dev/null || skip "no mount namespaces"
    mkdir tiny
    export -f with
    export ISOLINK DEMO
    run -7 --separate-stderr unshare -rm bash -c '
        mount -t tmpfs -o size=1500k none tiny &&
        with -o links.csv --memory 8G --scratch tiny'
    contains "$stderr" "tiny: " " MiB of scratch more: No space left on device" \
        "--scratch takes another directory"
    rmdir tiny
    nothing_left
}

# le32 NUMBER: its four bytes, the lowest first.
le32() {
    # shellcheck disable=SC2059
    printf "$(printf '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) \
        $(($1 >> 16 & 255)) $(($1 >> 24)))"
}

# narrow ROWS DIM: a .u8bin file of random bytes.
narrow() {
    le32 "$1"
    le32 "$2"
    head -c $(($1 * $2)) /dev/urandom
}

# number KEY FILE: of a line of JSON.
number() { awk -v key="\"$1\":" '$1 == key { print $2 + 0 }' "$2"; }

@test "import: long ids stay within the bound, the store is the same" {
    [ -z "${SAN:-}" ] || skip "a sanitizer's own memory is beyond a small bound"
    narrow 140000 4 > rows.u8bin
    seq -f '%01000.0f' 140000 > ids.txt
    "$ISOLINK" import rows.u8bin all -q --ids ids.txt --json > all.json
    mkdir scratch
    "$ISOLINK" import rows.u8bin some/ -q --ids ids.txt --json --memory 128M \
        --scratch scratch > some.json
    [ "$(number peak_rss_bytes all.json)" -gt $((150 << 20)) ]
    [ "$(number peak_rss_bytes some.json)" -le $((128 << 20)) ]
    [ "$(number scratch_bytes_max some.json)" -gt 10000000 ]
    json_has some.json memory_limit_bytes $((128 << 20))
    json_has all.json memory_limit_bytes null
    "$ISOLINK" export all all.npy -q --ids all.txt
    "$ISOLINK" export some some.npy -q --ids some.txt
    cmp all.npy some.npy
    cmp all.txt some.txt
    [ -z "$(ls -A scratch)" ]
    # More rows, of which each is looked up in all segments, and replaced ones.
    "$ISOLINK" import rows.u8bin some -q --ids ids.txt --json --memory 128M --append \
        --replace > again.json
    [ "$(number peak_rss_bytes again.json)" -le $((128 << 20)) ]
    [ "$(number replaced again.json)" -eq 140000 ]
}

@test "import: --pca within the bound takes the same axes" {
    [ -z "${SAN:-}" ] || skip "a sanitizer's own memory is beyond a small bound"
    narrow 9000 800 > rows.u8bin
    "$ISOLINK" import rows.u8bin all -q --codec f32 --pca 8 --json > all.json
    "$ISOLINK" import rows.u8bin some -q --codec f32 --pca 8 --json --memory 128M \
        > some.json
    [ "$(number peak_rss_bytes some.json)" -le $((128 << 20)) ]
    [ "$(number scratch_bytes_max some.json)" -gt 25000000 ]
    cmp all/basis some/basis
    "$ISOLINK" export all all.npy -q
    "$ISOLINK" export some some.npy -q
    cmp all.npy some.npy
}

@test "import: a bound that is too small is refused at once: exit 7 and what is needed" {
    narrow 5 4096 > wide.u8bin
    run -7 --separate-stderr "$ISOLINK" import wide.u8bin s --pca 50% --memory 512M
    contains "$stderr" "isolink: import: --pca of rows of 4096 coordinates: needs" \
        "'--memory 57" "got 512M"
    narrow 5 65536 > wide.u8bin
    run -7 --separate-stderr "$ISOLINK" import wide.u8bin s --memory 128M
    contains "$stderr" "an import of rows of 65536 coordinates: needs '--memory 22" \
        "got 128M"
    if [ -z "${SAN:-}" ]; then
        "$ISOLINK" import wide.u8bin s -q --memory 256M
        rm -r s
    fi
    run -2 --separate-stderr "$ISOLINK" import wide.u8bin s --memory 127M
    contains "$stderr" "'--memory'" "at least 128M"
    run -1 --separate-stderr "$ISOLINK" import wide.u8bin s --memory 8G --scratch nowhere
    contains "$stderr" "nowhere: cannot hold scratch files: No such file"
    rm wide.u8bin
    nothing_left
}

@test "import: a window of zstd that the bound has no room for: exit 7" {
    command -v zstd >/dev/null || skip "no zstd"
    lines 0 50 | zstd -q --long=27 > rows.jsonl.zst
    run -7 --separate-stderr "$ISOLINK" import rows.jsonl.zst s --memory 256M
    contains "$stderr" "rows.jsonl.zst, byte 0: a zstd frame with a window of more" \
        "a bound on memory of"
    [ "$(ls -A)" = rows.jsonl.zst ]
    "$ISOLINK" import rows.jsonl.zst s -q --memory 8G
    [ "$(rows_of s)" -eq 50 ]
}

@test "import: a scratch disk that is too small: exit 7, and nothing is left" {
    unshare -rm true 2>/dev/null || skip "no mount namespaces"
    mkdir tiny
    lines 0 50 > rows.jsonl
    run -7 --separate-stderr unshare -rm bash -c '
        mount -t tmpfs -o size=1500k none tiny &&
        "$1" import rows.jsonl s --memory 8G --scratch tiny' _ "$ISOLINK"
    contains "$stderr" "tiny: " " MiB of scratch more: No space left on device"
    rmdir tiny
    rm rows.jsonl
    nothing_left
}
