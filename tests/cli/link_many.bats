#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154
# isolink link with three sides: every two are linked, and held against each other.

load common

GEN=$ISOLINK_BUILD/tools/gen_pair

# b and c are two encoders' views of the same documents, a of some of them.
setup_file() {
    local dir=$BATS_FILE_TMPDIR dim
    for dim in 40 56; do
        "$GEN" --rows 700 --overlap 0.6 --dim-a 48 --dim-b $dim --bend 0.3 \
            --noise 0.3 --seed 3 "$dir/$dim"
    done
    cmp "$dir/40/a.npy" "$dir/56/a.npy"
    cmp "$dir/40/seeds.csv" "$dir/56/seeds.csv"
    cd "$dir" || return 1
    cp 40/a.npy a.npy
    cp 40/b.npy b.npy
    cp 56/b.npy c.npy
    cp 40/truth.csv truth.csv
    {
        echo "a_id,b_id,c_id"
        tail -n +2 40/seeds.csv | awk -F, '{ print $1 "," $2 "," $2 }'
        # About two sides only.
        echo ",1,1"
    } > seeds.csv
}

link_three() {
    "$ISOLINK" link "$BATS_FILE_TMPDIR/a.npy" "$BATS_FILE_TMPDIR/b.npy" \
        "$BATS_FILE_TMPDIR/c.npy" --seeds "$BATS_FILE_TMPDIR/seeds.csv" "$@"
}

# f1 LINKS: of pairs in which a row of A is.
f1() {
    "$ISOLINK" eval "$1" "$BATS_FILE_TMPDIR/truth.csv" |
        awk '$1 == "F1" { print $2 }'
}

@test "three sides: a file of links for every two, and one of contradictions" {
    run -0 --separate-stderr link_three -o out.csv
    [ -z "$output" ]
    [ "$(ls)" = "$(printf 'out-%s.csv\n' ab ac bc contradictions)" ]
    contains "$stderr" "A B" "A C" "B C" "contradict" out-ab.csv out-contradictions.csv
    head -n 1 out-ab.csv | grep -q '^a_id,b_id,posterior,'
    [ "$(head -n 1 out-contradictions.csv)" = \
        side_1,id_1,side_2,id_2,side_3,id_3,side_4,id_4,set_aside ]
    awk -F, 'NR > 1 && (NF != 9 || $1 != $7 || $2 == $8) { exit 1 }' \
        out-contradictions.csv
    for pair in ab ac bc; do
        [ -z "$(cut -d, -f1 out-$pair.csv | sort | uniq -d)" ]
        [ -z "$(cut -d, -f2 out-$pair.csv | sort | uniq -d)" ]
    done
    # Not worse than the two sides alone.
    "$ISOLINK" link "$BATS_FILE_TMPDIR/a.npy" "$BATS_FILE_TMPDIR/b.npy" --seeds \
        "$BATS_FILE_TMPDIR/40/seeds.csv" -q -o alone.csv
    echo "alone $(f1 alone.csv), with C $(f1 out-ab.csv)"
    awk -v x="$(f1 alone.csv)" -v y="$(f1 out-ab.csv)" 'BEGIN { exit !(y >= x - 0.005) }'
}

@test "three sides: equal bytes for every number of threads; the report as JSON" {
    link_three -o one.csv -q --threads 1
    link_three -o two.csv -q --threads 2 --json=report.json
    for what in ab ac bc contradictions; do
        cmp one-$what.csv two-$what.csv
    done
    json_ok report.json
    contains "$(cat report.json)" isolink-link-many-1 '"sides": "BC"' '"chains"' \
        two-ac.csv
}

@test "three sides: what does not go together" {
    local dir=$BATS_FILE_TMPDIR
    run -2 --separate-stderr link_three -o -
    contains "$stderr" "'-o -' is for two sides"
    run -2 --separate-stderr link_three --a-ids x
    contains "$stderr" "'--a-ids' and '--b-ids' are for two sides"
    run -2 --separate-stderr "$ISOLINK" link "$dir/a.npy" - - --seeds "$dir/seeds.csv"
    contains "$stderr" "only one of the sides"
    run -3 --separate-stderr "$ISOLINK" link "$dir/a.npy" "$dir/b.npy" "$dir/none.npy" \
        --seeds "$dir/seeds.csv"
    contains "$stderr" none.npy
    run -3 --separate-stderr link_three --seeds "$dir/40/seeds.csv"
    contains "$stderr" "seeds.csv, line 1: no column 'c_id', wanted a_id and c_id"
    cp "$dir/c.npy" out-ac.csv
    run -2 --separate-stderr "$ISOLINK" link "$dir/a.npy" "$dir/b.npy" out-ac.csv \
        --seeds "$dir/seeds.csv" -o out.csv
    contains "$stderr" "would replace the input"
    rm out-ac.csv
    nothing_left
    run -2 --separate-stderr "$ISOLINK" link {1..17}.npy --seeds "$dir/seeds.csv"
    contains "$stderr" "or up to 16, got 17"
}

@test "three sides, one about something else: exit 5 only when nothing is linked" {
    local dir=$BATS_FILE_TMPDIR
    "$GEN" --rows 700 --dim 48 --seed 4 other
    run -0 --separate-stderr "$ISOLINK" link "$dir/a.npy" "$dir/b.npy" other/b.npy \
        --seeds "$dir/seeds.csv" -o out.csv
    contains "$stderr" "A and C: cannot bootstrap" "B and C: cannot bootstrap" \
        "(no bootstrap)"
    [ "$(count_origin out-ac.csv link)" -eq 0 ]
    [ "$(count_origin out-ab.csv link)" -gt 300 ]
    "$GEN" --rows 700 --dim 40 --seed 5 third
    run -5 --separate-stderr "$ISOLINK" link "$dir/a.npy" other/b.npy third/b.npy \
        --seeds "$dir/seeds.csv" -o none.csv
    contains "$stderr" "B and C: cannot bootstrap"
}
