#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink link: what it writes where, what it reports, which seeds and rows it leaves out.

load common

HEADER=a_id,b_id,posterior,votes,opportunities,margin,round,origin

setup_file() {
    pair good
}

# row_of ID FILE: its row, from 0.
row_of() { echo $(($(grep -nxF "$1" "$2" | cut -d: -f1) - 1)); }

@test "links.csv in the current directory, best first, seeds marked; a report on stderr" {
    run -0 --separate-stderr link_pair good
    [ -z "$output" ]
    [ "$(ls -A)" = links.csv ]
    [ "$(head -n 1 links.csv)" = "$HEADER" ]
    [ "$(count_origin links.csv seed)" -eq 15 ]
    [ "$(count_origin links.csv link)" -gt 150 ]
    awk -F, 'NR > 2 && $3 > last { bad = 1 } { last = $3 } END { exit bad }' links.csv
    contains "$stderr" stage seconds "15 given, 15 usable" precision recall shared \
        links.csv "MB of memory"
}

@test "no document is linked twice" {
    link_pair good -q
    [ -z "$(cut -d, -f1 links.csv | sort | uniq -d)" ]
    [ -z "$(cut -d, -f2 links.csv | sort | uniq -d)" ]
}

@test "-o -: standard output carries the links and nothing else" {
    link_pair good > links.txt 2> report.txt -o -
    [ "$(head -n 1 links.txt)" = "$HEADER" ]
    [ "$(awk -F, 'NF != 8' links.txt | wc -l)" -eq 0 ]
    [ "$(count_origin links.txt seed)" -eq 15 ]
    contains "$(cat report.txt)" "standard output"
    link_pair good -q -o links.csv
    cmp links.txt links.csv
}

@test "-o - to a reader that stops early: no message" {
    export ISOLINK BATS_FILE_TMPDIR
    export -f link_pair
    run -0 --separate-stderr bash -c 'link_pair good -q -o - | head -n 1'
    [ "$output" = "$HEADER" ]
    [ -z "$stderr" ]
}

@test "equal bytes whatever the number of threads; --seed and repeats" {
    link_pair good -q -o one.csv --threads 1
    link_pair good -q -o two.csv --threads 2
    link_pair good -q -o seven.csv --threads 7
    cmp one.csv two.csv
    cmp one.csv seven.csv
    link_pair good -q -o other.csv --seed 1
    link_pair good -q -o again.csv --seed 1
    cmp other.csv again.csv
}

@test "--quiet says nothing" {
    run -0 --separate-stderr link_pair good --quiet
    [ -z "$output$stderr" ]
}

@test "no progress bar when stderr is no terminal, even with a good TERM" {
    TERM=xterm run -0 --separate-stderr link_pair good
    lacks "$stderr" $'\r'
    lacks "$stderr" $'\033'
}

@test "a progress bar on a terminal, none when it is not wanted" {
    script -qec true /dev/null > /dev/null < /dev/null || skip "no terminal to be had"
    export -f link_pair
    # script(1) runs $SHELL; one that is no bash would not know the function.
    export ISOLINK BATS_FILE_TMPDIR TERM=xterm SHELL=$BASH
    script -qec 'link_pair good -o bar.csv' /dev/null > bar.txt < /dev/null
    grep -q '\[[#.]*\]' bar.txt || skip "the library reports no progress"
    for option in --no-progress --quiet; do
        script -qec "link_pair good -o bar.csv $option" /dev/null > bar.txt < /dev/null
        absent '\[[#.]*\]' bar.txt
    done
    TERM=dumb script -qec 'link_pair good -o bar.csv' /dev/null > bar.txt < /dev/null
    absent '\[[#.]*\]' bar.txt
}

@test "--json: one object on standard output; --json=FILE beside -o -" {
    link_pair good --json > report.json 2> /dev/null
    json_ok report.json
    json_has report.json schema '"isolink-link-1"'
    json_has report.json status '"linked"'
    json_has report.json given 15
    json_has report.json count "$(count_origin links.csv link)"
    link_pair good -q --json=file.json -o - > links.txt
    json_ok file.json
    [ "$(head -n 1 links.txt)" = "$HEADER" ]
}

@test "--views: a number and a scope, apart and together" {
    link_pair good -q --views=global -o global.csv
    link_pair good -q -o auto.csv
    cmp global.csv auto.csv
    link_pair good -q --views=3 --views=local -o local.csv --json=local.json
    json_has local.json scope '"local"'
    awk -F, 'NR > 20 && $5 != 3 { bad = 1 } END { exit bad }' local.csv
    link_pair good -q --views=local --views=3 -o again.csv --threads 1
    cmp local.csv again.csv
}

@test "--min-posterior keeps what it says" {
    link_pair good -q --min-posterior 0.95
    [ "$(awk -F, 'NR > 1 && $3 < 0.95' links.csv | wc -l)" -eq 0 ]
    [ "$(count_origin links.csv link)" -gt 0 ]
    link_pair good -q --min-posterior 0 -o all.csv
    [ "$(count_origin all.csv link)" -ge "$(count_origin links.csv link)" ]
}

@test "geh-published, with and without weighting" {
    link_pair good -q --method geh-published
    [ "$(count_origin links.csv seed)" -eq 15 ]
    link_pair good --method geh-published --weighting gauss --json -o weighted.csv \
        > report.json 2> /dev/null
    json_has report.json method '"geh-published"'
}

@test "methods of the seeds alone do not estimate the precision; null in JSON" {
    for method in mlp relative ridge cca procrustes csls; do
        link_pair good --method "$method" --json=report.json 2> report.txt
        json_ok report.json
        json_has report.json method "\"$method\""
        json_has report.json precision null
        json_has report.json tested 15
        contains "$(cat report.txt)" "not estimated by this method" "15 tested"
        [ "$(count_origin links.csv seed)" -eq 15 ]
        [ "$(count_origin links.csv link)" -gt 0 ]
    done
    json_has report.json fit_error "0[.][0-9]*"
    contains "$(cat report.txt)" "fit  " "bound"
    link_pair good -q --min-posterior 1 --method cca
    only_seeds links.csv 15
}

@test "other formats give the links of the .npy files" {
    link_pair good -q
    for format in fvecs fbin; do
        pair "$format" --format "$format"
        dir=$BATS_FILE_TMPDIR/$format
        "$ISOLINK" link "$dir/a.$format" "$dir/b.$format" --a-ids "$dir/a.ids.txt" \
            --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv" -q -o "$format.csv"
        cmp links.csv "$format.csv"
    done
}

@test "without ids: row numbers from 0" {
    dir=$BATS_FILE_TMPDIR/good
    tail -n +2 "$dir/seeds.csv" | while IFS=, read -r a b; do
        echo "$(row_of "$a" "$dir/a.ids.txt"),$(row_of "$b" "$dir/b.ids.txt")"
    done > rows.csv
    "$ISOLINK" link "$dir/a.npy" "$dir/b.npy" --seeds rows.csv -q
    link_pair good -q -o named.csv
    awk -F, 'NR > 1 { print $3 "," $8 }' links.csv > a.txt
    awk -F, 'NR > 1 { print $3 "," $8 }' named.csv > b.txt
    cmp a.txt b.txt
}

@test "ids that need quotes survive; control characters do not reach the terminal" {
    dir=$BATS_FILE_TMPDIR/good
    seed=$(sed -n 2p "$dir/seeds.csv" | cut -d, -f1)
    sed "s/^$seed\$/$seed, \"so called\"/" "$dir/a.ids.txt" > ids.txt
    sed "s/^$seed,/\"$seed, \"\"so called\"\"\",/" "$dir/seeds.csv" > seeds.csv
    run -0 --separate-stderr link_pair good --a-ids ids.txt --seeds seeds.csv
    contains "$stderr" "15 given, 15 usable"
    grep -q "^\"$seed, \"\"so called\"\"\",$seed,1" links.csv
    printf 'a_id,b_id\nx\033[31m,y\n' > bad.csv
    run --separate-stderr link_pair good --seeds bad.csv
    lacks "$stderr" $'\033'
}

@test "NaN, infinite and zero rows are counted, skipped and listed by id with --verbose" {
    dir=$BATS_FILE_TMPDIR/good
    cp "$dir/a.npy" "$dir/b.npy" .
    # Rows of no seed.
    grep -nvxF -f <(cut -d, -f1 "$dir/seeds.csv") "$dir/a.ids.txt" | head -n 3 > picked
    mapfile -t rows < <(cut -d: -f1 picked)
    mapfile -t ids < <(cut -d: -f2 picked)
    mkvec poke a.npy $((rows[0] - 1)) nan
    mkvec poke a.npy $((rows[1] - 1)) inf
    mkvec poke a.npy $((rows[2] - 1)) 0
    "$ISOLINK" link a.npy b.npy --a-ids "$dir/a.ids.txt" --b-ids "$dir/b.ids.txt" \
        --seeds "$dir/seeds.csv" --json > report.json 2> report.txt
    contains "$(cat report.txt)" "3 rows of A, 0 of B"
    lacks "$(cat report.txt)" "row $((rows[0] - 1)): "
    json_has report.json skipped 3
    for id in "${ids[@]}"; do
        absent "^$id," links.csv
    done
    run -0 --separate-stderr "$ISOLINK" link a.npy b.npy --a-ids "$dir/a.ids.txt" \
        --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv" --verbose
    for i in 0 1 2; do
        contains "$stderr" "A row $((rows[i] - 1)): ${ids[i]}"
    done
}

@test "a side of nothing but zero rows: exit 5, not a crash" {
    dir=$BATS_FILE_TMPDIR/good
    mkvec npy zero.npy \
        "{'descr': '<f4', 'fortran_order': False, 'shape': (600, 48), }" 115200
    run -5 --separate-stderr "$ISOLINK" link zero.npy "$dir/b.npy" \
        --a-ids "$dir/a.ids.txt" --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv"
    contains "$stderr" "cannot bootstrap" "600 rows of A"
    only_seeds links.csv 0
}

@test "seeds with missing ids, repeated and contradicting ones: left out, warned of" {
    {
        cat "$BATS_FILE_TMPDIR/good/seeds.csv"
        sed -n 2p "$BATS_FILE_TMPDIR/good/seeds.csv"
        echo nobody,d1
        a=$(sed -n 3p "$BATS_FILE_TMPDIR/good/seeds.csv" | cut -d, -f1)
        echo "$a,$(grep -vxF -f <(cut -d, -f2 "$BATS_FILE_TMPDIR/good/seeds.csv") \
            "$BATS_FILE_TMPDIR/good/b.ids.txt" | head -n 1)"
    } > seeds.csv
    run -0 --separate-stderr link_pair good --seeds seeds.csv --json
    contains "$stderr" "warning: " seeds.csv "1 with a missing id" "1 repeated" \
        "2 contradicting"
    printf '%s\n' "$output" > report.json
    json_has report.json missing 1
    json_has report.json repeated 1
    json_has report.json contradicting 2
    json_has report.json usable 14
    absent "^$a,.*,seed\$" links.csv
}

@test "geh-published, fewer than 3 usable seeds: exit 5, the seeds alone in the file" {
    head -n 3 "$BATS_FILE_TMPDIR/good/seeds.csv" > two.csv
    echo nobody,nothing >> two.csv
    run -5 --separate-stderr link_pair good --seeds two.csv --quiet \
        --method geh-published
    contains "$stderr" "isolink: link: cannot bootstrap: 2 of 2 seeds" "at least 3" \
        "of 3 given: 1 with a missing id"
    only_seeds links.csv 2
    echo a_id,b_id > none.csv
    run -5 --separate-stderr link_pair good --seeds none.csv --json \
        --method geh-published
    only_seeds links.csv 0
    printf '%s\n' "$output" > report.json
    json_ok report.json
    json_has report.json status '"refused"'
}

@test "geh-published, fewer than 3 seeds on usable rows: exit 5" {
    dir=$BATS_FILE_TMPDIR/good
    head -n 4 "$dir/seeds.csv" > three.csv
    cp "$dir/a.npy" .
    id=$(sed -n 2p three.csv | cut -d, -f1)
    mkvec poke a.npy "$(row_of "$id" "$dir/a.ids.txt")" nan
    run -5 --separate-stderr "$ISOLINK" link a.npy "$dir/b.npy" --a-ids "$dir/a.ids.txt" \
        --b-ids "$dir/b.ids.txt" --seeds three.csv --method geh-published
    contains "$stderr" "2 of 3 seeds are on usable rows" "1 rows of A"
    only_seeds links.csv 2
}

@test "the same file on both sides: every row is linked to itself" {
    dir=$BATS_FILE_TMPDIR/good
    for row in $(seq 3 37 580); do echo "$row,$row"; done > seeds.csv
    "$ISOLINK" link "$dir/a.npy" "$dir/a.npy" --seeds seeds.csv -q
    [ "$(awk -F, 'NR > 1 && $1 == $2' links.csv | wc -l)" -eq 600 ]
    [ "$(wc -l < links.csv)" -eq 601 ]
}

@test "a side may be JSON lines or CSV with ids of its own, or standard input" {
    pair own
    dir=$BATS_FILE_TMPDIR/own
    link_pair own -o wanted.csv -q
    python3 - "$dir" <<'END'
import json, struct, sys
for side in "ab":
    data = open(f"{sys.argv[1]}/{side}.npy", "rb").read()
    begin = 10 + struct.unpack_from("<H", data, 8)[0]
    rows, dim = eval(data[10:begin])["shape"]
    ids = open(f"{sys.argv[1]}/{side}.ids.txt").read().split()
    with open(f"{side}.jsonl", "w") as jsonl, open(f"{side}.csv", "w") as csv:
        for i in range(rows):
            row = struct.unpack_from(f"<{dim}f", data, begin + 4 * dim * i)
            jsonl.write(json.dumps({"id": ids[i], "vector": row}) + "\n")
            csv.write(ids[i] + "," + ",".join(map(repr, row)) + "\n")
END
    "$ISOLINK" link a.jsonl b.csv --seeds "$dir/seeds.csv" -q -o own.csv
    cmp own.csv wanted.csv
    "$ISOLINK" link - b.csv --seeds "$dir/seeds.csv" -q -o own.csv < a.jsonl
    cmp own.csv wanted.csv
    rm -f ./*
}
