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
