#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# Refusal instead of invention: exit 5, the evidence named, no links beyond the seeds.

load common

# refuses NAME [OPTIONS OF mkvec]
refuses() {
    local name=$1
    pair "$@"
    run --separate-stderr link_pair "$name" --json
    [ "$status" -eq 5 ] || { echo "$name: status $status"; echo "$stderr"; return 1; }
    contains "$stderr" "isolink: link: cannot bootstrap: " "links.csv holds"
    [ "$(count_origin links.csv link)" -eq 0 ]
    # Seeds may have been set aside, but none comes from elsewhere.
    [ "$(count_origin links.csv seed)" -le 15 ]
    printf '%s\n' "$output" > report.json
    json_has report.json status '"refused"'
    # The evidence: numbers, not a shrug.
    grep -Eq '"why": ".*[0-9]' report.json
}

@test "unrelated stores" {
    refuses unrelated --unrelated
    refuses unrelated-2 --unrelated --draw 2 --rows-b 900
}

@test "noise on one side" {
    refuses noise --noise-b
    refuses noise-2 --noise-b --draw 2
}

@test "shuffled seeds" {
    refuses shuffled --shuffle-seeds
    refuses shuffled-2 --shuffle-seeds --draw 2
}

@test "demo data with shuffled seeds" {
    head -n 1 "$DEMO/seeds.csv" > seeds.csv
    paste -d, <(tail -n +2 "$DEMO/seeds.csv" | cut -d, -f1) \
        <(tail -n +2 "$DEMO/seeds.csv" | cut -d, -f2 | sed -n '2,$p;1h;${x;p}') \
        >> seeds.csv
    run -5 --separate-stderr link_demo --seeds seeds.csv
    contains "$stderr" "cannot bootstrap"
    [ "$(count_origin links.csv link)" -eq 0 ]
}

@test "nothing in common but the seeds: refused, or next to nothing said to be right" {
    pair seeds-only --shared 15
    run --separate-stderr link_pair seeds-only
    echo "$stderr"
    [ "$status" -eq 5 ] || [ "$status" -eq 0 ]
    # Every link is false. Few may come, or more of low posterior: either way the links
    # together must not be expected to hold more than 6 right ones.
    awk -F, '$NF == "link" { n++; right += $3 }
        END { print n + 0, "links,", right + 0, "said to be right"; exit right > 6 }' \
        links.csv
}
