#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# The daemon: growing files, signals, two of them, metrics, slow readers.

load common
load tail_common

setup_file() {
    jsonl_pair
}

teardown() {
    [ -z "${pid:-}" ] || kill -KILL "$pid" 2> /dev/null || true
}

begin() {
    local dir=$BATS_FILE_TMPDIR
    head -n "${1:-400}" "$dir/a.jsonl" > a.jsonl
    head -n "${1:-400}" "$dir/b.jsonl" > b.jsonl
}

@test "rows that are appended are linked; SIGTERM ends with 0" {
    local dir=$BATS_FILE_TMPDIR
    begin
    daemon --events events.jsonl --close
    wait_until 20 has_rows b 400
    tail -n 200 "$dir/b.jsonl" >> b.jsonl
    # Half a line is no row yet.
    tail -n 200 "$dir/a.jsonl" | head -c 100 >> a.jsonl
    wait_until 20 has_rows b 600
    has_rows a 400
    tail -n 200 "$dir/a.jsonl" | tail -c +101 >> a.jsonl
    wait_until 20 has_rows a 600
    "$ISOLINK" status live > status.txt
    grep -q "daemon      process $pid, since" status.txt
    kill -TERM "$pid"
    ended 0
    pid=
    "$ISOLINK" status live | grep -q "none runs"
    "$ISOLINK" links live -o links.csv
    f1_at_least links.csv 0.95
    seqs_are_whole events.jsonl
    "$ISOLINK" links live --since 0 | cmp - events.jsonl
}

@test "a second daemon on the same state ends with 6" {
    begin
    daemon
    wait_until 20 has_rows a 400
    run -6 "$ISOLINK" tail --state live a.jsonl b.jsonl --once
    contains "$output" "$pid"
    kill -INT "$pid"
    ended 0
    pid=
}

@test "signals: bootstrap, status, a new configuration, an old one that stays" {
    local dir=$BATS_FILE_TMPDIR
    begin 600
    echo "bootstrap-after = 50%" > tail.conf
    daemon --config tail.conf --log-json
    wait_until 20 grep -q 'bootstrap 1 took' log.txt
    kill -USR1 "$pid"
    wait_until 20 grep -q 'bootstrap 2 took' log.txt
    kill -USR2 "$pid"
    wait_until 5 grep -q '"level":"info","msg":"status: rows a=600 b=600' log.txt
    printf 'bootstrap-after = 40%%\nthreads = none\n' > tail.conf
    kill -HUP "$pid"
    wait_until 5 grep -q 'tail.conf, line 2: option' log.txt
    grep -q "the old configuration stays" log.txt
    echo "codec = i8" > tail.conf
    kill -HUP "$pid"
    wait_until 5 grep -q "'codec' cannot change" log.txt
    echo "bootstrap-after = 40%" > tail.conf
    kill -HUP "$pid"
    wait_until 10 grep -q "the state was opened anew" log.txt
    head -n 50 "$dir/a.jsonl" | sed 's/"id": "/"id": "again-/' >> a.jsonl
    wait_until 20 has_rows a 650
    mv log.txt log.jsonl
    while read -r line; do
        printf '%s\n' "$line" > line.json
        json_ok line.json
    done < log.jsonl
    kill -TERM "$pid"
    ended 0
    pid=
}

@test "a second SIGINT ends at once" {
    [ "${SAN:-}" != thread ] || skip "a handler waits until open() returns there"
    begin
    # Nobody writes to the pipe: seeds are read before anything else.
    mkfifo seeds.csv
    set -m
    "$ISOLINK" tail --state live a.jsonl b.jsonl --seeds seeds.csv 2> log.txt 3>&- &
    pid=$!
    set +m
    sleep 0.5
    kill -INT "$pid"
    sleep 0.4
    kill -0 "$pid"
    kill -INT "$pid"
    ended 130
    pid=
}

@test "events on standard output: a slow reader, and one that leaves" {
    begin 600
    mkfifo pipe
    exec 4<> pipe
    set -m
    "$ISOLINK" tail --state live a.jsonl b.jsonl --events - \
        --seeds "$BATS_FILE_TMPDIR/good/seeds.csv" > pipe 2> log.txt 3>&- 4>&- &
    pid=$!
    set +m
    wait_until 20 has_rows b 600
    wait_until 20 grep -q 'bootstrap 1 took' log.txt
    timeout 2 cat pipe > events.jsonl || true
    seqs_are_whole events.jsonl
    [ "$(wc -l < events.jsonl)" -gt 200 ]
    # The last one that could read leaves: it ends by itself at the next event.
    exec 4>&-
    kill -USR1 "$pid"
    sed -n 1p a.jsonl | sed 's/\[/[9/' >> a.jsonl
    ended 0
    pid=
}

@test "metrics over a unix socket" {
    command -v curl > /dev/null || skip "curl is missing"
    begin
    daemon --metrics "unix:$PWD/sock"
    sleep 0.3
    grep -q 'this build has no metrics' log.txt && { pid=; skip "no libmicrohttpd"; }
    wait_until 20 has_rows b 400
    sleep 0.3
    curl -s --unix-socket sock http://x/metrics > metrics.txt
    grep -q '^isolink_arrivals_total{side="a"} 400$' metrics.txt
    grep -q '^isolink_arrival_seconds_count 800$' metrics.txt
    kill -TERM "$pid"
    ended 0
    pid=
    [ ! -e sock ]
}

# Ends a test on ./small, which is a file system of its own.
unmount() {
    [ -z "${pid:-}" ] || kill -KILL "$pid" 2> /dev/null || true
    umount -l small
}

@test "a disk that fills up: what is there stays, it goes on with room" {
    [ "$(id -u)" = 0 ] || skip "needs a file system of its own"
    mkdir small
    mount -t tmpfs -o size=4m tmpfs small 2> /dev/null || skip "cannot mount"
    local dir=$BATS_FILE_TMPDIR
    begin 600
    head -c 4000000 /dev/zero > small/filler
    set -m
    "$ISOLINK" tail --state small/live a.jsonl b.jsonl --seeds "$dir/good/seeds.csv" \
        --batch 16 --close 2> log.txt 3>&- &
    pid=$!
    set +m
    wait_until 20 grep -q "make room" log.txt || { unmount; return 1; }
    "$ISOLINK" status small/live > /dev/null || { unmount; return 1; }
    rm small/filler
    wait_until 30 grep -q "open again, going on" log.txt || { unmount; return 1; }
    sleep 1
    kill -TERM "$pid"
    ended 0 || { unmount; return 1; }
    pid=
    "$ISOLINK" links small/live -o links.csv
    "$ISOLINK" verify small/live/a.store small/live/b.store || { unmount; return 1; }
    unmount
    f1_at_least links.csv 0.95
}
