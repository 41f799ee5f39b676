#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The demo of streaming: the rows of tests/data/demo are appended in random order to two
# files that `isolink tail` follows; at the end the links are held against the truth, and
# against those of one `isolink link` over everything.
#
#   tools/demo_stream.sh PROGRAM [SECONDS]   (`make demo-stream` does what comes before)
set -eu

isolink=${1:?usage: tools/demo_stream.sh path/to/isolink [SECONDS]}
seconds=${2:-12}
data=tests/data/demo
out=build/demo-stream
pid=

rm -rf "$out"
mkdir -p "$out"

# stop: ends a daemon that still runs, as Ctrl-C does.
stop() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 130' INT TERM

# shuffled SIDE: its rows, those of the known pairs first (they are old acquaintances),
# the others in an order that is random but always the same.
shuffled() {
    awk -v column="$([ "$1" = a ] && echo 1 || echo 2)" 'BEGIN { srand(7) }
        NR == FNR { split($0, id, ","); known["{\"id\": \"" id[column] "\""] = 1; next }
        { printf "%.9f\t%s\n", substr($0, 1, index($0, ",") - 1) in known ? 0 : rand(), $0
        }' $data/seeds.csv "$out/$1.rows.jsonl" | LC_ALL=C sort -k 1,1 | cut -f 2-
}

for side in a b; do
    "$isolink" import $data/$side.npy "$out/$side.store" --ids $data/$side.ids.txt \
        --codec f32 -q
    "$isolink" export "$out/$side.store" "$out/$side.rows.jsonl" -q
    shuffled "$side" >"$out/$side.shuffled.jsonl"
    : >"$out/$side.jsonl"
done
rows=$(wc -l <"$out/a.shuffled.jsonl")

# Half of the rows at once, then the others bit by bit on both sides.
feed() {
    local steps=$((seconds * 10)) base=$((rows / 2)) done_rows side next
    for side in a b; do
        head -n "$base" "$out/$side.shuffled.jsonl" >>"$out/$side.jsonl"
    done
    done_rows=$base
    sleep 3
    for ((i = 1; i <= steps; i++)); do
        next=$((base + (rows - base) * i / steps))
        for side in a b; do
            sed -n "$((done_rows + 1)),${next}p" "$out/$side.shuffled.jsonl" \
                >>"$out/$side.jsonl"
        done
        done_rows=$next
        sleep 0.1
    done
}

# waiting: until the daemon has taken all rows of both files.
waiting() {
    local tries all
    for ((tries = 0; tries < 300; tries++)); do
        all=$("$isolink" status "$out/live" --json 2>/dev/null |
            grep -cx "    \"rows\": $rows,") || true
        [ "$all" != 2 ] || return 0
        sleep 0.1
    done
    echo "demo-stream: the daemon did not take $rows rows of each side in time" >&2
    exit 1
}

echo "Two stores of Debian packages again, $rows rows each, but now they grow: half is" \
    "there, the rest"
echo "comes in random order within $seconds seconds. Each row is linked when it comes."
echo
echo "\$ isolink tail --state live a.jsonl b.jsonl --seeds seeds.csv --close" \
    "--events events.jsonl"
"$isolink" tail --state "$out/live" "$out/a.jsonl" "$out/b.jsonl" \
    --seeds $data/seeds.csv --close --events "$out/events.jsonl" --progress &
pid=$!
feed
waiting
"$isolink" links "$out/live" -o "$out/before.csv"
kill -TERM "$pid"
code=0
wait "$pid" || code=$?
pid=
[ "$code" = 0 ] || { echo "demo-stream: the daemon ended with $code" >&2; exit 1; }
"$isolink" links "$out/live" -o "$out/links.csv"
"$isolink" link "$out/a.store" "$out/b.store" --seeds $data/seeds.csv -q \
    -o "$out/whole.csv"

# judge FILE: precision, recall and F1.
judge() {
    "$isolink" eval "$1" $data/truth.csv --seeds $data/seeds.csv |
        awk '/^(precision|recall|F1) / { printf "%9.4f", $2 } END { print "" }'
}
happened() { grep -c "\"event\":\"$1\"" "$out/events.jsonl" || true; }

echo
echo "$(happened link) links were made on the way and $(happened retract) retracted;" \
    "every event stands in $out/events.jsonl."
echo
printf '%-44s%9s%9s%9s\n' "" precision recall F1
printf '%-44s%s\n' "live, when the last row had come" "$(judge "$out/before.csv")"
printf '%-44s%s\n' "after the closing bootstrap" "$(judge "$out/links.csv")"
printf '%-44s%s\n' "'isolink link' over all rows at once" "$(judge "$out/whole.csv")"
awk -v x="$(judge "$out/links.csv" | awk '{ print $3 }')" \
    -v y="$(judge "$out/whole.csv" | awk '{ print $3 }')" 'BEGIN {
    d = x - y
    if (d < 0) d = -d
    printf "\nThe last two F1 differ by %.2f points%s.\n", 100 * d,
        d <= 0.01 ? "" : ", wanted at most 1"
    exit d > 0.01
}'
