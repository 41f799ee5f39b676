#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks that includes go downward only:
#
#   src/cli, tools -> public API -> src/stream -> src/link
#       -> {src/linalg, src/store, formats} -> src/io -> {src/base, simd}
#
# The program and the tools see <isolink/...> and their own folder only. simd includes
# nothing of src. Two folders may use a neighbour: src/base uses simd, src/store formats;
# others of one level do not know each other. Public headers hold the types of the API and
# may be included by every layer; they include only each other. Tests may look inside and
# are not checked.
set -eu
cd "$(dirname "$0")/.."

files=()
for file in include/isolink/*.h simd/*.[chS] simd/*/*.[chS] src/*/*.[ch] \
    formats/*.[ch] tools/*.[ch] tools/examples/*.[ch]; do
    [ -f "$file" ] && files+=("$file")
done

# file, line, name as written, kind of quote
includes() {
    awk '{
        if (match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*[">]/)) {
            text = substr($0, RSTART, RLENGTH)
            match(text, /["<].*/)
            quote = substr(text, RSTART, 1)
            name = substr(text, RSTART + 1, RLENGTH - 2)
            if (quote == "\"" || name ~ /^isolink\//) print FILENAME, FNR, name
        }
    }' "$@"
}

# The file that an include of $2 in file $1 means, relative to the top folder.
resolve() {
    local folder try
    folder=$(dirname "$1")
    for try in "$folder/$2" "$2" "include/$2"; do
        if [ -f "$try" ]; then
            realpath --relative-to=. "$try"
            return
        fi
    done
    echo "?"
}

folder_of() {
    case $1 in
    include/*) echo api ;;
    simd/*) echo simd ;;
    formats/*) echo formats ;;
    tools/*) echo tools ;;
    src/*) cut -d/ -f2 <<<"$1" ;;
    *) echo other ;;
    esac
}

level() {
    case $1 in
    simd | base) echo 0 ;;
    io) echo 1 ;;
    linalg | store | formats) echo 2 ;;
    link) echo 3 ;;
    stream) echo 4 ;;
    cli | tools) echo 9 ;;
    *) echo -1 ;;
    esac
}

bad=0
count=0
while read -r file line name; do
    count=$((count + 1))
    target=$(resolve "$file" "$name")
    from=$(folder_of "$file")
    to=$(folder_of "$target")
    why=""
    if [ "$target" = "?" ]; then
        why="no such file"
    elif [ "$from" = "$to" ]; then
        continue
    elif [ "$to" = api ]; then
        [ "$from" != simd ] || why="simd includes its own headers only"
    elif [ "$from" = api ]; then
        why="a public header includes public headers only"
    elif [ "$from" = cli ] || [ "$from" = tools ]; then
        why="$from sees <isolink/...> and its own folder only"
    elif [ "$from" = simd ]; then
        why="simd includes its own headers only"
    elif [ "$(level "$to")" = -1 ] || [ "$(level "$from")" = -1 ]; then
        why="no layer of DESIGN section 3"
    elif [ "$from:$to" = base:simd ] || [ "$from:$to" = store:formats ]; then
        continue
    elif [ "$(level "$to")" -ge "$(level "$from")" ]; then
        why="$from must not know $to"
    fi
    if [ -n "$why" ]; then
        echo "$file:$line: includes $name: $why"
        bad=$((bad + 1))
    fi
done < <(includes "${files[@]}")

if [ $bad != 0 ]; then
    echo "check-layers: $bad of $count includes go the wrong way"
    exit 1
fi
echo "check-layers: $count includes in ${#files[@]} files go downward"
