#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# Help, version, and what is wrong with a command line: exit 2, one line that says it.

load common

# usage WORDS... -- ARGS...: exit 2, stdout empty, the words on stderr, nothing written.
usage() {
    local words=()
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run -2 --separate-stderr "$ISOLINK" "$@"
    [ -z "$output" ]
    contains "$stderr" "isolink: " "${words[@]}"
    nothing_left
}

@test "--help starts with examples, on standard output" {
    for command in "" link eval doctor compare import export info verify get rm compact \
        map "map fit" "map info" "map apply" search diff integrate; do
        # shellcheck disable=SC2086
        run -0 --separate-stderr "$ISOLINK" $command --help
        [ "${lines[0]}" = Examples ]
        [ -z "$stderr" ]
        contains "$output" "Usage: isolink" "Exit status"
    done
}

@test "help lines are short, and the man page names every option" {
    for command in "" link eval doctor compare import export info verify get rm compact \
        map "map fit" "map info" "map apply" search diff integrate; do
        # shellcheck disable=SC2086
        "$ISOLINK" $command --help > help.txt
        awk 'length > 84 { print; bad = 1 } END { exit bad }' help.txt
    done
    for command in link compare import export info verify get rm compact \
        "map fit" "map info" "map apply" search diff integrate; do
        # shellcheck disable=SC2086
        "$ISOLINK" $command --help
    done > help.txt
    for option in $(grep -o -- '--[a-z][a-z-]*' help.txt | sort -u); do
        grep -q -- "${option//-/\\\\-}" "$ROOT/src/cli/isolink.1" ||
            { echo "$option"; false; }
    done
}

@test "no command: help on standard error, exit 2" {
    run -2 --separate-stderr "$ISOLINK"
    [ -z "$output" ]
    contains "$stderr" Examples
}

@test "--version, and as JSON" {
    run -0 --separate-stderr "$ISOLINK" --version
    version=$(sed -n 's/^#define IL_VERSION "\(.*\)"/\1/p' \
        "$ROOT/include/isolink/version.h")
    [ "${lines[0]}" = "isolink $version" ]
    contains "$output" "instruction set" built flags
    "$ISOLINK" --version --json > version.json
    json_ok version.json
    json_has version.json version "\"$version\""
    json_has version.json schema '"isolink-version-1"'
    rm version.json
    usage "'--yaml'" -- --version --yaml
}

@test "ISOLINK_ISA: known names lower the instruction set, unknown ones are an error" {
    ISOLINK_ISA=ref run -0 "$ISOLINK" --version
    contains "$output" "instruction set ref"
    export ISOLINK_ISA=sse9
    usage sse9 ref -- --version
    usage sse9 -- link a.npy b.npy --seeds s.csv
    usage sse9 -- doctor a.npy b.npy
}

@test "unknown commands and options get a suggestion" {
    usage "unknown command 'lnik'" "'link'" -- lnik
    usage "unknown command 'frobnicate'" --help -- frobnicate
    usage "unknown option '--versoin'" "'--version'" -- --versoin
    usage "link: unknown option '--sedes'" "'--seeds'" -- link --sedes s.csv
    usage "link: unknown option '--min-posteriro'" "'--min-posterior'" -- \
        link --min-posteriro=1
    usage "link: unknown option '--xyzzy'" "--help" -- link --xyzzy
    usage "link: unknown option '-x'" -- link -qx
    usage "eval: unknown option '--jsno'" "'--json'" -- eval --jsno
    usage "doctor: unknown option '--threadz'" "'--threads'" -- doctor --threadz 2
}

@test "values that are missing, or not wanted" {
    usage "'--seeds' needs a value" -- link a b --seeds
    usage "'-o' needs a value" -- link a b -o
    usage "'--quiet' takes no value" -- link a b --quiet=1
}

@test "numbers are checked whole" {
    for bad in x 1x 0x2 -1 +1 " 1" "" 1e2 257 99999999999999999999 1.5; do
        usage "'--threads' wants a number from 0 to 256, got '$bad'" -- \
            link a b --threads "$bad"
    done
    usage "'--views' wants a number from 2 to 64" -- link a b --views 1
    usage "'--views' wants a number from 2 to 64" -- link a b --views 65
    usage "'--folds' wants a number from 2 to 16" -- link a b --folds 17
    for bad in 1.01 -0.1 nan inf 0x1 "" . 1.2.3 " 0.5" 1e-1; do
        usage "'--min-posterior' wants a number from 0 to 1" -- \
            link a b --min-posterior "$bad"
    done
    usage "'--seed' wants a number" "--seeds" -- link a b --seed seeds.csv
}

@test "words are checked and listed" {
    usage "'--method' wants geh, geh-published, procrustes" "got 'hash'" -- \
        link a b --method hash
    usage "did you mean 'procrustes'?" -- link a b --method procrustse
    usage "'--weighting' wants none or gauss" -- link a b --weighting gaus
    usage "'--weighting gauss' belongs to '--method geh-published'" -- \
        link a b --seeds s --weighting gauss
    usage "'--views' wants auto, global, local or a number" "got 'locale'" -- \
        link a b --views locale
    usage "belong to '--method geh'" -- \
        link a b --seeds s --views local --method geh-published
}

@test "operands and options that must be there, or not together" {
    usage "two sides" "got 0" -- link --seeds s.csv
    usage "two sides" "got 1" -- link a.npy --seeds s.csv
    usage "two sides" "got 17" -- link a.npy b.npy {1..15}.npy --seeds s.csv
    usage "needs --seeds" -- link a.npy b.npy
    usage "both want standard output" -- link a b --seeds s -o - --json
    usage "both want standard output" -- link a b --seeds s -o - --json=-
    usage "cannot go to one file" -- link a b --seeds s -o x --json=x
    usage "name of the output file is empty" -- link a b --seeds s -o ""
    usage "two files" "got 1" -- eval links.csv
    usage "two sides" "got 1" -- doctor a.npy
}

@test "the man page is clean" {
    command -v mandoc groff >/dev/null || skip "neither mandoc nor groff"
    sed 's/@VERSION@/0.0.0/' "$ROOT/src/cli/isolink.1" > isolink.1
    if command -v mandoc >/dev/null; then
        run -0 mandoc -T lint -W warning isolink.1
        [ -z "$output" ]
    fi
    if command -v groff >/dev/null; then
        run -0 groff -man -Tutf8 -ww -z isolink.1
        [ -z "$output" ]
    fi
}
