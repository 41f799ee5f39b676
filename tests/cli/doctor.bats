#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink doctor: what it counts, and its verdict.

load common

setup_file() {
    pair good
}

doctor_pair() {
    local dir=$BATS_FILE_TMPDIR/$1
    shift
    "$ISOLINK" doctor "$dir/a.npy" "$dir/b.npy" --a-ids "$dir/a.ids.txt" \
        --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv" "$@"
}

@test "a good pair: go, with what it is based on, on standard output" {
    run -0 --separate-stderr doctor_pair good
    [ -z "$stderr" ]
    contains "$output" "rows" "600" "dimension" "48" "64" "f32" "hubness" \
        "15 given, 15 usable" "verdict     go" "based on"
}

@test "as JSON" {
    doctor_pair good --json > doctor.json
    json_ok doctor.json
    json_has doctor.json schema '"isolink-doctor-1"'
    json_has doctor.json verdict '"go"'
    json_has doctor.json usable 15
}

@test "without seeds: the data alone" {
    dir=$BATS_FILE_TMPDIR/good
    run -0 "$ISOLINK" doctor "$dir/a.npy" "$dir/b.npy"
    contains "$output" verdict
    lacks "$output" usable
    "$ISOLINK" doctor "$dir/a.npy" "$dir/b.npy" --json > doctor.json
    json_has doctor.json seeds null
}

@test "bad and repeated rows are counted" {
    dir=$BATS_FILE_TMPDIR/good
    cp "$dir/a.npy" .
    mkvec poke a.npy 1 nan
    mkvec poke a.npy 2 0
    mkvec poke a.npy 3 0.5
    mkvec poke a.npy 4 0.5
    "$ISOLINK" doctor a.npy "$dir/b.npy" --json > doctor.json
    json_has doctor.json not_finite 1
    json_has doctor.json zero 1
    json_has doctor.json duplicates 1
}

@test "no-go: exit 5" {
    pair unrelated --unrelated
    run -5 --separate-stderr doctor_pair unrelated
    contains "$output" "verdict     no-go"
    run -5 --separate-stderr doctor_pair unrelated --json
    contains "$output" '"verdict": "no-go"'
}

@test "left-out seeds are warned of" {
    { cat "$BATS_FILE_TMPDIR/good/seeds.csv"; echo nobody,nothing; } > seeds.csv
    run --separate-stderr doctor_pair good --seeds seeds.csv
    contains "$stderr" "isolink: doctor: warning: " "1 with a missing id"
    contains "$output" "16 given, 15 usable"
}
