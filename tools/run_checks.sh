#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the parts of `make check` one after the other, all of them whatever fails, and sums
# up.
#
#   tools/run_checks.sh PART...
#
# A part is a make target whose output ends with "PART: N passed, N failed". A part that
# does not build, dies, or says nothing counts as one failure. The last line is "N passed,
# N failed", the exit code 1 when any failed. MAKE: the make to use; JOBS: compile jobs,
# empty when it has some.
set -u

make=${MAKE:-make}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
passed=0 failed=0 broken=""

# All programs at once use all cores; what does not compile is reported by its part.
# shellcheck disable=SC2086 # MAKE may hold several words
$make ${JOBS:+-j"$JOBS"} -k build-tests || echo "run_checks: some programs do not build"

for part in "$@"; do
    echo "== $part"
    # shellcheck disable=SC2086
    $make "$part" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    line=$(grep -E "^$part: [0-9]+ passed, [0-9]+ failed\$" "$log" | tail -n 1)
    read -r _ part_passed _ part_failed _ <<<"${line:-- 0 x 0}"
    if [ "$part_failed" = 0 ] && { [ -z "$line" ] || [ "$code" != 0 ]; }; then
        part_failed=1
        echo "$part: broken, exit code $code${line:+ in spite of its summary}"
    fi
    [ "$part_failed" = 0 ] || broken+=" $part"
    passed=$((passed + part_passed))
    failed=$((failed + part_failed))
done

echo
[ -z "$broken" ] || echo "failed:$broken"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
