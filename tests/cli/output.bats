#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# Outputs that cannot be written: exit 1, before the run if possible, nothing left.

load common

setup_file() {
    pair good
}

# fails WORDS... -- OPTIONS: exit 1, the words on stderr.
fails() {
    local words=()
    while [ "$1" != -- ]; do words+=("$1"); shift; done
    shift
    run -1 --separate-stderr link_pair good "$@"
    contains "$stderr" "isolink: link: " "${words[@]}"
}

@test "a directory that is not there, is a file, or is the name itself" {
    fails nowhere/links.csv "No such file" -- -o nowhere/links.csv
    fails nowhere/report.json "No such file" -- --json=nowhere/report.json
    nothing_left
    touch ../plain
    fails "Not a directory" -- -o ../plain/links.csv
    fails "Is a directory" -- -o ..
    nothing_left
}

@test "a directory without permission" {
    [ "$(id -u)" -ne 0 ] || skip "root may write everywhere"
    mkdir closed && chmod 555 closed
    fails "Permission denied" -- -o closed/links.csv
    [ -z "$(ls -A closed)" ]
}

@test "a read-only file system" {
    unshare -rm true 2>/dev/null || skip "no mount namespaces"
    mkdir ro
    export ISOLINK BATS_FILE_TMPDIR
    export -f link_pair
    run -1 --separate-stderr unshare -rm bash -c \
        'mount -t tmpfs -o ro none ro && link_pair good -o ro/links.csv'
    contains "$stderr" "ro/links.csv" "Read-only"
}

@test "the check comes before the run: it takes no time" {
    pair long --rows-a 20000 --rows-b 20000 --shared 9000 --dim-a 64 --dim-b 64
    SECONDS=0
    run -1 --separate-stderr link_pair long -o nowhere/links.csv
    [ "$SECONDS" -le 5 ]
}

@test "an output that is an input is refused" {
    cp "$BATS_FILE_TMPDIR/good/seeds.csv" mine.csv
    ln -s mine.csv link.csv
    for name in mine.csv ./mine.csv link.csv; do
        run -2 --separate-stderr link_pair good --seeds mine.csv -o "$name"
        contains "$stderr" "would replace the input"
        run -2 --separate-stderr link_pair good --seeds mine.csv --json="$name"
    done
    cmp mine.csv "$BATS_FILE_TMPDIR/good/seeds.csv"
}

@test "full disk: exit 1, no output, no temporary file, the old file untouched" {
    unshare -rm true 2>/dev/null || skip "no mount namespaces"
    mkdir small
    export ISOLINK BATS_FILE_TMPDIR
    export -f link_pair
    # shellcheck disable=SC2016
    run -0 --separate-stderr unshare -rm bash -c '
        mount -t tmpfs -o size=8k none small && echo old > small/links.csv
        link_pair good -q -o small/links.csv
        echo "status $?"
        ls -A small
        cat small/links.csv'
    [ "${lines[0]}" = "status 1" ]
    [ "${lines[1]}" = links.csv ]
    [ "${lines[2]}" = old ]
    contains "$stderr" "isolink: link: " "small/links.csv" "No space left"
}

@test "a file size limit fails like a full disk" {
    export ISOLINK BATS_FILE_TMPDIR
    export -f link_pair
    run -1 --separate-stderr bash -c 'ulimit -f 1; link_pair good -q'
    contains "$stderr" "links.csv" "too large"
    nothing_left
}

@test "standard output is full, or closed" {
    [ -c /dev/full ] || skip "no /dev/full"
    export ISOLINK BATS_FILE_TMPDIR
    export -f link_pair
    for options in "-o -" "--json"; do
        run -1 bash -c "link_pair good -q $options 2>&1 >/dev/full"
        contains "$output" "isolink: link: " "standard output" "No space left"
    done
    fails "No space left" -- -q -o /dev/full
    [ -c /dev/full ]
    for command in --help --version "link --help" "--version --json"; do
        run -1 bash -c "\"\$ISOLINK\" $command 2>&1 >/dev/full"
        contains "$output" "standard output" "No space left"
    done
    run -1 bash -c 'link_pair good -q -o - 2>&1 >&-'
    contains "$output" "standard output"
}

@test "with standard streams closed no input is written to" {
    cp "$BATS_FILE_TMPDIR"/good/* .
    cp a.npy before.npy
    "$ISOLINK" link a.npy b.npy --a-ids a.ids.txt --b-ids b.ids.txt --seeds seeds.csv \
        --json >&- 2>&- <&- || true
    cmp a.npy before.npy
}

@test "an existing file is replaced, a symbolic link is followed, permissions are kept" {
    echo old > real.csv
    chmod 600 real.csv
    ln -s real.csv link.csv
    link_pair good -q -o link.csv
    [ -L link.csv ]
    [ "$(count_origin real.csv seed)" -eq 15 ]
    [ "$(stat -c %a real.csv)" = 600 ]
    ln -s nowhere/file dangling.csv
    fails dangling.csv -- -o dangling.csv
}

@test "bad input leaves an existing output as it was" {
    echo old > links.csv
    run -3 link_pair good --seeds missing.csv
    [ "$(cat links.csv)" = old ]
}

@test "pipes and devices are written to as they are" {
    mkfifo pipe
    cat pipe > links.txt &
    link_pair good -q -o pipe
    wait
    [ -p pipe ]
    [ "$(count_origin links.txt seed)" -eq 15 ]
    link_pair good -q -o /dev/null
    [ -c /dev/null ]
}
