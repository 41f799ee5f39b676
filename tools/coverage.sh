#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Prints line coverage by file from a build with COVERAGE=1, least covered first.
#
#   tools/coverage.sh BUILD_FOLDER       (`make coverage` builds, tests and calls it)
set -eu
cd "$(dirname "$0")/.."

build=${1:?usage: coverage.sh BUILD_FOLDER}

# The objects that tests link (faults/) and those of the program (lib/) come from the same
# sources: a line counts once, as covered when either ran it.
find "$build" -name '*.gcda' -not -path '*/tests/*' -print0 |
    xargs -0 -r "${GCOV:-gcov}" -t -r 2>/dev/null |
    awk -F: '
        $3 == "Source" { source = $4; next }
        $2 ~ /^ *[0-9]+$/ && $2 + 0 > 0 {
            count = $1
            gsub(/ /, "", count)
            if (count == "-" || source ~ /^tests\//) next
            key = source SUBSEP ($2 + 0)
            if (!(key in line)) { line[key] = 1; lines[source]++ }
            if (count !~ /^[#=]/ && !(key in hit)) { hit[key] = 1; hits[source]++ }
        }
        END {
            for (s in lines) {
                share = 100 * hits[s] / lines[s]
                printf "%6.1f %%  %5d of %5d  %s\n", share, hits[s], lines[s], s
                all += lines[s]; all_hit += hits[s]
            }
            share = all ? 100 * all_hit / all : 0
            printf "%6.1f %%  %5d of %5d  all\n", share, all_hit, all
        }' | sort -n
