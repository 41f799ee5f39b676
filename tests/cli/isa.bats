#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# Equal bytes on every instruction set of this machine and with any number of threads: a
# small pair, because ref is slow.

load common

setup_file() {
    pair small --rows-a 200 --rows-b 220 --shared 120
}

# isas: the instruction sets of this machine, the portable one first.
isas() {
    local isa
    for isa in ref avx2 avx512 neon; do
        if ISOLINK_ISA=$isa "$ISOLINK" --version 2>/dev/null |
            grep -q "instruction set $isa "; then
            echo "$isa"
        fi
    done
}

# everywhere OPTIONS: the same bytes everywhere, and links among them.
everywhere() {
    local isa threads
    for isa in $(isas); do
        for threads in 1 2 3; do
            ISOLINK_ISA=$isa link_pair small -q -o "$isa-$threads.csv" \
                --threads "$threads" "$@"
            cmp ref-1.csv "$isa-$threads.csv"
        done
    done
    [ "$(count_origin ref-1.csv link)" -ge 40 ]
}

@test "the machine's best instruction set is among those compared" {
    "$ISOLINK" --version > version.txt
    best=$(sed -n 's/^instruction set \([a-z0-9]*\).*/\1/p' version.txt)
    contains " $(isas | tr '\n' ' ')" " ref " " $best "
}

@test "geh" {
    everywhere
}

@test "geh-published" {
    everywhere --method geh-published --views 4
}

@test "doctor" {
    dir=$BATS_FILE_TMPDIR/small
    for isa in $(isas); do
        for threads in 1 2 3; do
            ISOLINK_ISA=$isa "$ISOLINK" doctor "$dir/a.npy" "$dir/b.npy" --a-ids \
                "$dir/a.ids.txt" --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv" \
                --threads "$threads" --json > report.json
            grep -v '"seconds"\|"isa"\|"threads"\|"peak_rss_bytes"' report.json \
                > "$isa-$threads.json"
            cmp ref-1.json "$isa-$threads.json"
        done
    done
    json_has ref-1.json usable 15
}
