#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What codecs of a store cost in links: imports both sides of each set with every codec,
# links the stores, and prints F1, its difference from the f32 stores in points, and the
# bytes on disk of both stores beside those of the rows in f32.
#
#   tools/bench_codecs.sh PROGRAM [SET...]     (`make bench-codecs` builds it first)
#
# SET is a folder with a.npy, b.npy, a.ids.txt, b.ids.txt, seeds.csv and truth.csv; the
# default is tests/data/demo and what is in $ISOLINK_DATA, ../shared/data when not set.
# CODECS: which, as "f32 f16 i8 fp8 b1 i8+50%"; f32 comes first. THREADS: of link [2].
# DRAWS: of the seeds [1]: the first is seeds.csv, the others are as many pairs of
# truth.csv; with several, F1 and points are means, and the least and most points follow.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

isolink=${1:?usage: tools/bench_codecs.sh PROGRAM [SET...]}
shift
codecs=${CODECS:-f32 f16 i8 fp8 b1 i8+50%}
threads=${THREADS:-2}
draws=${DRAWS:-1}
data=${ISOLINK_DATA:-../shared/data}

stop() {
    echo "bench_codecs: $*" >&2
    exit 1
}

is_set() {
    [ -e "$1/a.npy" ] && [ -e "$1/b.npy" ] && [ -e "$1/truth.csv" ]
}

[ -x "$isolink" ] || stop "$isolink is not there; run: make cli"
sets=("$@")
if [ $# = 0 ]; then
    sets=(tests/data/demo)
    for folder in "$data"/*/; do
        # The demo lies there too, on some machines.
        if is_set "$folder" && [ "$(basename "$folder")" != demo ]; then
            sets+=("${folder%/}")
        fi
    done
fi
for set in "${sets[@]}"; do
    is_set "$set" || stop "$set: no a.npy, b.npy and truth.csv in it"
done

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# number KEY FILE: of a line "KEY": NUMBER in JSON.
number() { sed -n "s/^ *\"$1\": \([-0-9.e]*\),*\$/\1/p" "$2"; }

# seeds_of SET DRAW: prints the file of seeds of a draw, made where it is not there.
seeds_of() {
    local file=$out/seeds-$2.csv count
    if [ "$2" = 0 ]; then
        file=$1/seeds.csv
    elif [ ! -e "$file" ]; then
        count=$(($(wc -l <"$1/seeds.csv") - 1))
        awk -v draw="$2" -v count="$count" '
            BEGIN { srand(1000 + draw) }
            NR == 1 { print; next }
            { line[++n] = $0 }
            END { for (i = 1; i <= count && i <= n; i++) {
                j = i + int(rand() * (n - i + 1))
                print line[j]
                line[j] = line[i]
            } }' "$1/truth.csv" >"$file"
    fi
    echo "$file"
}

# link_stores SET SEEDS: links the stores; sets f1 (percent; "refused").
link_stores() {
    local code=0
    "$isolink" link "$out/a" "$out/b" --seeds "$2" -q -o "$out/links.csv" \
        --threads "$threads" 2>"$out/messages.txt" || code=$?
    if [ $code = 5 ]; then
        f1=refused
        return
    fi
    [ $code = 0 ] || stop "$1: $(tail -n 1 "$out/messages.txt")"
    "$isolink" eval "$out/links.csv" "$1/truth.csv" --seeds "$2" --json >"$out/eval.json"
    f1=$(awk -v f1="$(number f1 "$out/eval.json")" 'BEGIN { print 100 * f1 }')
}

# measure SET CODEC: sets f1s (one a draw), bytes, f32_bytes.
measure() {
    local side options=(--codec "${2%+*}") rows dim draw
    [ "${2#*+}" = "$2" ] || options+=(--pca "${2#*+}")
    bytes=0 f32_bytes=0
    for side in a b; do
        rm -rf "${out:?}/$side"
        "$isolink" import "$1/$side.npy" "$out/$side" --ids "$1/$side.ids.txt" -q \
            "${options[@]}"
        "$isolink" info "$out/$side" --json >"$out/info.json"
        rows=$(number rows "$out/info.json") dim=$(number dim "$out/info.json")
        bytes=$((bytes + $(number bytes "$out/info.json")))
        f32_bytes=$((f32_bytes + 4 * rows * dim))
    done
    f1s=
    for ((draw = 0; draw < draws; draw++)); do
        link_stores "$1" "$(seeds_of "$1" $draw)"
        f1s+="$f1 "
    done
}

printf '%-22s %-8s %12s %8s %9s %8s\n' set codec bytes '% of f32' F1 points
for set in "${sets[@]}"; do
    base=
    rm -f "$out"/seeds-*.csv
    for codec in $codecs; do
        measure "$set" "$codec"
        [ -n "$base" ] || base=$f1s
        awk -v set="$(basename "$set")" -v codec="$codec" -v bytes="$bytes" \
            -v f32="$f32_bytes" -v f1s="$f1s" -v base="$base" 'BEGIN {
                draws = split(f1s, f1)
                split(base, of)
                for (i = 1; i <= draws; i++) {
                    if (f1[i] == "refused")
                        continue
                    sum += f1[i]
                    known++
                    if (of[i] == "refused")
                        continue
                    points = f1[i] - of[i]
                    least = !both || points < least ? points : least
                    most = !both || points > most ? points : most
                    all += points
                    both++
                }
                printf "%-22s %-8s %12d %8.1f %9s %8s", set, codec, bytes,
                    100 * bytes / f32, known ? sprintf("%.2f", sum / known) : "refused",
                    both ? sprintf("%+.2f", all / both) : "-"
                if (draws > 1)
                    printf " %+.2f to %+.2f, %d of %d draws", least, most, both, draws
                print ""
            }'
    done
done
