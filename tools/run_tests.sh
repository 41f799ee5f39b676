#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the programs of one part of the tests and counts.
#
#   tools/run_tests.sh [-x] PART COMMAND...
#
# Each COMMAND (one word, run by bash) says how it went in TAP (cmocka, bats) or by a line
# "N passed, N failed" (the kernel runner). With -x the exit code alone will do, as one
# test. Exit code 77 is a skip. A crash, a time-out, a plan not fulfilled or no summary at
# all count as one more failure. The last line is "PART: N passed, N failed"; exit code 1
# when any failed. TEST_TIMEOUT: seconds after which a command is killed. TEST_JOBS: how
# many run at a time, by default one per core; their lines come in the order given.
set -u

exit_code_will_do=0
if [ "${1:-}" = -x ]; then
    exit_code_will_do=1
    shift
fi
part=${1:?usage: run_tests.sh [-x] PART COMMAND...}
shift
logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
jobs=${TEST_JOBS:-$(nproc 2>/dev/null || echo 1)}
total_passed=0 total_failed=0 total_skipped=0

# run NUMBER COMMAND: leaves its output, then its exit code and its seconds.
run() {
    local start=$SECONDS child code
    timeout -k 10 "${TEST_TIMEOUT:-900}" bash -c "$2" >"$logs/$1.log" 2>&1 </dev/null &
    child=$!
    trap 'kill "$child"' TERM
    wait "$child"
    code=$?
    echo "$code $((SECONDS - start))" >"$logs/$1.end.new"
    mv "$logs/$1.end.new" "$logs/$1.end"
}

# Reads the output of a command; prints "passed failed skipped why".
count() {
    awk -v code="$2" -v bare="$exit_code_will_do" '
        { last = $0 }
        /^1\.\.[0-9]+/ { plans++; plan += substr($1, 4); next }
        /^(not )?ok .*# *[Ss][Kk][Ii][Pp]/ { skipped++; next }
        /^ok/ { passed++; next }
        /^not ok/ { failed++; next }
        match($0, /[0-9]+ passed, [0-9]+ failed/) {
            split(substr($0, RSTART, RLENGTH), word, " ")
            summary = 1; said_passed = word[1]; said_failed = word[3]
        }
        END {
            if (code == 77 && !plans) { print 0, 0, 1, last; exit }
            if (plans) {
                if (passed + failed + skipped < plan) why = "stopped early"
            } else if (summary) {
                passed = said_passed; failed = said_failed
            } else if (bare) {
                passed = (code == 0)
            } else
                why = "no summary"
            if (code == 124 || code == 137) why = "timed out"
            else if (code > 128) why = "crashed, signal " code - 128
            else if (code != 0 && !failed && why == "") why = "exit code " code
            print passed + 0, failed + (why != ""), skipped + 0, why
        }' "$1"
}

# report NUMBER COMMAND: the line of a command that has ended.
report() {
    local command=$2 log=$logs/$1.log code seconds passed failed skipped why name
    read -r code seconds <"$logs/$1.end"
    read -r passed failed skipped why < <(count "$log" "$code")
    total_passed=$((total_passed + passed))
    total_failed=$((total_failed + failed))
    total_skipped=$((total_skipped + skipped))
    if [ "$failed" != 0 ]; then
        printf -- '---- %s\n' "$command"
        tail -n 200 "$log"
        printf -- '----\n'
    fi
    name=$(sed -E 's,[^ ]*build/[^/ ]+/(lib/)?,,g' <<<"$command")
    printf '  %-4s %-58s %4d passed' "$([ "$failed" = 0 ] && echo ok || echo FAIL)" \
        "${name:0:58}" "$passed"
    [ "$failed" = 0 ] || printf ', %d failed' "$failed"
    [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
    [ "$seconds" -lt 5 ] || printf ', %d s' "$seconds"
    [ -z "$why" ] || printf ' (%s)' "$why"
    echo
    rm "$log"
}

# The commands do not hear an interrupt from the terminal themselves.
trap 'jobs -p | xargs -r kill; exit 130' INT TERM
commands=("$@")
reported=0
report_ended() {
    while [ -e "$logs/$reported.end" ]; do
        report "$reported" "${commands[reported]}"
        rm "$logs/$reported.end"
        reported=$((reported + 1))
    done
}

running=0
for ((i = 0; i < ${#commands[@]}; i++)); do
    if [ "$running" -ge "$jobs" ]; then
        wait -n
        running=$((running - 1))
        report_ended
    fi
    run "$i" "${commands[i]}" 2>/dev/null &
    running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
    wait -n
    running=$((running - 1))
    report_ended
done

[ $# != 0 ] || echo "  nothing to run"
[ "$total_skipped" = 0 ] || echo "  $total_skipped skipped"
echo "$part: $total_passed passed, $total_failed failed"
[ "$total_failed" = 0 ]
