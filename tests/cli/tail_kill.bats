#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
# A daemon that is killed again and again, and one that gets signals of all kinds. FULL=1
# in the environment: 500 kills, 10 minutes of signals.

load common
load tail_common

setup_file() {
    jsonl_pair
    tail_good --once --close --state "$BATS_FILE_TMPDIR/whole" 2> /dev/null
    "$ISOLINK" links "$BATS_FILE_TMPDIR/whole" -o "$BATS_FILE_TMPDIR/whole.csv"
}

teardown() {
    [ -z "${pid:-}" ] || kill -KILL "$pid" 2> /dev/null || true
}

# more STEP STEPS: the rows of one step of so many are appended to both sources.
more() {
    local dir=$BATS_FILE_TMPDIR side
    local first=$(($1 * 600 / $2 + 1)) last=$((($1 + 1) * 600 / $2))
    [ "$first" -gt "$last" ] && return
    for side in a b; do
        sed -n "$first,${last}p" "$dir/$side.jsonl" >> $side.jsonl
    done
}

# catches BIT: the daemon has a handler of the signal with this bit.
catches() {
    local caught
    [ "$(cat "/proc/$pid/comm")" = isolink ] || return 1
    caught=$(awk '$1 == "SigCgt:" { print $2 }' "/proc/$pid/status")
    [ $((0x$caught & $1)) -ne 0 ]
}
USR1=0x200 INT=0x2

# The state is brought to its end: all events are there, once, and the links are those of
# a daemon that was left alone.
check_state() {
    local dir=$BATS_FILE_TMPDIR
    "$ISOLINK" tail --state live a.jsonl b.jsonl --seeds "$dir/good/seeds.csv" --once \
        --close --events events.jsonl 2>> log.txt
    seqs_are_whole events.jsonl
    "$ISOLINK" links live --since 0 | cmp - events.jsonl
    "$ISOLINK" verify live/a.store live/b.store
    "$ISOLINK" links live -o links.csv
    cmp links.csv "$dir/whole.csv"
}

@test "kill -9 anywhere: no event is lost or doubled, the links are the same" {
    local kills=${FULL:+500} killed=0 step
    kills=${kills:-8}
    : > a.jsonl
    : > b.jsonl
    RANDOM=1
    for ((step = 0; step < kills; step++)); do
        more "$step" "$kills"
        daemon --batch 7 --bootstrap-rows 80 --events events.jsonl
        sleep "0.$((RANDOM % 6))$((RANDOM % 100 + 100))"
        kill -KILL "$pid"
        # It landed: by itself the daemon never ends.
        wait "$pid" 2> /dev/null || [ $? -ne 137 ] || killed=$((killed + 1))
    done
    pid=
    echo "$killed of $kills killed"
    [ "$killed" -eq "$kills" ]
    check_state
}

@test "signals of all kinds at any time: it goes on, or ends in order" {
    local seconds=${FULL:+600} step=0 got ends=0
    local kinds=(USR1 USR1 USR2 HUP WINCH CONT PIPE URG CHLD STOP TERM INT)
    seconds=${seconds:-4}
    : > a.jsonl
    : > b.jsonl
    RANDOM=2
    more 0 40
    daemon --batch 7 --bootstrap-rows 80 --events events.jsonl
    wait_until 20 catches $USR1
    local last=$((SECONDS + seconds))
    while [ "$SECONDS" -lt "$last" ]; do
        local kind=${kinds[RANDOM % ${#kinds[@]}]}
        # A program that is started with SIGINT ignored leaves it so.
        [ "$kind" != INT ] || catches $INT || continue
        [ $((RANDOM % 8)) -ne 0 ] || [ $step -ge 39 ] || more $((++step)) 40
        kill -"$kind" "$pid"
        case $kind in
        STOP)
            sleep 0.05
            kill -CONT "$pid"
            ;;
        TERM | INT)
            got=0
            wait "$pid" || got=$?
            # Two of them in a row end it at once; here there is one.
            [ "$got" -eq 0 ] || { echo "$kind: status $got"; tail log.txt; return 1; }
            ends=$((ends + 1))
            daemon --batch 7 --bootstrap-rows 80 --events events.jsonl
            wait_until 20 catches $USR1
            ;;
        *) sleep "0.0$((RANDOM % 10))" ;;
        esac
    done
    kill -TERM "$pid"
    ended 0
    pid=
    echo "$ends ends"
    while [ $step -lt 39 ]; do more $((++step)) 40; done
    check_state
}
