#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink compare: the table, the JSON, what is judged, methods that refuse.

load common

setup_file() {
    pair small --rows-a 200 --rows-b 220 --shared 120
}

compare_pair() {
    local dir=$BATS_FILE_TMPDIR/$1
    shift
    "$ISOLINK" compare "$dir/a.npy" "$dir/b.npy" --a-ids "$dir/a.ids.txt" \
        --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv" "$@"
}

FAST=geh,procrustes,csls,mlp,relative

@test "every method has a row, the best of them is marked" {
    truth=$BATS_FILE_TMPDIR/small/truth.csv
    run -0 --separate-stderr compare_pair small --truth "$truth"
    [ -z "$stderr" ]
    contains "${lines[0]}" method links precision recall F1 "best F1" estimated \
        "held out" seconds MB
    "$ISOLINK" --version --json > version.json
    for method in $(sed -n '/"methods"/,/]/p' version.json | grep -o '"[a-z-]*"[,]*$' |
        tr -d '",'); do
        printf '%s\n' "$output" | grep -q "^$method  *[0-9r]"
    done
    [ "$(printf '%s\n' "$output" | grep -c ' best$')" -eq 1 ]
    rm version.json
    nothing_left
}

@test "a row says what link and eval say, seeds left out alike" {
    dir=$BATS_FILE_TMPDIR/small
    compare_pair small --truth "$dir/truth.csv" --methods "$FAST" --json > all.json
    json_ok all.json
    for method in geh mlp; do
        link_pair small -q --method "$method"
        "$ISOLINK" eval links.csv "$dir/truth.csv" --seeds "$dir/seeds.csv" --json \
            > eval.json
        sed -n "/\"method\": \"$method\"/,/}/p" all.json > row.json
        for key in precision recall f1; do
            wanted=$(sed -n "s/^  \"$key\": \(.*\),/\1/p" eval.json)
            [ "$(sed -n "s/^ *\"$key\": \(.*\),/\1/p" row.json | head -n 1)" = "$wanted" ]
        done
        json_has row.json links "$(count_origin links.csv link)"
    done
}

@test "--json: the schema" {
    compare_pair small --truth "$BATS_FILE_TMPDIR/small/truth.csv" --methods "$FAST" \
        --json --seed 3 --threads 2 > all.json
    json_ok all.json
    json_has all.json schema '"isolink-compare-1"'
    json_has all.json best '"[a-z-]*"'
    json_has all.json given 15
    json_has all.json used 15
    json_has all.json pairs 105
    json_has all.json seed 3
    json_has all.json threads 2
    [ "$(grep -c '"status": "linked"' all.json)" -eq 5 ]
    [ "$(grep -c '"fit_bound": [0-9]' all.json)" -eq 2 ]
    for key in f1_best estimate seeds_tested seeds_found seconds peak_rss_bytes; do
        [ "$(grep -c "\"$key\": " all.json)" -eq 5 ]
    done
}

@test "without the truth nothing is judged" {
    run -0 --separate-stderr compare_pair small --methods ridge,procrustes
    contains "${lines[0]}" method links estimated
    lacks "$output" precision.recall
    lacks "${lines[0]}" F1
    lacks "$output" " best"
    contains "${lines[1]}" ridge "<"
    compare_pair small --methods ridge --json > all.json
    json_has all.json truth null
    json_has all.json best null
    json_has all.json f1 null
}

@test "equal numbers for every number of threads, stores like files" {
    dir=$BATS_FILE_TMPDIR/small
    for side in a b; do
        "$ISOLINK" import "$dir/$side.npy" "$BATS_TEST_TMPDIR/$side" --codec f32 -q \
            --ids "$dir/$side.ids.txt"
    done
    judged() { grep -v '"seconds"\|"threads"\|"peak_rss_bytes"\|"file"' "$1"; }
    for threads in 1 3; do
        compare_pair small --truth "$dir/truth.csv" --methods "$FAST" --json \
            --threads "$threads" > "$threads.json"
    done
    "$ISOLINK" compare "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b" --methods "$FAST" \
        --seeds "$dir/seeds.csv" --truth "$dir/truth.csv" --json > store.json
    cmp <(judged 1.json) <(judged 3.json)
    cmp <(judged 1.json) <(judged store.json)
}

@test "methods that refuse say so and do not stop the others; all of them: exit 5" {
    pair unrelated --unrelated --rows-a 200 --rows-b 220 --shared 120
    dir=$BATS_FILE_TMPDIR/unrelated
    run -0 --separate-stderr compare_pair unrelated --methods geh,geh-published,ridge \
        --truth "$dir/truth.csv"
    contains "${lines[1]}" geh refused
    contains "${lines[2]}" geh-published refused
    contains "${lines[3]}" ridge "<"
    contains "$output" "geh refused: no bootstrap from these seeds"
    run -5 --separate-stderr compare_pair unrelated --methods geh --json
    printf '%s\n' "$output" > all.json
    json_ok all.json
    json_has all.json status '"refused"'
    json_has all.json precision null
    head -n 3 "$dir/seeds.csv" > two.csv
    run -5 --separate-stderr compare_pair unrelated --methods ridge,csls --seeds two.csv
    contains "$output" "ridge refused: 2 of 2 seeds" "csls refused"
}

@test "a truth or seeds that are missing or broken: exit 3, before any method runs" {
    run -3 --separate-stderr compare_pair small --truth none.csv
    contains "$stderr" "isolink: compare: none.csv"
    [ -z "$output" ]
    echo only_one > bad.csv
    run -3 --separate-stderr compare_pair small --truth bad.csv
    contains "$stderr" bad.csv "line 1"
    run -3 --separate-stderr compare_pair small --seeds none.csv
    contains "$stderr" none.csv
    run -3 --separate-stderr "$ISOLINK" compare none.npy none.npy --seeds none.csv
    contains "$stderr" none.npy
    rm bad.csv
    nothing_left
}

@test "left-out seeds are warned of" {
    { cat "$BATS_FILE_TMPDIR/small/seeds.csv"; echo nobody,nothing; } > seeds.csv
    run -0 --separate-stderr compare_pair small --seeds seeds.csv --methods ridge
    contains "$stderr" "isolink: compare: warning: " "1 with a missing id"
    run -0 --separate-stderr compare_pair small --seeds seeds.csv --methods ridge -q
    [ -z "$stderr" ]
}

@test "unknown methods, methods named twice, and what else is wrong" {
    wrong() {
        local word=$1
        shift
        run -2 --separate-stderr "$ISOLINK" compare "$@"
        [ -z "$output" ]
        contains "$stderr" "isolink: compare: " "$word"
    }
    wrong "did you mean 'ridge'?" a b --seeds s --methods geh,rigde
    wrong "'--methods' wants geh, geh-published, procrustes" a b --methods xyz
    wrong "'--methods' wants" a b --seeds s --methods ""
    wrong "'--methods' wants" a b --seeds s --methods geh,,ridge
    wrong "names 'csls' twice" a b --seeds s --methods csls,geh,csls
    wrong "two sides" a.npy --seeds s
    wrong "needs --seeds" a.npy b.npy
    wrong "'--threads' wants a number" a b --threads 257
    wrong "did you mean '--truth'?" a b --truht t
    nothing_left
}
