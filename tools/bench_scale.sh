#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# How time, memory and quality of `isolink link` grow with the number of rows, on
# generated pairs (tools/gen_pair.c). `make bench-scale` builds what it needs first.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."

help() {
    cat <<'END'
Usage: bench_scale.sh [options] [-- LINK-OPTION...]
  --sizes N[,N...]   rows of each side                   [50000,200000,1000000]
  --dim N            dimensions of each side                               [384]
  --overlap X        share of the documents on both sides                  [0.3]
  --seeds N          known pairs                                            [15]
  --seed N           random seed number of the pairs                         [0]
  --threads N        of the linking                                          [2]
  --keep DIR         keep pairs, links and reports in DIR; pairs that are there
                     already are used again
  --json FILE        all numbers as JSON
  LINK-OPTION        goes to `isolink link` as it is

Per size: seconds of each stage, multiply-adds, peak memory, what `isolink eval` says of
the links and what the report claimed; then the exponents log(t2/t1) / log(n2/n1) between
neighbouring sizes and from the first to the last.
Exit status: 0 done, 1 failed, 2 usage.
ISOLINK_BIN, ISOLINK_BUILD: the program, and the folder with tools/gen_pair.
END
}

stop() {
    echo "bench_scale: $2" >&2
    exit "$1"
}

build=${ISOLINK_BUILD:-build/$(uname -m)}
isolink=${ISOLINK_BIN:-$build/isolink}
generate=$build/tools/gen_pair
sizes=50000,200000,1000000 dim=384 overlap=0.3 seeds=15 seed=0 threads=2
keep='' json=''
while [ $# != 0 ]; do
    case $1 in
    --sizes | --dim | --overlap | --seeds | --seed | --threads | --keep | --json)
        [ $# -ge 2 ] || stop 2 "'$1' needs a value"
        printf -v "${1#--}" %s "$2"
        shift 2
        ;;
    --help | -h)
        help
        exit
        ;;
    --)
        shift
        break
        ;;
    *) stop 2 "unknown option '$1'; --help lists the options" ;;
    esac
done
link_options=("$@")

wanted='wants numbers of rows from 1, as in 50000,200000'
[[ $sizes =~ ^[1-9][0-9]{0,9}(,[1-9][0-9]{0,9})*$ ]] || stop 2 "'--sizes' $wanted"
[[ $threads =~ ^[0-9]{1,3}$ ]] || stop 2 "'--threads' wants a number, got '$threads'"
[ -x "$isolink" ] || stop 1 "$isolink is not there; run: make cli"
[ -x "$generate" ] || stop 1 "$generate is not there; run: make bench-scale"

out=$(mktemp -d "${TMPDIR:-/tmp}/isolink-scale.XXXXXX")
trap 'rm -rf "$out"' EXIT
data=$out
if [ -n "$keep" ]; then
    mkdir -p "$keep"
    data=$keep
fi

# Makes the pair of a size, unless its folder is complete from an earlier time: the file
# `options` is written last.
pair() {
    local dir=$1 rows=$2
    local -a options=(--rows "$rows" --dim "$dim" --overlap "$overlap" --seeds "$seeds"
        --seed "$seed")
    local made
    made="${options[*]} $(cksum <tools/gen_pair.c)"
    if [ "$(cat "$dir/options" 2>/dev/null)" = "$made" ]; then
        return
    fi
    rm -f "$dir/options"
    "$generate" "${options[@]}" "$dir" || stop $? "no pair of $rows rows"
    echo "$made" >"$dir/options"
}

# The value of a key in a report of isolink: one key a line there. "null" when absent.
value() {
    awk -v key="\"$2\":" '
        $1 == key && !found { sub(/,$/, "", $2); print $2; found = 1 }
        END { if (!found) print "null" }' "$1"
}

# "name seconds multiply-adds" of each stage of a report.
stages() {
    awk '
        { sub(/,$/, "") }
        $1 == "\"stages\":" { inside = 1 }
        inside && $1 == "\"name\":" { gsub(/"/, "", $2); name = $2 }
        inside && $1 == "\"seconds\":" { seconds = $2 }
        inside && $1 == "\"multiply_adds\":" { print name, seconds, $2 }' "$1"
}

# Links the pair of a size; appends to $out/runs and $out/stages.
run() {
    local rows=$1 dir=$data/$1 code=0 stage
    pair "$dir" "$rows"
    "$isolink" link "$dir/a.npy" "$dir/b.npy" --seeds "$dir/seeds.csv" \
        --threads "$threads" --quiet "${link_options[@]}" --json="$dir/report.json" \
        -o "$dir/links.csv" || code=$?
    # 5 is a refusal, which has a report.
    [ $code = 0 ] || [ $code = 5 ] || stop 1 "isolink link ended with status $code"
    "$isolink" eval "$dir/links.csv" "$dir/truth.csv" --seeds "$dir/seeds.csv" --json \
        >"$dir/eval.json"
    while read -r stage; do
        echo "$rows $stage"
    done < <(stages "$dir/report.json") >>"$out/stages"
    # The seconds of "used" come before those of the stages.
    echo "$rows $(value "$dir/report.json" status)" \
        "$(value "$dir/report.json" seconds)" \
        "$(value "$dir/report.json" peak_rss_bytes)" \
        "$(value "$dir/eval.json" precision) $(value "$dir/eval.json" recall)" \
        "$(value "$dir/eval.json" f1) $(value "$dir/report.json" precision)" \
        "$(value "$dir/report.json" isa)" >>"$out/runs"
    # Gigabytes each: only what --keep asks for stays.
    [ -n "$keep" ] || rm -rf "$dir"
}

# Table on standard output; JSON to the file named, which may be empty.
report() {
    awk -v json="$1" -v dim="$dim" -v overlap="$overlap" -v seeds="$seeds" \
        -v threads="$threads" -v link="${link_options[*]}" '
    function exponent(x, y, from, to) {
        if (x <= 0 || y <= 0 || from == to) return "null"
        return sprintf("%.3f", log(y / x) / log(to / from))
    }
    function share(text) { return text == "null" ? "-" : sprintf("%.1f", 100 * text) }
    FILENAME ~ /stages$/ {
        if (!($2 in known)) { known[$2] = 1; name[++names] = $2 }
        time[$1, $2] += $3
        work[$1] += $4
        next
    }
    {
        gsub(/"/, "")
        rows[++runs] = $1; status[runs] = $2; seconds[runs] = $3; bytes[runs] = $4
        precision[runs] = $5; recall[runs] = $6; f1[runs] = $7; claimed[runs] = $8
        isa = $9
    }
    function put(text, format, values, i) {
        printf "%-16s", text
        for (i = 1; i <= runs; i++) printf " %12s", sprintf(format, values[i])
        print ""
    }
    END {
        for (i = 1; i <= runs; i++) {
            mib[i] = bytes[i] / 1048576
            total[i] = work[rows[i]]
            of[1, i] = share(f1[i]); of[2, i] = share(precision[i])
            of[3, i] = share(claimed[i]); of[4, i] = share(recall[i])
            time_grows[i] = i == 1 ? "" : exponent(seconds[i - 1], seconds[i],
                rows[i - 1], rows[i])
            work_grows[i] = i == 1 ? "" : exponent(total[i - 1], total[i], rows[i - 1],
                rows[i])
        }
        print "dim " dim ", overlap " overlap ", " seeds " seeds, " threads \
            " threads, " isa (link == "" ? "" : ", link options: " link)
        put("rows a side", "%d", rows)
        for (j = 1; j <= names; j++) {
            for (i = 1; i <= runs; i++) part[i] = time[rows[i], name[j]]
            put(name[j] ", s", "%.2f", part)
        }
        put("all, s", "%.2f", seconds)
        put("multiply-adds", "%.3g", total)
        put("peak, MiB", "%.0f", mib)
        split("F1,precision,  estimated,recall", title, ",")
        for (j = 1; j <= 4; j++) {
            for (i = 1; i <= runs; i++) part[i] = of[j, i]
            put(title[j], "%s", part)
        }
        put("status", "%s", status)
        put("exponent, time", "%s", time_grows)
        put("exponent, work", "%s", work_grows)
        whole = exponent(seconds[1], seconds[runs], rows[1], rows[runs])
        if (runs > 1)
            print "\nfrom " rows[1] " to " rows[runs] " rows: time grows with exponent " \
                whole ", multiply-adds with " exponent(total[1], total[runs], rows[1],
                rows[runs])
        if (json == "") exit
        gsub(/[\\"]/, "\\\\&", link)
        head = "{\"schema\": \"isolink-bench-scale-1\", \"dim\": %d, \"overlap\": %s, " \
            "\"seeds\": %d, \"threads\": %d, \"isa\": \"%s\", " \
            "\"link_options\": \"%s\",\n \"exponent\": %s, \"runs\": ["
        printf(head, dim, overlap, seeds, threads, isa, link, whole) >json
        run = "%s\n  {\"rows\": %d, \"status\": \"%s\", \"seconds\": %s, " \
            "\"multiply_adds\": %.6g, \"peak_rss_bytes\": %s,\n   \"f1\": %s, " \
            "\"precision\": %s, \"recall\": %s, \"precision_estimated\": %s, " \
            "\"exponent\": %s,\n   \"stages\": {"
        time_grows[1] = "null"
        for (i = 1; i <= runs; i++) {
            comma = i > 1 ? "," : ""
            printf(run, comma, rows[i], status[i], seconds[i], total[i], bytes[i], f1[i],
                precision[i], recall[i], claimed[i], time_grows[i]) >json
            for (j = 1; j <= names; j++) {
                comma = j > 1 ? ", " : ""
                printf("%s\"%s\": %.6f", comma, name[j], time[rows[i], name[j]]) >json
            }
            printf("}}") >json
        }
        print "\n ]}" >json
    }' "$out/stages" "$out/runs"
}

: >"$out/stages"
: >"$out/runs"
# A name relative to the caller was meant from the top folder; it is checked before hours
# of work.
[ -z "$json" ] || : >"$json" || stop 1 "cannot write $json"
for rows in ${sizes//,/ }; do
    [ ! -t 2 ] || echo "bench_scale: $rows rows" >&2
    run "$rows"
done
report "$json"
