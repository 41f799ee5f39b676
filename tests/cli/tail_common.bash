# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# What the tests of tail share.

# jsonl_pair: the pair `good` as a.jsonl and b.jsonl of $BATS_FILE_TMPDIR.
jsonl_pair() {
    local dir=$BATS_FILE_TMPDIR side
    pair good
    for side in a b; do
        "$ISOLINK" import "$dir/good/$side.npy" "$dir/$side.store" \
            --ids "$dir/good/$side.ids.txt" --codec f32 -q
        "$ISOLINK" export "$dir/$side.store" "$dir/$side.jsonl" -q
    done
}

# tail_good OPTIONS: tail over that pair, state ./live.
tail_good() {
    "$ISOLINK" tail --state live "$BATS_FILE_TMPDIR/a.jsonl" "$BATS_FILE_TMPDIR/b.jsonl" \
        --seeds "$BATS_FILE_TMPDIR/good/seeds.csv" "$@"
}

# f1_at_least LINKS X
f1_at_least() {
    "$ISOLINK" eval "$1" "$BATS_FILE_TMPDIR/good/truth.csv" \
        --seeds "$BATS_FILE_TMPDIR/good/seeds.csv" |
        awk -v x="$2" '$1 == "F1" { print; if ($2 >= x) good = 1 } END { exit !good }'
}

# seqs_are_whole FILE: its lines are events 1, 2, ... without gaps.
seqs_are_whole() {
    sed 's/^{"seq":\([0-9]*\),.*}$/\1/' "$1" | awk '$0 != NR {
        print "line " NR ": " $0; exit 1 }'
}

# wait_until SECONDS COMMAND...: tries it ten times a second.
wait_until() {
    local tries=$(($1 * 10))
    shift
    while [ $tries -gt 0 ]; do
        "$@" && return 0
        sleep 0.1
        tries=$((tries - 1))
    done
    echo "did not happen: $*"
    return 1
}

# daemon OPTIONS: tail over ./a.jsonl and ./b.jsonl in the background; sets pid.
daemon() {
    set -m # so that it does not begin with SIGINT ignored
    "$ISOLINK" tail --state live a.jsonl b.jsonl \
        --seeds "$BATS_FILE_TMPDIR/good/seeds.csv" "$@" >> out.txt 2>> log.txt 3>&- &
    pid=$!
    set +m
}

# ended WANTED: the daemon ends with this status.
ended() {
    local got=0
    wait "$pid" || got=$?
    [ "$got" -eq "$1" ] || { echo "status $got"; cat log.txt; return 1; }
}

# has_rows SIDE N: as the state has it, a daemon running or not.
has_rows() { [ "$(rows_of "live/$1.store" 2> /dev/null)" = "$2" ]; }
