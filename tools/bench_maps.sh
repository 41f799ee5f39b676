#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a map is worth for rows that have no counterpart in the other store: every third
# document that both sides have (and that is no seed) is taken out of B, A is linked with
# what is left, a map is fitted on those links, and the rows of A that lost their
# counterpart are searched in B. Compared with what their own row of B finds there: the
# share of the first ten that both find. The oracle is a ridge map fitted on all true
# pairs, those that were taken out too.
#
#   tools/bench_maps.sh PROGRAM [SET...]     a folder with a.npy b.npy a.ids.txt b.ids.txt
#                                            seeds.csv truth.csv; [tests/data/demo]
set -eu
program=$(realpath "$1")
shift
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# -gt 0 ] || set -- "$root/tests/data/demo"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# store SIDE SET: an f32 store of the side.
store() {
    "$program" import "$2/$1.npy" "$work/$1.store" --ids "$2/$1.ids.txt" --codec f32 -q
}

# found STORE QUERY...: a line "query,id" for each of the ten best.
found() {
    "$program" search "$@" --no-progress | cut -d, -f1,3 | tail -n +2
}

# share NATIVE MAPPED: part of the pairs of NATIVE that stand in MAPPED, in percent.
share() {
    awk -F, 'FILENAME == ARGV[1] { native[$0] = 1; n++; next } native[$0] { both++ }
        END { printf "%.1f", 100 * both / n }' "$1" "$2"
}

printf '| set | queries | links | native and mapped | orthogonal | ridge | oracle | '
printf 'of the oracle |\n|---|---|---|---|---|---|---|---|\n'
for set in "$@"; do
    rm -rf "${work:?}"/*
    store a "$set"
    store b "$set"
    # Documents go by their id in A; ids hold no commas here.
    awk -F, 'FNR == 1 { next } FILENAME ~ /seeds/ { seed[$1] = 1; next }
        !seed[$1] && n++ % 3 == 0' "$set/seeds.csv" "$set/truth.csv" > "$work/out.csv"
    cut -d, -f1 "$work/out.csv" > "$work/a.txt"
    cut -d, -f2 "$work/out.csv" > "$work/b.txt"
    "$program" get "$work/a.store" --ids "$work/a.txt" > "$work/mapped.jsonl"
    # The native queries carry the ids of A.
    "$program" get "$work/b.store" --ids "$work/b.txt" |
        "$program" import - "$work/n.store" --codec f32 -q
    "$program" export "$work/n.store" "$work/n.npy" -q
    "$program" import "$work/n.npy" "$work/native.store" --ids "$work/a.txt" \
        --codec f32 -q
    "$program" map fit "$work/a.store" "$work/b.store" --links "$set/truth.csv" \
        --kind ridge -o "$work/oracle.ilm" -q
    "$program" rm "$work/b.store" --ids "$work/b.txt" -q
    "$program" link "$work/a.store" "$work/b.store" --seeds "$set/seeds.csv" -q \
        -o "$work/links.csv"
    found "$work/b.store" "$work/native.store" > "$work/native"
    for kind in auto orthogonal ridge oracle; do
        [ $kind = oracle ] || "$program" map fit "$work/a.store" "$work/b.store" \
            --links "$work/links.csv" --kind $kind -o "$work/$kind.ilm" -q
        found "$work/b.store" "$work/mapped.jsonl" --map "$work/$kind.ilm" \
            > "$work/$kind"
        share "$work/native" "$work/$kind" > "$work/$kind.share"
    done
    kind=$("$program" map info "$work/auto.ilm" | sed -n 's/^map  *\([a-z]*\).*/\1/p')
    printf '| %s | %d | %d | %s %% (auto: %s) | %s %% | %s %% | %s %% | %s %% |\n' \
        "$(basename "$set")" "$(wc -l < "$work/a.txt")" \
        "$(($(wc -l < "$work/links.csv") - 1))" "$(cat "$work/auto.share")" "$kind" \
        "$(cat "$work/orthogonal.share")" "$(cat "$work/ridge.share")" \
        "$(cat "$work/oracle.share")" \
        "$(awk 'NR == 1 { x = $1 } END { printf "%.1f", 100 * x / $1 }' \
            "$work/auto.share" "$work/oracle.share")"
done
