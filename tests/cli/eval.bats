#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink eval on an example that can be checked by hand.

load common

# Four links, three right; five true pairs besides the two seeds.
example() {
    cat > links.csv <<'EOF'
a_id,b_id,posterior,votes,opportunities,margin,round,origin
s1,s1,1.000000,0,0,0,0,seed
a1,b1,0.950000,4,4,0.2,1,link
a2,b2,0.850000,4,4,0.2,1,link
a3,b9,0.750000,3,4,0.1,2,link
a4,b4,0.650000,3,4,0.1,2,link
s2,b7,0.600000,3,4,0.1,2,link
EOF
    cat > truth.csv <<'EOF'
a_id,b_id
s1,s1
s2,s2
a1,b1
a2,b2
a3,b3
a4,b4
a5,b5
EOF
    printf 'a_id,b_id\ns1,s1\ns2,s2\n' > seeds.csv
}

@test "exact numbers and the reliability table" {
    example
    run -0 --separate-stderr "$ISOLINK" eval links.csv truth.csv --seeds seeds.csv
    [ -z "$stderr" ]
    contains "$output" \
        "precision          0.7500   3 of 4 links are right" \
        "recall             0.6000   3 of 5 true pairs are linked" \
        "F1                 0.6667" \
        "seeds left out     2 lines" \
        "expected precision 0.8000" \
        "calibration        0.3250" \
        "0.90 - 1.00          1         1       1.0000          0.9500" \
        "0.70 - 0.80          1         0       0.0000          0.7500" \
        "0.00 - 0.10          0         0            -               -"
}

@test "the same as JSON" {
    example
    "$ISOLINK" eval links.csv truth.csv --seeds seeds.csv --json > eval.json
    json_ok eval.json
    json_has eval.json schema '"isolink-eval-1"'
    json_has eval.json precision 0.75
    json_has eval.json recall 0.6
    json_has eval.json f1 0.666666667
    json_has eval.json ece 0.325
    json_has eval.json truth 5
    json_has eval.json right 3
    json_has eval.json seeds_left_out 2
}

@test "without --seeds the links file's own seeds are left out" {
    example
    "$ISOLINK" eval links.csv truth.csv --json > eval.json
    json_has eval.json links 5
    json_has eval.json truth 6
    json_has eval.json seeds_left_out 1
}

@test "a links file without posteriors: no table, null in JSON" {
    example
    cut -d, -f1,2 links.csv > plain.csv
    run -0 --separate-stderr "$ISOLINK" eval plain.csv truth.csv --seeds seeds.csv
    contains "$output" "3 of 4 links" "no posterior column"
    "$ISOLINK" eval plain.csv truth.csv --seeds seeds.csv --json > eval.json
    json_has eval.json ece null
    json_has eval.json f1 0.666666667
}

@test "no links at all" {
    example
    head -n 2 links.csv > none.csv
    run -0 "$ISOLINK" eval none.csv truth.csv
    contains "$output" "0 of 0 links" "0 of 6 true pairs"
}

@test "a posterior that is none" {
    example
    sed -i 's/0.850000/high/' links.csv
    run -3 --separate-stderr "$ISOLINK" eval links.csv truth.csv
    contains "$stderr" "isolink: eval: " "links.csv" "line 4" high
    [ -z "$output" ]
}
