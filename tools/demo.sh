#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo: links the two small stores of tests/data/demo and holds the links against the
# truth.
#
#   tools/demo.sh PROGRAM        (`make demo` does all that comes before)
set -eu

isolink=${1:?usage: tools/demo.sh path/to/isolink}
data=tests/data/demo
out=build/demo
mkdir -p "$out"

rows() { wc -l <"$1" | tr -d ' '; }
pairs() { awk 'NR > 1 && NF' "$1" | wc -l | tr -d ' '; }

rows_a=$(rows $data/a.ids.txt)
rows_b=$(rows $data/b.ids.txt)
echo "Two stores of Debian packages: $rows_a vectors of one model, $rows_b of another;" \
    "$(pairs $data/truth.csv) packages are in both."
echo "isolink is told $(pairs $data/seeds.csv) of these pairs and looks for the others" \
    "in the vectors alone."
echo

run() {
    echo "\$ isolink $*"
    "$isolink" "$@"
    echo
}

run link $data/a.npy $data/b.npy --a-ids $data/a.ids.txt --b-ids $data/b.ids.txt \
    --seeds $data/seeds.csv -o "$out/links.csv"
run eval "$out/links.csv" $data/truth.csv --seeds $data/seeds.csv

# Six links spread from the best to the middle and the last four, which lie at the
# threshold. Package names hold no comma and no quote, so the CSV can be split at commas.
echo "Ten of the links, from the surest to the last accepted one:"
echo
awk -F, '
    { sub(/\r$/, "") }
    FNR == 1 {
        file++
        for (i = 1; i <= NF; i++) column[file, $i] = i
        next
    }
    file == 1 { truth[$1] = $2; next }
    $(column[2, "origin"]) != "seed" {
        n++
        a[n] = $1; b[n] = $2
        posterior[n] = $(column[2, "posterior"])
        votes[n] = $(column[2, "votes"]) " of " $(column[2, "opportunities"])
    }
    function width(text, least) { return length(text) > least ? length(text) : least }
    END {
        if (n == 0) { print "  no links"; exit }
        for (i = 0; i < 6; i++) pick[++picks] = 1 + int(i * n / 10)
        for (i = 3; i >= 0; i--) pick[++picks] = n - i
        wa = length("document of A"); wb = length("linked document of B")
        for (i = 1; i <= picks; i++) {
            p = pick[i]
            if (p <= pick[i - 1]) continue  # fewer than ten links
            shown[++show] = p
            wa = width(a[p], wa); wb = width(b[p], wb)
        }
        row = "  %6s  %-" wa "s  %-" wb "s  %9s  %10s  %s\n"
        printf row, "link", "document of A", "linked document of B", "posterior", \
            "votes", "truth"
        for (i = 1; i <= show; i++) {
            p = shown[i]
            mark = !(a[p] in truth) ? "wrong (A alone has it)" : \
                truth[a[p]] == b[p] ? "right" : "wrong"
            printf row, p, a[p], b[p], posterior[p], votes[p], mark
        }
    }' $data/truth.csv "$out/links.csv"
echo
echo "All links, best first: $out/links.csv"
