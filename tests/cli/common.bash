# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# What the CLI tests share. make sets ISOLINK (or ISOLINK_BIN), SUPPORT and DATA.

bats_require_minimum_version 1.5.0

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
ISOLINK_BUILD=${ISOLINK_BUILD:-$ROOT/build/$(uname -m)}
ISOLINK=${ISOLINK:-${ISOLINK_BIN:-$ISOLINK_BUILD/isolink}}
SUPPORT=${SUPPORT:-$ISOLINK_BUILD/support}
DATA=${DATA:-$ROOT/tests/data}
DEMO=$DATA/demo
export TERM=dumb

# mkvec ARGS: the generator; built here when make has not done it.
mkvec() {
    if [ ! -x "$SUPPORT/mkvec" ]; then
        mkdir -p "$SUPPORT"
        "${CC:-cc}" -std=gnu11 -O2 -o "$SUPPORT/mkvec.$$" \
            "$ROOT/tests/support/mkvec.c" -lm
        mv "$SUPPORT/mkvec.$$" "$SUPPORT/mkvec"
    fi
    "$SUPPORT/mkvec" "$@"
}

# pair NAME OPTIONS: a pair of stores in $BATS_FILE_TMPDIR/NAME, made once a file.
pair() {
    local dir=$BATS_FILE_TMPDIR/$1
    shift
    [ -e "$dir/truth.csv" ] || { mkdir -p "$dir" && mkvec pair "$@" "$dir"; }
}

# link_pair NAME OPTIONS: links it with its ids and seeds; the options come last and win.
link_pair() {
    local dir=$BATS_FILE_TMPDIR/$1
    shift
    "$ISOLINK" link "$dir/a.npy" "$dir/b.npy" --a-ids "$dir/a.ids.txt" \
        --b-ids "$dir/b.ids.txt" --seeds "$dir/seeds.csv" "$@"
}

link_demo() {
    "$ISOLINK" link "$DEMO/a.npy" "$DEMO/b.npy" --a-ids "$DEMO/a.ids.txt" \
        --b-ids "$DEMO/b.ids.txt" --seeds "$DEMO/seeds.csv" "$@"
}

# Each test runs in an empty directory; inputs lie elsewhere.
setup() {
    mkdir -p "$BATS_TEST_TMPDIR/empty"
    cd "$BATS_TEST_TMPDIR/empty" || exit 1
}

# The directory holds nothing: no output and no temporary file.
nothing_left() {
    local left
    left=$(ls -A)
    [ -z "$left" ] || { echo "left over: $left"; return 1; }
}

# contains TEXT WORDS...: every word stands in the text.
contains() {
    local text=$1 word
    shift
    for word in "$@"; do
        case $text in
        *"$word"*) ;;
        *) echo "not found: $word"; echo "in: $text"; return 1 ;;
        esac
    done
}

lacks() {
    case $1 in
    *"$2"*) echo "found: $2"; echo "in: $1"; return 1 ;;
    esac
}

# absent PATTERN FILE: no line fits ("! grep" would not fail a test).
absent() {
    if grep -n -- "$1" "$2"; then
        echo "found in $2: $1"
        return 1
    fi
}

# Lines of a links file by origin.
count_origin() {
    awk -F, -v o="$2" 'NR > 1 && $NF == o { n++ } END { print n + 0 }' "$1"
}
only_seeds() {
    [ "$(count_origin "$1" link)" -eq 0 ] && [ "$(count_origin "$1" seed)" -eq "$2" ]
}

# json_ok FILE: it parses.
json_ok() {
    if command -v jq >/dev/null; then
        jq -e . "$1" >/dev/null
    elif command -v python3 >/dev/null; then
        python3 -m json.tool "$1" >/dev/null
    else
        grep -q '^{' "$1" && grep -q '^}' "$1"
    fi
}

# json_has FILE KEY VALUE: a line "KEY": VALUE stands in it.
json_has() { grep -Eq "\"$2\": $3,?\$" "$1" || { cat "$1"; return 1; }; }

# made NAME OPTIONS: a store $BATS_FILE_TMPDIR/NAME of a.npy of the pair `good`.
made() {
    local name=$1
    shift
    pair good
    [ -e "$BATS_FILE_TMPDIR/$name" ] ||
        "$ISOLINK" import "$BATS_FILE_TMPDIR/good/a.npy" "$BATS_FILE_TMPDIR/$name" \
            --ids "$BATS_FILE_TMPDIR/good/a.ids.txt" -q "$@"
}

# rows_of STORE: its live rows.
rows_of() {
    "$ISOLINK" info "$1" --json | sed -n 's/^  "rows": \([0-9]*\),/\1/p'
}

# lines FROM TO: so many rows of three coordinates as JSONL, ids d0, d1, ...
lines() {
    awk -v from="$1" -v to="$2" 'BEGIN {
        for (i = from; i < to; i++)
            printf "{\"id\": \"d%d\", \"vector\": [%d, 1, -2.5]}\n", i, i + 1
    }'
}
