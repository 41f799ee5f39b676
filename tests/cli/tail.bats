#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# tail --once, status, links, replay: what a state holds, and what is refused.

load common
load tail_common

setup_file() {
    jsonl_pair
}

@test "once: rows are linked, the next time nothing is new" {
    local dir=$BATS_FILE_TMPDIR
    run -0 --separate-stderr tail_good --once --events events.jsonl
    [ -z "$output" ]
    contains "$stderr" "level=info" "bootstrap 1 took"
    "$ISOLINK" links live -o links.csv
    [ "$(head -n 1 links.csv)" = a_id,b_id,posterior,link_id,origin ]
    [ "$(count_origin links.csv seed)" -eq 15 ]
    f1_at_least links.csv 0.95
    # The state, its log and the file tell the same.
    "$ISOLINK" links live --since 0 | cmp - events.jsonl
    seqs_are_whole events.jsonl
    cp events.jsonl before.jsonl
    run -0 tail_good --once --events events.jsonl
    cmp events.jsonl before.jsonl
    contains "$output" "arrivals=0"
}

@test "close: the links depend on rows and seeds alone" {
    local dir=$BATS_FILE_TMPDIR
    tail_good --once --close 2> log.txt
    "$ISOLINK" links live -o once.csv
    # The other order, in pieces, with restarts between them.
    for part in 150 400 600; do
        tac "$dir/a.jsonl" | head -n $part > a.jsonl
        tac "$dir/b.jsonl" | head -n $((part / 2)) > b.jsonl
        "$ISOLINK" tail --state other a.jsonl b.jsonl --seeds "$dir/good/seeds.csv" \
            --once --batch 37 --bootstrap-rows 100 2>> log.txt
    done
    tac "$dir/b.jsonl" > b.jsonl
    "$ISOLINK" tail --state other a.jsonl b.jsonl --seeds "$dir/good/seeds.csv" --once \
        --close 2>> log.txt
    "$ISOLINK" links other -o other.csv
    cmp once.csv other.csv
}

@test "status and replay read a state that nobody has" {
    tail_good --once --events events.jsonl 2> log.txt
    run -0 "$ISOLINK" status live
    contains "$output" "rows A      600 x" "none runs; the last was" "15 seeds"
    "$ISOLINK" status live --json > status.json
    json_ok status.json
    json_has status.json schema '"isolink-status-1"'
    json_has status.json running false
    json_has status.json lag_bytes 0
    last=$(wc -l < events.jsonl)
    run -0 --separate-stderr "$ISOLINK" replay live --until 15
    [ "$(printf '%s\n' "$output" | wc -l)" -eq 16 ]
    contains "$stderr" "15 stood at event 15"
    "$ISOLINK" replay live -q > all.csv
    "$ISOLINK" links live | cmp - all.csv
    "$ISOLINK" replay live -q --until "$last" --format jsonl > all.jsonl
    [ "$(wc -l < all.jsonl)" -eq $(($(wc -l < all.csv) - 1)) ]
    run -3 "$ISOLINK" replay live --until $((last + 1))
    contains "$output" "its last event is $last, wanted one up to $((last + 1))"
    [ "$("$ISOLINK" links live --since $((last - 2)) | wc -l)" -eq 2 ]
}

@test "the events file: a torn line is mended, a strange file is refused" {
    tail_good --once --events events.jsonl 2> log.txt
    cp events.jsonl whole.jsonl
    # Cut in the middle of a line, and at its end.
    for bytes in 2000 $(($(head -n 7 whole.jsonl | wc -c))) 5 0; do
        head -c "$bytes" whole.jsonl > events.jsonl
        tail_good --once --events events.jsonl 2>> log.txt
        cmp events.jsonl whole.jsonl
    done
    rm events.jsonl
    tail_good --once --events events.jsonl 2>> log.txt
    cmp events.jsonl whole.jsonl
    echo 'a_id,b_id' > events.jsonl
    run -3 tail_good --once --events events.jsonl
    contains "$output" "its last line" "wanted a file that 'isolink tail' wrote"
    [ "$(cat events.jsonl)" = a_id,b_id ]
    sed 's/^{"seq":[0-9]*/{"seq":99999/' whole.jsonl > events.jsonl
    run -3 tail_good --once --events events.jsonl
    contains "$output" "its last event is 99999" "wanted a file of this state"
}

@test "a source of another dimension pauses, the other one goes on" {
    local dir=$BATS_FILE_TMPDIR
    head -n 400 "$dir/a.jsonl" > a.jsonl
    cp "$dir/b.jsonl" b.jsonl
    run -0 "$ISOLINK" tail --state live a.jsonl b.jsonl --seeds "$dir/good/seeds.csv" \
        --once
    echo '{"id": "odd", "vector": [1, 2, 3]}' >> a.jsonl
    tail -n 200 "$dir/a.jsonl" >> a.jsonl
    head -n 3 "$dir/b.jsonl" | sed 's/"id": "/"id": "again-/' >> b.jsonl
    run -3 "$ISOLINK" tail --state live a.jsonl b.jsonl --once
    contains "$output" "a.jsonl: is paused" 3
    "$ISOLINK" status live --json > status.json
    json_has status.json rows 603
    json_has status.json state '"paused"'
    # Mended, it goes on with the row behind those that were taken.
    { head -n 400 "$dir/a.jsonl"; tail -n 200 "$dir/a.jsonl"; } > a.jsonl
    run -0 "$ISOLINK" tail --state live a.jsonl b.jsonl --once
    [ "$(rows_of live/a.store)" -eq 600 ]
}

@test "a source that is not there" {
    local dir=$BATS_FILE_TMPDIR
    run -3 "$ISOLINK" tail --state live none.jsonl "$dir/b.jsonl" \
        --seeds "$dir/good/seeds.csv" --once
    contains "$output" "none.jsonl: is missing"
    [ ! -e live ]
}

@test "rows that are zero are counted, rows that come again replace" {
    local dir=$BATS_FILE_TMPDIR
    cp "$dir/a.jsonl" a.jsonl
    sed -n '2p' "$dir/a.jsonl" | sed 's/\[.*/[/' | tr -d '\n' > zero.jsonl
    sed -n '2p' "$dir/a.jsonl" | grep -o , | sed 's/.*/0,/' | tr -d '\n' >> zero.jsonl
    sed -i 's/0,$/0]}/' zero.jsonl
    echo >> zero.jsonl
    { cat zero.jsonl; sed -n 3p "$dir/a.jsonl"; } >> a.jsonl
    run -0 "$ISOLINK" tail --state live a.jsonl "$dir/b.jsonl" \
        --seeds "$dir/good/seeds.csv" --once
    contains "$output" "rows a=600 b=600" "refused=1"
}

@test "no bootstrap from these seeds: --close says so with 5" {
    local dir=$BATS_FILE_TMPDIR
    # The partners of all seeds, turned by one.
    { head -n 1 "$dir/good/seeds.csv"
      paste -d, <(tail -n +2 "$dir/good/seeds.csv" | cut -d, -f1) \
          <(tail -n +2 "$dir/good/seeds.csv" | cut -d, -f2 | sed -n '1h;2,$p;${x;p}')
    } > wrong.csv
    run -5 "$ISOLINK" tail --state live "$dir/a.jsonl" "$dir/b.jsonl" --seeds wrong.csv \
        --once --close
    contains "$output" "cannot bootstrap"
    "$ISOLINK" links live -o links.csv
    only_seeds links.csv 15
}

@test "a file of options, and the line that is wrong in it" {
    local dir=$BATS_FILE_TMPDIR
    printf '%s\n' '# test' 'state = live' "seeds = $dir/good/seeds.csv" 'once = yes' \
        'bootstrap-after = 30%' '[a]' "source = $dir/a.jsonl" '[b]' \
        "source = \"$dir/b.jsonl\"" 'format = jsonl' > tail.conf
    run -0 "$ISOLINK" tail --config tail.conf
    [ "$(rows_of live/b.store)" -eq 600 ]
    for line in 'sedes = x|unknown key .sedes.; did you mean .seeds.' \
        'threads = many|option .threads. wants a number from 0 to 256' \
        'once = maybe|wants true, false, yes or no' \
        'bootstrap-after = 20 %|wants a share' 'sync = never|wants always' \
        'metrics = 0.0.0.0:80|wanted 127.0.0.1:PORT' 'config = x|unknown key' \
        'state = other|stands in line 1 already'; do
        printf 'state = live\n\n%s\n' "${line%%|*}" > bad.conf
        run -2 "$ISOLINK" tail --config bad.conf
        contains "$output" "bad.conf, line 3: "
        [[ $output =~ ${line##*|} ]] || { echo "$output"; return 1; }
    done
    # The command line wins.
    run -2 "$ISOLINK" tail --config tail.conf --state ""
    contains "$output" "needs --state"
}

@test "wrong command lines" {
    run -2 "$ISOLINK" tail --state live a.jsonl
    contains "$output" "wants two sources"
    run -2 "$ISOLINK" tail a b --seeds s
    contains "$output" "needs --state DIR"
    run -2 "$ISOLINK" tail --state live a b
    contains "$output" "a new state needs --seeds"
    run -2 "$ISOLINK" tail --state live - - --seeds s
    contains "$output" "are the same"
    run -2 "$ISOLINK" tail --state live a b --seeds s --log-level loud
    contains "$output" "wants error, warning, info or debug"
    run -2 "$ISOLINK" tail --state live a b --seeds s --sync interval=x
    run -3 "$ISOLINK" tail --state live a b --seeds none.csv --once
    run -3 "$ISOLINK" tail --config none.conf
    run -2 "$ISOLINK" links live --follow
    contains "$output" "belongs to '--since SEQ'"
    run -2 "$ISOLINK" links
    run -2 "$ISOLINK" status
    for command in status links replay; do
        run -3 "$ISOLINK" "$command" live
    done
    nothing_left
    for command in tail status links replay; do
        run -0 "$ISOLINK" "$command" --help
        [ "${lines[0]}" = Examples ]
    done
}
