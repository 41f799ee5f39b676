#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# Bad input: exit 3, one message that names file and place, nothing written.

load common

setup_file() {
    pair good
}

# refused NAME WORDS... : the last `run` said so in one line and left nothing.
refused() {
    [ "$status" -eq 3 ] || { echo "status $status"; echo "$output$stderr"; return 1; }
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    contains "$stderr" "isolink: link: " "$@"
    nothing_left
}

# bad_side FILE WORDS...: FILE as side A, then as side B.
bad_side() {
    local file=$1
    shift
    run --separate-stderr "$ISOLINK" link "$file" "$BATS_FILE_TMPDIR/good/b.npy" \
        --seeds "$BATS_FILE_TMPDIR/good/seeds.csv"
    refused "$(basename "$file")" "$@"
    run --separate-stderr "$ISOLINK" link "$BATS_FILE_TMPDIR/good/a.npy" "$file" \
        --seeds "$BATS_FILE_TMPDIR/good/seeds.csv"
    refused "$(basename "$file")" "$@"
}

# bad_npy DICT BYTES WORDS...
bad_npy() {
    mkvec npy ../bad.npy "$1" "$2"
    shift 2
    bad_side ../bad.npy "$@"
}

@test "no such file, a directory, an unknown kind" {
    bad_side ../missing.npy "No such file"
    mkdir ../folder.npy
    bad_side ../folder.npy directory
    echo 1,2 > ../rows.txt
    bad_side ../rows.txt .npy .fvecs .jsonl .csv .safetensors
}

@test "empty file" {
    : > ../bad.npy
    bad_side ../bad.npy
    : > ../bad.fbin
    bad_side ../bad.fbin
    : > ../bad.fvecs
    bad_side ../bad.fvecs
}

@test "truncated .npy, at every kind of place" {
    size=$(stat -c %s "$BATS_FILE_TMPDIR/good/a.npy")
    for keep in 1 5 6 8 9 10 50 127 128 129 1000 $((size - 1)); do
        head -c "$keep" "$BATS_FILE_TMPDIR/good/a.npy" > ../bad.npy
        bad_side ../bad.npy
    done
}

@test ".npy in Fortran order" {
    bad_npy "{'descr': '<f4', 'fortran_order': True, 'shape': (4, 8), }" 128 ortran
}

@test ".npy of objects, structures and complex numbers" {
    bad_npy "{'descr': '|O', 'fortran_order': False, 'shape': (4, 8), }" 128 object
    bad_npy "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (4, 8), }" 128
    bad_npy "{'descr': '<c8', 'fortran_order': False, 'shape': (4, 8), }" 256 "<c8"
}

@test ".npy that lies: beyond the file, beyond 64 bits, negative, 10^9 dims" {
    f4="{'descr': '<f4', 'fortran_order': False, 'shape':"
    bad_npy "$f4 (1000000, 8), }" 128
    bad_npy "$f4 (4294967296, 4294967296), }" 128
    bad_npy "$f4 (18446744073709551615, 8), }" 128
    bad_npy "$f4 (99999999999999999999999, 8), }" 128
    bad_npy "$f4 (-4, 8), }" 128
    bad_npy "$f4 (1, 1000000000), }" 128
    bad_npy "$f4 (32,), }" 128
    bad_npy "$f4 (2, 2, 8), }" 128
    bad_npy "$f4 (0, 8), }" 0
    bad_npy "$f4 (4, 0), }" 0
}

@test ".npy with bytes left over" {
    bad_npy "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 8), }" 129
}

@test ".npy whose header is no dict, or whose magic is wrong" {
    bad_npy "__import__('os').system('true')" 128
    bad_npy "{'descr': '<f4', 'shape': (4, 8), }" 128
    printf 'PK\003\004 not numpy at all, but long enough' > ../bad.npy
    bad_side ../bad.npy
}

@test ".fbin and .fvecs that lie" {
    printf '\004\000\000\000\002\000\000\000abcd' > ../bad.fbin
    bad_side ../bad.fbin
    printf '\377\377\377\377\377\377\377\377abcd' > ../bad.fbin
    bad_side ../bad.fbin
    printf '\002\000\000\000abcdefgh\003\000\000\000abcdefgh' > ../bad.fvecs
    bad_side ../bad.fvecs
    printf '\377\377\377\377abcdefgh' > ../bad.fvecs
    bad_side ../bad.fvecs
    printf '\002\000\000\000abcd' > ../bad.fvecs
    bad_side ../bad.fvecs
}

bad_ids() {
    run --separate-stderr link_pair good --a-ids ../ids.txt
    refused ids.txt "$@"
}

@test "ids of another length, repeated, empty, too long" {
    ids=$BATS_FILE_TMPDIR/good/a.ids.txt
    head -n 599 "$ids" > ../ids.txt
    bad_ids 599 600
    { cat "$ids"; echo one-more; } > ../ids.txt
    bad_ids 600
    { head -n 599 "$ids"; head -n 1 "$ids"; } > ../ids.txt
    bad_ids "$(head -n 1 "$ids")" 600
    { head -n 300 "$ids"; echo; tail -n 299 "$ids"; } > ../ids.txt
    bad_ids 301
    { head -n 599 "$ids"; head -c 1025 /dev/zero | tr '\0' x; } > ../ids.txt
    bad_ids 600
    rm ../ids.txt
    bad_ids "No such file"
}

bad_seeds() {
    run --separate-stderr link_pair good --seeds ../seeds.csv
    refused seeds.csv "$@"
}

@test "seeds: no file, one column, an open quote" {
    bad_seeds "No such file"
    printf 'a_id,b_id\nd1,d1\nd2\n' > ../seeds.csv
    bad_seeds 3
    printf 'a_id,b_id\nd1,d1\n"d2,d2\n' > ../seeds.csv
    bad_seeds
}

@test "a bad file is found at once, not after an allocation of its promises" {
    mkvec npy ../bad.npy \
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000, 60000), }" 64
    export ISOLINK
    bash -c 'ulimit -v 4000000 && "$ISOLINK" --version' ||
        skip "no address space limit, or a sanitizer needs more"
    ulimit -v 4000000
    run --separate-stderr timeout 5 "$ISOLINK" link ../bad.npy ../bad.npy --seeds x.csv
    refused bad.npy
}

@test "eval: files that are missing or no CSV" {
    printf 'a_id,b_id\nx,y\n' > ../truth.csv
    run -3 --separate-stderr "$ISOLINK" eval missing.csv ../truth.csv
    contains "$stderr" "isolink: eval: " missing.csv
    printf 'a_id,b_id\nx\n' > ../links.csv
    run -3 --separate-stderr "$ISOLINK" eval ../links.csv ../truth.csv
    contains "$stderr" "isolink: eval: " links.csv 2
    [ -z "$output" ]
}

@test "doctor: a bad file" {
    printf 'x' > ../bad.npy
    run -3 --separate-stderr "$ISOLINK" doctor ../bad.npy "$BATS_FILE_TMPDIR/good/b.npy"
    contains "$stderr" "isolink: doctor: " bad.npy
    [ -z "$output" ]
}
