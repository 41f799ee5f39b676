#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fails when a compiler keeps accumulators of a register tile in memory: disassembles the
# functions tile_* and part_rows_* of the given objects (or libraries), finds the loops
# that hold fma, and looks for vector stores in them (a tile stores after its loop only).
# A tile with fewer than 12 fma in a loop was not unrolled, so its accumulators are an
# array; an object without a tile fails too. The partial tiles tile_exact_4 and
# part_rows_* may hold fewer, and their object needs a whole one beside them.
# usage: check_spill.sh OBJECT...
# OBJDUMP=aarch64-linux-gnu-objdump for a cross build
set -u

if [ $# -eq 0 ]; then
    echo "usage: $0 OBJECT..." >&2
    exit 2
fi
failed=0
for object in "$@"; do
    "${OBJDUMP:-objdump}" -d --no-show-raw-insn "$object" | awk -v object="$object" '
        # Looks at the loops of the function in line[1..n]. A backward jump from a cold
        # block at its end looks like a loop around the loop: only innermost ones count.
        function finish(   i, j, o, inner, most, stores, shown, loops, from, to, count) {
            if (n == 0) return
            if (partial) partials++
            else tiles++
            for (i = 1; i <= n; i++) {
                if (!(i in target) || !(target[i] in at) || at[target[i]] > i) continue
                loops++
                from[loops] = at[target[i]]
                to[loops] = i
                count[loops] = 0
                for (j = from[loops]; j <= i; j++) count[loops] += is_fma[j]
                if (!count[loops]) loops--
            }
            for (i = 1; i <= loops; i++) {
                inner = 1
                for (o = 1; o <= loops; o++)
                    if (o != i && from[o] >= from[i] && to[o] <= to[i]) inner = 0
                if (!inner) continue
                if (count[i] > most) most = count[i]
                stores = 0
                for (j = from[i]; j <= to[i]; j++)
                    if (is_store[j]) { stores++; shown = line[j] }
                if (stores) {
                    print object ": " name " " stores " vector stores in the fma loop"
                    print "    " shown
                    bad = 1
                }
            }
            if (most < (partial ? 1 : 12)) {
                print object ": " name " " most + 0 " fma in its loop"
                bad = 1
            }
        }
        function clear() {
            n = 0
            split("", line); split("", at); split("", target)
            split("", is_fma); split("", is_store)
        }
        /^[0-9a-f]+ <.*>:$/ {
            finish()
            clear()
            partial = $2 ~ /^<(tile_exact_4|part_rows_)/
            inside = partial || $2 ~ /^<tile_(gemm|match|rows|exact)/
            name = $2
            next
        }
        !inside || !/^ *[0-9a-f]+:/ { next }
        {
            n++
            line[n] = $0
            address = $1
            sub(":", "", address)
            at[address] = n
            is_fma[n] = /vfn?m(add|sub)[0-9]*ps|[ \t]fmla[ \t]/ ||
                        /vpdpbusd|vpmaddwd|[ \t](sdot|smlal2?)[ \t]/
            is_store[n] = /v?mov[a-z0-9]* +%[xyz]mm[0-9]+,[^%]*\(/ ||
                          /[ \t]stu?[rp1][ \t]+[{]?[qv][0-9]/
            if ($2 ~ /^(j|b\.|b$|cbn?z|tbn?z)/)
                for (f = 3; f <= NF; f++)
                    if ($f ~ /^[0-9a-f]+$/) { target[n] = $f; break }
        }
        END {
            finish()
            if (!tiles) { print object ": no register tile found"; exit 1 }
            if (bad) exit 1
            print object ": " tiles " tile(s), " partials + 0 " partial, no spills"
        }' || failed=1
done
exit $failed
