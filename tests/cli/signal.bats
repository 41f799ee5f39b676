#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# Signals: 128 + number, no output file, no temporary file.

load common

setup_file() {
    # Long enough to be interrupted on any machine.
    pair long --rows-a 30000 --rows-b 30000 --shared 12000 --dim-a 96 --dim-b 96
}

# interrupted SIGNAL STATUS [OPTIONS OF timeout]
interrupted() {
    local signal=$1 wanted=$2 dir=$BATS_FILE_TMPDIR/long
    shift 2
    SECONDS=0
    run --separate-stderr timeout -k 60 -s "$signal" --preserve-status "$@" 1.5 \
        "$ISOLINK" link "$dir/a.npy" "$dir/b.npy" --a-ids "$dir/a.ids.txt" \
        --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv" --threads 2
    [ "$status" -eq "$wanted" ] || { echo "status $status: $stderr"; return 1; }
    contains "$stderr" "isolink: link: ended by signal"
    [ -z "$output" ]
    nothing_left
    [ "$SECONDS" -le 15 ]
}

@test "SIGINT: 130" {
    interrupted INT 130 --foreground
}

@test "SIGTERM: 143" {
    interrupted TERM 143 --foreground
}

@test "a signal that arrives twice at once counts once" {
    # timeout without --foreground signals the process and then its group.
    interrupted INT 130
}

@test "an interrupted run leaves an existing output as it was" {
    echo old > links.csv
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir -p other && cd other || return 1
    interrupted INT 130 --foreground
    [ "$(cat ../empty/links.csv)" = old ]
}

@test "a second signal ends at once" {
    dir=$BATS_FILE_TMPDIR/long
    # Nobody writes to the pipe: the run waits for it, a signal only sets the flag.
    mkfifo ids.txt
    set -m
    "$ISOLINK" link "$dir/a.npy" "$dir/b.npy" --a-ids ids.txt --seeds "$dir/seeds.csv" \
        2> messages.txt 3>&- &
    pid=$!
    set +m
    sleep 1
    kill -INT "$pid"
    sleep 0.5
    kill -0 "$pid"
    kill -INT "$pid"
    status=0
    wait "$pid" || status=$?
    [ "$status" -eq 130 ]
    [ ! -e links.csv ]
}

@test "doctor is interrupted too" {
    dir=$BATS_FILE_TMPDIR/long
    run --separate-stderr timeout -k 60 -s INT --foreground --preserve-status 0.1 \
        "$ISOLINK" doctor "$dir/a.npy" "$dir/b.npy" --a-ids "$dir/a.ids.txt" \
        --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv"
    [ "$status" -eq 130 ]
    [ -z "$output" ]
}
