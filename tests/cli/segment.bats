#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
# The second decoder of segments, tools/decode_segment.py, on the golden files, and the
# example of the specification. test_segment_golden gives it fresh files.

load common

GOLDEN=$DATA/segment
DECODE=$ROOT/tools/decode_segment.py

# golden NAME: makes NAME.seg of the dump.
golden() {
    python3 - "$GOLDEN/$1.hex" "$1.seg" <<'EOP'
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

# rows NAME ROW...: the decoder prints these lines.
rows() {
    local name=$1
    shift
    golden "$name"
    run -0 --separate-stderr "$DECODE" "$name.seg"
    diff <(printf '%s\n' "$@") <(echo "$output")
}

@test "the example of segment.md is the golden file" {
    diff <(sed -n 's/^    \(bytes [0-9]*\|[0-9a-f]\{8\}  .*\)$/\1/p' \
        "$ROOT/formats/segment.md") "$GOLDEN/f32.hex"
}

@test "golden files decode to their rows" {
    local e=$'"\xc3\xa9""x"'
    rows f32 '"a",5.0,3.0,4.0,0.0,0.0,0.0' \
        '"doc-2",2.423840045928955,1.0,-0.5,0.25,0.75,-2.0' \
        "$e,16.194135665893555,0.0,0.001953125,-7.0,9.0,11.5"
    rows f16 '"a",5.0,3.0,4.0,0.0,0.0,0.0' \
        '"doc-2",2.423840045928955,1.0,-0.5,0.25,0.75,-2.0' \
        "$e,16.194135665893555,0.0,0.001953125,-7.0,9.0,11.5"
    rows b1 '"a",5.0,1,1,-1,-1,-1' \
        '"doc-2",2.423840045928955,1,-1,1,1,-1' \
        "$e,16.194135665893555,-1,1,-1,1,1"
    # Scales 2^-6, 2^-7 and 2^-5; 11.5 is 368 of them and lies half way.
    rows e4m3 '"a",5.0,3.0,4.0,0.0,0.0,0.0' \
        '"doc-2",2.423840045928955,1.0,-0.5,0.25,0.75,-2.0' \
        "$e,16.194135665893555,0.0,0.001953125,-7.0,9.0,12.0"
    # The norm is that of the whole row; basis (x - 1) = x0 - 1, (x1 + x2) / 2 - 1.
    rows basis '"a",5.0,2.0,1.0' \
        '"doc-2",2.423840045928955,0.0,-1.125' \
        "$e,16.194135665893555,-1.0,-4.4990234375"
}

@test "scales of i8 are applied" {
    golden i8
    "$DECODE" i8.seg > rows.csv
    awk -F, 'NR == 1 { d = $3 - 95 * 4 / 127; if (d * d > 1e-12 || $4 - 4 > 1e-6) exit 1 }
        END { exit NR != 3 }' rows.csv
}

@test "--summary; zstd; usage; damage" {
    golden f32
    run -0 "$DECODE" --summary f32.seg
    contains "$output" codec=f32 dim=5 rows=3 chunks=1 uuid=aaaa model=000102 \
        "chunk 0: offset=4096 bytes=1280 packing=0"
    golden zstd
    run -0 "$DECODE" --summary zstd.seg
    contains "$output" "packing=2"
    if command -v zstd >/dev/null; then
        "$DECODE" zstd.seg > rows.csv
        [ "$(head -n 1 rows.csv | cut -d, -f3-5)" = 3.0,4.0,0.0 ]
        [ "$(wc -l < rows.csv)" -eq 3 ]
    fi
    # Without the program: said so, no rows, exit code 3.
    local python
    python=$(python3 -c 'import sys; print(sys.executable)')
    run -3 --separate-stderr env PATH="$PWD" "$python" "$DECODE" zstd.seg
    [ -z "$output" ]
    contains "$stderr" "rows of 1 chunks are left out" "no program zstd"
    run -2 "$DECODE"
    printf x | dd of=f32.seg bs=1 seek=8256 conv=notrunc status=none
    run -4 "$DECODE" f32.seg
    contains "$output" "f32.seg: damaged: table"
    : > empty.seg
    run -4 "$DECODE" empty.seg
}
