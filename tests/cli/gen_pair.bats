#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# tools/gen_pair: pairs that can be linked, the same bytes everywhere, what it refuses.

load common

GEN=$ISOLINK_BUILD/tools/gen_pair

# usage WORDS... -- ARGS...: exit 2, the words on standard error, nothing written.
usage() {
    local words=()
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run -2 --separate-stderr "$GEN" "$@"
    [ -z "$output" ]
    contains "$stderr" "gen_pair: " "${words[@]}"
    nothing_left
}

small() { "$GEN" --rows-a 300 --rows-b 410 --dim-a 24 --dim-b 37 "$@"; }

@test "equal options give equal bytes, on every machine" {
    # A block is 256 rows: both sides have a full one and a part, and 37 is no multiple of
    # what the tile takes. The sums hold for every compiler and instruction set.
    small --seed 7 f4
    small --seed 7 --dtype f2 f2
    "$GEN" --aligned --rows 100 --dim 16 --bend 2 --twins 0.5 aligned
    run cksum f4/{a,b}.npy f4/{truth,seeds}.csv f2/{a,b}.npy aligned/{a,b}.npy
    echo "$output"
    [ "${lines[0]}" = "2409193054 28928 f4/a.npy" ]
    [ "${lines[1]}" = "2758957770 60808 f4/b.npy" ]
    [ "${lines[2]}" = "3713744376 674 f4/truth.csv" ]
    [ "${lines[3]}" = "2709908397 125 f4/seeds.csv" ]
    [ "${lines[4]}" = "2276159447 14528 f2/a.npy" ]
    [ "${lines[5]}" = "856265107 30468 f2/b.npy" ]
    [ "${lines[6]}" = "4290866141 6528 aligned/a.npy" ]
    [ "${lines[7]}" = "3673159035 6528 aligned/b.npy" ]
}

@test "threads change nothing, another seed number does" {
    "$GEN" --rows 2000 --dim 16 --threads 1 one
    "$GEN" --rows 2000 --dim 16 --threads 7 seven
    "$GEN" --rows 2000 --dim 16 --seed 1 other
    for file in a.npy b.npy truth.csv seeds.csv; do
        cmp one/$file seven/$file
        run -1 cmp -s one/$file other/$file
    done
    run -1 cmp -s one/a.npy one/b.npy
}

@test "sizes, types and pairs are those asked for" {
    small --overlap 0.5 --seeds 40 p
    [ "$(stat -c %s p/a.npy)" -eq $((128 + 300 * 24 * 4)) ]
    [ "$(stat -c %s p/b.npy)" -eq $((128 + 410 * 37 * 4)) ]
    [ "$(head -n 1 p/truth.csv)" = a_id,b_id ]
    [ "$(wc -l < p/truth.csv)" -eq 151 ]
    [ "$(wc -l < p/seeds.csv)" -eq 41 ]
    # Each seed is a true pair, no row has two partners, rows are in range.
    [ "$(sort p/seeds.csv p/truth.csv | uniq -d | wc -l)" -eq 41 ]
    [ "$(tail -n +2 p/truth.csv | cut -d, -f1 | sort -u | wc -l)" -eq 150 ]
    [ "$(tail -n +2 p/truth.csv | cut -d, -f2 | sort -u | wc -l)" -eq 150 ]
    awk -F, 'NR > 1 && ($1 >= 300 || $2 >= 410) { exit 1 }' p/truth.csv
    small --dtype f2 --overlap 0 --seeds 0 q
    [ "$(stat -c %s q/b.npy)" -eq $((128 + 410 * 37 * 2)) ]
    [ "$(wc -l < q/truth.csv)" -eq 1 ]
    # Our own reader finds both types sound: no bad, zero or repeated row.
    for dir in p q; do
        "$ISOLINK" doctor $dir/a.npy $dir/b.npy --json --quiet > doctor.json
        json_has doctor.json not_finite 0
        json_has doctor.json zero 0
        json_has doctor.json duplicates 0
    done
}

@test "two bytes a coordinate are the four rounded" {
    small f4
    small --dtype f2 f2
    command -v python3 >/dev/null || skip "python3 is missing"
    python3 - <<'EOP'
import struct
for side, rows, dim in (("a", 300, 24), ("b", 410, 37)):
    wide = open(f"f4/{side}.npy", "rb").read()[128:]
    half = open(f"f2/{side}.npy", "rb").read()[128:]
    values = struct.unpack(f"<{rows * dim}f", wide)
    assert struct.pack(f"<{rows * dim}e", *values) == half, side
EOP
}

@test "the pair can be linked, but not perfectly" {
    "$GEN" --rows 2000 --dim 192 --seed 3 p
    "$ISOLINK" link p/a.npy p/b.npy --seeds p/seeds.csv --quiet -o links.csv
    "$ISOLINK" eval links.csv p/truth.csv --seeds p/seeds.csv --json > eval.json
    cat eval.json
    awk -F '[:,]' '/"f1"/ { exit !($2 > 0.6 && $2 < 0.97) }' eval.json
}

@test "--aligned: bench_quality cuts pairs from it" {
    "$GEN" --aligned --rows 1500 --dim 64 whole
    [ "$(wc -l < whole/ids.txt)" -eq 1500 ]
    [ ! -e whole/truth.csv ]
    run -0 --separate-stderr "$ISOLINK_BUILD/tools/bench_quality" \
        --cut whole:0.5:900 --draws 1
    contains "$output" whole
}

@test "what is wrong with a command line" {
    usage "one folder" --
    usage "one folder" -- x y
    usage "unknown option '--rosw'" -- --rosw 5 x
    usage "no value for '--rows'" -- --rows
    usage "'--rows' wants a number from 1 to" "got '0'" -- --rows 0 x
    usage "'--rows-a' wants" "got '-5'" -- --rows-a -5 x
    usage "'--rows-b' wants" "got '1e3'" -- --rows-b 1e3 x
    usage "'--seed' wants" "got '99999999999999999999'" -- \
        --seed 99999999999999999999 x
    usage "'--dim' wants a number from 1 to 16384" -- --dim 16385 x
    usage "'--latent' wants" -- --latent 0 x
    for bad in -0.1 1.01 nan inf 0x1 "" 1e-3 .; do
        usage "'--overlap' wants a number from 0 to 1, got '$bad'" -- --overlap "$bad" x
    done
    usage "'--noise' wants a number from 0 to 100" -- --noise 101 x
    usage "'--dtype' wants f4 or f2, got 'f8'" -- --dtype f8 x
    usage "'--seeds' wants at most the 3 shared documents, got 15" -- --rows 10 x
    usage "'--aligned'" -- --aligned --overlap 0.5 x
    usage "'--aligned'" -- --aligned --rows-a 9 x
}

@test "--help names every option; a folder that cannot be made" {
    run -0 --separate-stderr "$GEN" --help
    [ -z "$stderr" ]
    for option in rows rows-a rows-b overlap dim dim-a dim-b latent clusters bend noise \
        twins seeds seed dtype aligned threads; do
        contains "$output" "--$option"
    done
    touch file
    run -1 "$GEN" file/x
    contains "$output" "gen_pair: file/x: "
}
