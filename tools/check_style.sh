#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks the rules of CONTRIBUTING.md that a script can check, on all files that git would
# commit: tabs, trailing space, final newline, invisible characters, SPDX line, banned
# functions, lines of at most 90 columns, files below 1000 lines, functions of at most 70
# lines, no path of somebody's machine; and shellcheck on the scripts when it is
# installed.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8

bad=$(mktemp)
trap 'rm -f "$bad"' EXIT
# Lines "file:line: text" become "file:line: $1: text".
report() { sed -E "s/^([^:]+(:[0-9]+)?):/\1: $1:/" >>"$bad"; }
# grep that does not mind finding nothing, or having no files
look() { if [ $# -gt 2 ]; then grep -aHnP "$@" || [ $? = 1 ]; fi; }

all=()
while IFS= read -r file; do
    case $file in
    # Data and the licence are as they are; goldens and corpora are broken on purpose.
    LICENSE | tests/data/*/*.* | formats/golden/* | tests/fuzz/corpus/*)
        case $file in *.md) ;; *) continue ;; esac
        ;;
    esac
    [ -f "$file" ] && all+=("$file")
done < <(git ls-files -co --exclude-standard 2>/dev/null ||
    find . -type f -not -path './.git/*' -not -path './build/*' -printf '%P\n')

c=() scripts=() code=()
for file in "${all[@]}"; do
    case $file in
    *.[chS] | *.def) c+=("$file") code+=("$file") ;;
    *.sh | .ci/run) scripts+=("$file") code+=("$file") ;;
    *.bats | *.bash | *.py | Makefile | *.map) code+=("$file") ;;
    esac
done

not_make=()
for file in "${all[@]}"; do
    [ "$file" = Makefile ] || not_make+=("$file")
done
look '\t' "${not_make[@]}" | report "tab"
look '[ \t]$' "${all[@]}" | report "space at the end of the line"
look '\r' "${all[@]}" | report "carriage return"
# Zero width and bidirectional characters, soft hyphen, no-break spaces, byte order mark,
# controls.
invisible='\x{AD}\x{A0}\x{200B}-\x{200F}\x{2028}-\x{202F}\x{2060}-\x{206F}\x{FEFF}'
look "[$invisible]" "${all[@]}" |
    report "invisible character"
look '[\x00-\x08\x0B\x0C\x0E-\x1F\x7F]' "${all[@]}" | report "control character"
look '.{91,}' "${code[@]}" | cut -c 1-60 | report "longer than 90 columns"
look '/(work|root|Users|home/[a-z]+)/' "${all[@]}" | grep -v '^tools/check_style.sh:' |
    report "path of somebody's machine"

for file in "${all[@]}"; do
    [ ! -s "$file" ] || [ "$(tail -c 1 "$file" | wc -l)" = 1 ] ||
        echo "$file:" | report "no newline at the end"
done
for file in "${code[@]}"; do
    head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2\.0' ||
        echo "$file:" | report "no SPDX line among the first three"
    lines=$(wc -l <"$file")
    [ "$lines" -lt 1000 ] || echo "$file: $lines" | report "1000 lines or more"
done

# Comments and texts are blanked first, so that they may speak of the functions.
banned='(strcpy|strcat|sprintf|vsprintf|gets|atoi|strtok|rand|alloca)[ ]*\('
banned="(^|[^a-zA-Z0-9_])$banned"
for file in "${c[@]}"; do
    awk -v banned="$banned" '
        {
            line = $0
            gsub(/\\./, "", line)
            gsub(/"[^"]*"/, "\"\"", line)
            gsub(/\/\*[^*]*\*+([^\/*][^*]*\*+)*\//, " ", line)
            if (inside) {
                if (!match(line, /\*\//)) next
                line = substr(line, RSTART + 2)
                inside = 0
            }
            if (match(line, /\/\*/)) { line = substr(line, 1, RSTART - 1); inside = 1 }
            sub(/\/\/.*/, "", line)
            if (line ~ banned) printf "%s:%d:%s\n", FILENAME, FNR, $0
        }' "$file"
done | report "banned function"

# A function is what stands between a { and a } in the first column, when the line before
# the { ends a parameter list; tables and structs are not counted.
for file in "${c[@]}"; do
    awk '
        /^\{/ && before ~ /\)[ ]*$/ { start = FNR; name = head }
        /^\}/ && start {
            if (FNR - start + 1 > 70)
                printf "%s:%d: %d lines: %s\n", FILENAME, start, FNR - start + 1, name
            start = 0
        }
        /^[a-zA-Z].*\(/ { head = $0 }
        { before = $0 }' "$file"
done | report "function longer than 70 lines"

if [ ${#scripts[@]} != 0 ]; then
    if command -v shellcheck >/dev/null; then
        shellcheck -f gcc "${scripts[@]}" | report "shellcheck" || true
    else
        echo "style: shellcheck is missing, scripts are not analysed"
    fi
fi

if [ -s "$bad" ]; then
    cat "$bad"
    echo "style: $(wc -l <"$bad") findings in ${#all[@]} files"
    exit 1
fi
echo "style: ${#all[@]} files"
