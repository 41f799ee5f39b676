#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Checks names that the linker sees.
#
#   tools/check_symbols.sh LIBRARY.a LIBRARY.so
#
# Every external symbol of the static library begins with il_; the shared library exports
# exactly the functions that the public headers mark IL_API. NM: the nm to use.
set -eu

static=${1:?usage: check_symbols.sh LIBRARY.a LIBRARY.so}
shared=${2:?usage: check_symbols.sh LIBRARY.a LIBRARY.so}
nm=${NM:-nm}
status=0

# A sanitizer and gcov add names of their own.
foreign=$($nm -g --defined-only "$static" | awk 'NF == 3 { print $3 }' |
    grep -vE '^(il_|__(asan|tsan|ubsan|odr_asan|gcov|sanitizer))' | sort -u || true)
if [ -n "$foreign" ]; then
    echo "symbols: external names without il_ in $static:"
    echo "$foreign"
    status=1
fi

# A declaration may run over several lines: the name is the word before the first
# parenthesis.
public=$(cat include/isolink/*.h | grep -v '^#define' | tr '\n' ' ' |
    grep -oE 'IL_API [^(;]*\(' | grep -oE 'il_[a-z0-9_]+ *\($' | tr -d ' (' | sort -u)
exported=$($nm -D --defined-only "$shared" | awk '$2 != "A" { print $3 }' |
    sed 's/@.*//' | grep -v '^__' | sort -u)
difference=$(diff <(printf '%s\n' "$public") <(printf '%s\n' "$exported") || true)
if [ -n "$difference" ]; then
    echo "symbols: public headers (<) and exports of $shared (>) differ:"
    grep '^[<>]' <<<"$difference" | sed 's/^/  /'
    status=1
fi
[ $status != 0 ] ||
    echo "symbols: $(wc -l <<<"$exported") public functions, no foreign name"
exit $status
