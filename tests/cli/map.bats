#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# isolink map: fit, info, apply; what they refuse.

load common

setup_file() {
    pair good
    cd "$BATS_FILE_TMPDIR"
    link_pair good -q -o links.csv
    "$ISOLINK" import good/a.npy a.store --ids good/a.ids.txt --model one -q --codec f32
    "$ISOLINK" import good/b.npy b.store --ids good/b.ids.txt --model two -q --codec f32
    "$ISOLINK" map fit a.store b.store --links links.csv -o m.ilm -q
}

# in_file: the files of setup_file, from the test's own directory.
at() { echo "$BATS_FILE_TMPDIR/$1"; }

# refused CODE WORDS... -- ARGS: one line on stderr, nothing on stdout, nothing written.
refused() {
    local code=$1 words=()
    shift
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run --separate-stderr "$ISOLINK" map "$@"
    [ "$status" -eq "$code" ] || { echo "status $status: $stderr"; return 1; }
    [ -z "$output" ]
    [ "${#stderr_lines[@]}" -eq 1 ] || { echo "$stderr"; return 1; }
    contains "$stderr" "isolink: map" "${words[@]}"
    nothing_left
}

@test "fit on demo: what is held out does well, both ways; info says the same" {
    link_demo -q -o links.csv
    run -0 --separate-stderr "$ISOLINK" map fit "$DEMO/a.npy" "$DEMO/b.npy" --a-ids \
        "$DEMO/a.ids.txt" --b-ids "$DEMO/b.ids.txt" --links links.csv -o m.ilm
    [ -z "$output" ]
    contains "$stderr" "side A      rows of 128 coordinates, on 128 axes" "A to B"
    report=$stderr
    run -0 --separate-stderr "$ISOLINK" map info m.ilm
    [ "$output" = "$report" ]
    "$ISOLINK" map info m.ilm --json > m.json
    json_ok m.json
    json_has m.json schema '"isolink-map-1"'
    json_has m.json candidates 3529
    awk -F'[:,]' '/"recall_at_10"/ && $2 < 0.95 { bad = 1 } END { exit bad }' m.json
    rm -f m.ilm m.json links.csv
}

@test "fit: kinds, --json, standard output; equal bytes for threads and sets" {
    for kind in orthogonal ridge; do
        "$ISOLINK" map fit "$(at a.store)" "$(at b.store)" --links "$(at links.csv)" \
            --kind $kind -o $kind.ilm --json -q > $kind.json
        json_has $kind.json kind "\"$kind\""
        json_has $kind.json model '"one"'
    done
    "$ISOLINK" map fit "$(at a.store)" "$(at b.store)" --links "$(at links.csv)" -q \
        -o - --kind ridge | cmp - ridge.ilm
    for isa in ref avx2 avx512; do
        ISOLINK_ISA=$isa "$ISOLINK" --version > version.txt 2>/dev/null || continue
        for threads in 1 3; do
            ISOLINK_ISA=$isa "$ISOLINK" map fit "$(at a.store)" "$(at b.store)" \
                --links "$(at links.csv)" --kind orthogonal -o x.ilm -q --threads $threads
            cmp x.ilm orthogonal.ilm
        done
        ISOLINK_ISA=$isa "$ISOLINK" map apply x.ilm "$(at a.store)" -o "$isa.npy" \
            --confidence c.npy -q
        cmp "$isa.npy" ref.npy
    done
    [ -s ref.npy ]
}

@test "a store on fewer axes is mapped in the space of its model" {
    "$ISOLINK" import "$(at good/a.npy)" p.store --ids "$(at good/a.ids.txt)" --pca 50% -q
    "$ISOLINK" map fit p.store "$(at b.store)" --links "$(at links.csv)" -o p.ilm -q
    "$ISOLINK" map info p.ilm > info.txt
    grep -q '^side A      rows of 48 coordinates' info.txt
    "$ISOLINK" map apply p.ilm p.store -o p.npy -q
    "$ISOLINK" map apply p.ilm "$(at good/a.npy)" -o a.npy -q
    [ "$(stat -c %s p.npy)" -eq "$(stat -c %s a.npy)" ]
}

@test "apply: rows in their order, ids, confidence; reverse comes back" {
    run -0 --separate-stderr "$ISOLINK" map apply "$(at m.ilm)" "$(at a.store)" \
        -o out.npy --ids ids.txt --confidence sure.jsonl
    contains "$stderr" "rows        600 x 64 f32 in out.npy" "mean confidence"
    cmp ids.txt "$(at good/a.ids.txt)"
    [ "$(wc -l < sure.jsonl)" -eq 600 ]
    [ "$(head -n 1 sure.jsonl | cut -d'"' -f4)" = "$(head -n 1 ids.txt)" ]
    "$ISOLINK" map apply "$(at m.ilm)" "$(at good/a.npy)" -o file.npy -q
    cmp out.npy file.npy
    "$ISOLINK" map apply "$(at m.ilm)" out.npy --reverse -o back.npy -q
    [ "$(stat -c %s back.npy)" -eq "$(stat -c %s "$(at good/a.npy)")" ]
    "$ISOLINK" export "$(at a.store)" - |
        "$ISOLINK" map apply "$(at m.ilm)" - -o - -q > lines.jsonl
    "$ISOLINK" import lines.jsonl l.store -q --codec f32
    "$ISOLINK" export l.store l.npy -q
    cmp l.npy out.npy
}

@test "apply: rows without direction stay zero, and are counted" {
    printf '%s\n' '{"id": "x", "vector": [0, 0]}' > one.jsonl
    awk 'BEGIN { srand(3); for (i = 0; i < 60; i++)
        printf "{\"id\": \"d%d\", \"vector\": [%f, %f]}\n", i, rand() - .5,
            rand() - .5 }' > r.jsonl
    awk 'BEGIN { for (i = 0; i < 60; i++) print "d" i ",d" i }' > l.csv
    "$ISOLINK" map fit r.jsonl r.jsonl --links l.csv -o m.ilm -q
    run -0 --separate-stderr "$ISOLINK" map apply m.ilm one.jsonl -o - \
        --confidence c.jsonl
    [ "$output" = '{"id": "x", "vector": [0,0]}' ]
    contains "$stderr" "1 of 1 rows are zero or not finite: no image"
    grep -q '"vector": \[0\]' c.jsonl
}

@test "fit refuses: too few links, unknown ids, what is missing" {
    head -n 15 "$(at links.csv)" > "$(at few.csv)"
    refused 5 "14 of 14 links are on usable rows, a map wants at least 20" -- \
        fit "$(at a.store)" "$(at b.store)" --links "$(at few.csv)" -o x.ilm
    refused 5 "too few for the clusters" -- fit "$(at a.store)" "$(at b.store)" \
        --links "$(at links.csv)" --kind local -o x.ilm -q
    printf 'no,such\nid,here\n' > "$(at strange.csv)"
    refused 3 "no link names ids of both sides" "line 1" -- fit "$(at a.store)" \
        "$(at b.store)" --links "$(at strange.csv)" -q -o x.ilm
    refused 3 "none.csv" -- fit "$(at a.store)" "$(at b.store)" --links none.csv -o x.ilm
    refused 2 "needs --links" -- fit a b -o x
    refused 2 "needs -o MAP" -- fit a b --links l
    refused 2 "two sides" "got 1" -- fit a --links l -o x
    refused 2 "'--kind' wants auto, orthogonal, ridge or local" -- fit a b --kind cca
    refused 2 "'--axes' wants a number from 1 to 1024" -- fit a b --axes 0
    refused 2 "would replace the input" -- fit "$(at a.store)" "$(at b.store)" \
        --links "$(at links.csv)" -o "$(at links.csv)"
    refused 2 "both want standard output" -- fit a b --links l -o - --json
    refused 2 "unknown command 'fti'" "'fit'" -- fti
    refused 2 "wants fit, info or apply" --
}

@test "fit: links with unknown ids are counted, the others serve" {
    { cat "$(at links.csv)"; echo "nobody,noone,1,0,0,0,0,link"; } > more.csv
    run -0 --separate-stderr "$ISOLINK" map fit "$(at a.store)" "$(at b.store)" \
        --links more.csv -o x.ilm
    contains "$stderr" "1 of" "links left out (1 with a missing id"
    cmp x.ilm "$(at m.ilm)"
}

@test "sides of very different size" {
    pair wide --rows-a 40 --rows-b 4000 --shared 40
    dir=$BATS_FILE_TMPDIR/wide
    "$ISOLINK" map fit "$dir/a.npy" "$dir/b.npy" --a-ids "$dir/a.ids.txt" --b-ids \
        "$dir/b.ids.txt" --links "$dir/truth.csv" -o m.ilm -q --json > m.json
    json_has m.json links 40
    json_has m.json candidates 4000
}

@test "apply refuses other dimensions, another model, damage" {
    refused 3 "rows of 64 coordinates, wanted 48" "'--reverse' turns it round" -- \
        apply "$(at m.ilm)" "$(at b.store)" -o x.npy
    refused 3 "rows of 3 coordinates, wanted 48" -- \
        apply "$(at m.ilm)" <(lines 0 2) -o -
    "$ISOLINK" import "$(at good/a.npy)" "$(at c.store)" --model three -q
    refused 3 "vectors of the model 'three', wanted 'one'" "'--force'" -- \
        apply "$(at m.ilm)" "$(at c.store)" -o x.npy
    head -c 2000 "$(at m.ilm)" > "$(at cut.ilm)"
    refused 4 "checksum" -- apply "$(at cut.ilm)" "$(at a.store)" -o x.npy
    refused 4 "cut.ilm" -- info "$(at cut.ilm)"
    refused 3 "no map" -- info "$(at links.csv)"
    refused 3 "none.ilm" -- info none.ilm
    refused 2 "needs -o OUT" -- apply m a
    refused 2 "two outputs" -- apply m a -o x --ids x
    refused 2 "wants one map" -- info
    refused 2 "wanted a name that ends in" -- apply "$(at m.ilm)" "$(at a.store)" -o x.txt
    "$ISOLINK" map apply "$(at m.ilm)" "$(at c.store)" -o x.npy -q --force
    [ -s x.npy ]
}

@test "every flipped byte of a file is seen" {
    size=$(stat -c %s "$(at m.ilm)")
    for at in 0 9 70 600 840 $((size / 2)) $((size - 1)); do
        cp "$(at m.ilm)" bad.ilm
        byte=$(od -An -tu1 -j "$at" -N 1 bad.ilm)
        printf '%b' "\\x$(printf %x $((byte ^ 4)))" |
            dd of=bad.ilm bs=1 seek="$at" conv=notrunc 2>/dev/null
        run --separate-stderr "$ISOLINK" map info bad.ilm
        [ "$status" -eq $((at < 8 ? 3 : 4)) ]
        rm bad.ilm
    done
}
