#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The second decoder of the small files of a store, tools/decode_store.py, on the golden
# files, and the examples of the specifications. test_store_golden gives it fresh stores.

load common

GOLDEN=$DATA/store
DECODE=$ROOT/tools/decode_store.py

# golden NAME: makes NAME.bin of the dump.
golden() {
    python3 - "$GOLDEN/$1.hex" "$1.bin" <<'EOP'
import sys
lines = open(sys.argv[1]).read().splitlines()
data = bytearray(int(lines[0].split()[1]))
for line in lines[1:]:
    place, text = line.split("  ")
    bits = bytes.fromhex(text)
    data[int(place, 16):int(place, 16) + len(bits)] = bits
open(sys.argv[2], "wb").write(data)
EOP
}

setup_file() { command -v python3 >/dev/null || skip "python3 is missing"; }

# lines NAME LINE...: the decoder prints these lines.
lines() {
    golden "$1"
    run -0 --separate-stderr "$DECODE" "$1.bin"
    shift
    diff <(printf '%s\n' "$@") <(echo "$output")
}

@test "the examples of the specifications are the golden files" {
    diff <(sed -n 's/^    \(bytes [0-9]*\|[0-9a-f]\{8\}  .*\)$/\1/p' \
        "$ROOT/formats/manifest.md") \
        <(cat "$GOLDEN"/{manifest,del,basis}.hex)
    diff <(sed -n 's/^    \(bytes [0-9]*\|[0-9a-f]\{8\}  .*\)$/\1/p' \
        "$ROOT/formats/log.md") "$GOLDEN/log.hex"
}

@test "golden files of a store decode to what was written" {
    lines manifest "manifest: generation=9 codec=3 dim=5 stored_dim=2 model=m-1 \
uuid=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa log=7 synced=288 next=8" \
        "segment 2: rows=3 deleted=0 seal=0123456789abcdef deletions=0" \
        "segment 4: rows=200 deleted=2 seal=fedcba9876543210 deletions=6"
    lines del "deletions: segment=4 rows=200 0 130"
    lines basis "basis: dim=5 stored_dim=2 sum=42d013a19aedf252"
    lines log "log 7: dim=3 records=3 tail=0" 'put "a" 1.0 0.5 -2.0' 'remove "a"' \
        'put "doc-2" 3.0 4.0 0.0'
}

@test "damage is found, a torn tail is told" {
    golden log
    # The first record: the second commit says that it was synced.
    printf x | dd of=log.bin bs=1 seek=100 conv=notrunc status=none
    run -4 "$DECODE" log.bin
    contains "$output" "damaged: byte 64 of the log: no record, one at 152"
    golden log
    truncate -s 280 log.bin
    run -0 "$DECODE" log.bin
    contains "$output" "records=1 tail=128"
    golden manifest
    printf x | dd of=manifest.bin bs=1 seek=50 conv=notrunc status=none
    run -4 "$DECODE" manifest.bin
    contains "$output" "damaged: checksum of the manifest"
    run -2 "$DECODE"
}
