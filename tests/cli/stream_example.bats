#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# tools/examples/push_rows: events of a stream as lines, and what bench_stream refuses.

load common

EXAMPLE=$ISOLINK_BUILD/examples/push_rows
BENCH=$ISOLINK_BUILD/tools/bench_stream

# push_pair NAME STATE: streams a pair.
push_pair() {
    local dir=$BATS_FILE_TMPDIR/$1
    "$EXAMPLE" "$2" "$dir/a.npy" "$dir/b.npy" "$dir/seeds.csv" "$dir/a.ids.txt" \
        "$dir/b.ids.txt"
}

# standing FILES...: the pairs that the events leave standing, sorted. Fails when a number
# is missing, when what stands begins again, or when what does not stand ends.
standing() {
    cat "$@" | sed -E 's/^\{"seq":([0-9]+),"event":"([a-z]+)",/\1 \2 /
        s/"link_id":"[0-9a-f]{16}","a_id":"([^"]*)","b_id":"([^"]*)".*/\1 \2/' | awk '
        $1 != NR || NF != 4 { print "line " NR ": " $0; exit bad = 1 }
        ($2 == "link") == ($3 in partner) { print "unfit: " $0; exit bad = 1 }
        $2 == "retract" { delete partner[$3]; next }
        { partner[$3] = $4 }
        END { if (bad) exit 1; for (a in partner) print a "," partner[a] }' | sort
}

@test "the example prints events that add up, and goes on where it was" {
    pair good
    push_pair good state > events.jsonl 2> log
    while read -r line; do
        echo "$line" > one.json
        json_ok one.json
    done < <(sed -n '1p;$p' events.jsonl)
    standing events.jsonl > links
    [ "$(wc -l < links)" -gt 200 ]
    contains "$(tail -n 1 log)" " $(wc -l < links) links, " \
        "the last one is $(wc -l < events.jsonl)"
    # Most of them are right, the seeds among them.
    pair_dir=$BATS_FILE_TMPDIR/good
    tr -d '\r' < "$pair_dir/truth.csv" | tail -n +2 | sort > truth
    right=$(comm -12 links truth | wc -l)
    [ $((10 * right)) -ge $((9 * $(wc -l < links))) ]
    tail -n +2 "$pair_dir/seeds.csv" | sort | comm -23 - links > lost
    [ ! -s lost ]
    # Again: no row is pushed twice, and what is told goes on where it ended.
    push_pair good state > again.jsonl 2> log
    standing events.jsonl again.jsonl > both
    contains "$(tail -n 1 log)" "600 and 600 rows, $(wc -l < both) links, "
}

@test "the example names what it cannot read" {
    pair good
    run -2 "$EXAMPLE" state
    contains "$output" "usage: push_rows"
    dir=$BATS_FILE_TMPDIR/good
    run -1 --separate-stderr "$EXAMPLE" state "$dir/a.npy" nowhere.npy "$dir/seeds.csv"
    contains "$stderr" "push_rows: " "nowhere.npy"
    nothing_left
}

@test "bench_stream: small numbers of every part, as JSON too" {
    pair good
    mkdir states
    "$BENCH" "$BATS_FILE_TMPDIR/good" --dir states --draws 1 --arrivals 20 --batches 1 \
        --sizes 2000 --dim 192 --threads 1 --json bench.json > table 2> log
    json_ok bench.json
    for key in quality latency background growth; do
        grep -q "\"$key\": " bench.json
    done
    json_has bench.json scenario '"no refit"'
    json_has bench.json scenario '"refits"'
    json_has bench.json sync '"always"'
    json_has bench.json what '"while one runs"'
    # Every way to push the rows was timed, and links came of them.
    awk '$1 ~ /p50_(ms|us)/ { n++; bad += !($2 + 0 > 0) } END { exit bad || n < 7 }' \
        bench.json
    awk '$1 == "\"f1\":" { n++; bad += !($2 + 0 > 0.5) } END { exit bad || n < 4 }' \
        bench.json
    # Also of the generated pair.
    sed -n '/"growth": /,$p' bench.json > growth.json
    json_has growth.json refused false
    awk '$1 == "\"links\":" { exit !($2 + 0 > 100) }' growth.json
    contains "$(cat table)" "good no refit" "p99 while one runs: "
    [ -z "$(ls -A states)" ]
}

@test "bench_stream: options that are none, sets that are none" {
    for option in --base=1 --sizes=10 --sizes=3000,2000 --only=speed --memory=1T \
        --sync=never --arrivals=0 --draws=x; do
        run -2 --separate-stderr "$BENCH" "$option" "$DEMO"
        contains "$stderr" "bench_stream: ${option#*=}: no such value"
    done
    run -2 --separate-stderr "$BENCH"
    contains "$stderr" "sets: none"
    run -3 --separate-stderr "$BENCH" --only quality --dir . nowhere
    contains "$stderr" "nowhere/a.npy"
    nothing_left
    ISOLINK_DATA=$PWD/none run -2 --separate-stderr "$BENCH" --all "$DEMO"
    contains "$stderr" "takes no sets"
}
