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
# when any failed. TEST_TIMEOUT: seconds after which a command is killed.
set -u

exit_code_will_do=0
if [ "${1:-}" = -x ]; then
    exit_code_will_do=1
    shift
fi
part=${1:?usage: run_tests.sh [-x] PART COMMAND...}
shift
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
total_passed=0 total_failed=0 total_skipped=0

# Reads the output of a command; prints "passed failed skipped why".
count() {
    awk -v code="$1" -v bare="$exit_code_will_do" '
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
        }' "$log"
}

for command in "$@"; do
    start=$SECONDS
    timeout -k 10 "${TEST_TIMEOUT:-900}" bash -c "$command" >"$log" 2>&1
    read -r passed failed skipped why < <(count $?)
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
    [ $((SECONDS - start)) -lt 5 ] || printf ', %d s' $((SECONDS - start))
    [ -z "$why" ] || printf ' (%s)' "$why"
    echo
done

[ $# != 0 ] || echo "  nothing to run"
[ "$total_skipped" = 0 ] || echo "  $total_skipped skipped"
echo "$part: $total_passed passed, $total_failed failed"
[ "$total_failed" = 0 ]
