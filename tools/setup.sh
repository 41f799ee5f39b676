#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Installs what isolink needs and this machine lacks, from Debian's or Ubuntu's own
# packages.
#
#   tools/setup.sh [build | test | ci | bench | peers]
#
# Looks first for each thing itself (a command, a header), not for its package: when all
# is there it says so in one line and touches neither apt nor the network. Uses sudo
# unless it runs as root.
set -u

level=${1:-build}
compiler=${CC:-cc}
needs=()  # package|why|test
missing=() packages=()

need() { needs+=("$1|$2|$3"); }

needs_of_build() {
    need gcc "the C compiler" "compiler"
    need libc6-dev "headers of the C library" "header stdio.h"
    need make "runs the Makefile" "command make"
    need pkg-config "finds an installed libisolink" "command pkg-config"
    need libsleef-dev "exp() with equal bits on every CPU" "header sleef.h"
    need libxxhash-dev "checksums and hash tables" "header xxhash.h"
    need libzstd-dev "compressed chunks of segments" "header zstd.h"
    need liburing-dev "reads many ranges of a file at once" "header liburing.h"
    need libsqlite3-dev "databases of sqlite-vec" "header sqlite3.h"
    need libmicrohttpd-dev "figures of the daemon for Prometheus" "header microhttpd.h"
    need libjansson-dev "JSON reports of the program" "header jansson.h"
}

needs_of_test() {
    needs_of_build
    need libcmocka-dev "unit and integration tests" "cmocka"
    need bats "tests of the program" "command bats"
    if [ "$(uname -m)" != aarch64 ]; then
        need gcc-aarch64-linux-gnu "compiles the NEON kernels" \
            "command aarch64-linux-gnu-gcc"
        need libc6-dev-arm64-cross "C library for the NEON kernels" \
            "file /usr/aarch64-linux-gnu/include/stdio.h"
        need qemu-user "runs the NEON kernels" "command qemu-aarch64"
    fi
}

needs_of_ci() {
    needs_of_test
    need g++ "public headers as C++" "command g++"
    need clang "the second compiler" "command clang"
    need libclang-rt-14-dev "sanitizers and fuzzer of clang" "sanitizers"
    need clang-format "code format" "command clang-format"
    need clang-tidy "static analysis" "command clang-tidy"
    need shellcheck "static analysis of scripts" "command shellcheck"
    need python3 "second decoders, data generators" "command python3"
}

needs_of_bench() {
    needs_of_build
    need python3 "benchmark reports" "command python3"
    need python3-numpy "the reference implementation" "numpy"
    need fio "the reading that scans are compared with" "command fio"
}

# What `make bench-peers` compares with; it works without them too.
needs_of_peers() {
    needs_of_build
    need g++ "the benchmark is in C++" "command g++"
    need libopenblas-dev "sgemm" "cxx cblas.h"
    need libfaiss-dev "exact indexes" "cxx faiss/IndexFlat.h"
    need libhnswlib-dev "an approximate index" "cxx hnswlib/hnswlib.h"
}

have() {
    case $1 in
    compiler) command -v "${compiler%% *}" >/dev/null ;;
    command) command -v "$2" >/dev/null ;;
    file) [ -e "$2" ] ;;
    header)
        # shellcheck disable=SC2086 # CC may hold options
        echo "#include <$2>" | $compiler -E -x c - >/dev/null 2>&1
        ;;
    cxx) echo "#include <$2>" | ${CXX:-c++} -E -x c++ - >/dev/null 2>&1 ;;
    cmocka)
        # The header wants these four before it.
        # shellcheck disable=SC2086
        printf '#include <%s>\n' stdarg.h stddef.h stdint.h setjmp.h cmocka.h |
            $compiler -E -x c - >/dev/null 2>&1
        ;;
    sanitizers)
        # clang prints the bare name when it does not have the file.
        clang -print-file-name="libclang_rt.fuzzer-$(uname -m).a" 2>/dev/null | grep -q /
        ;;
    numpy)
        python3 -c 'import numpy' 2>/dev/null ||
            /usr/bin/python3 -c 'import numpy' 2>/dev/null
        ;;
    esac
}

# Sets missing (texts) and packages (names).
look() {
    local entry package why how
    missing=() packages=()
    for entry in "${needs[@]}"; do
        IFS='|' read -r package why how <<<"$entry"
        # shellcheck disable=SC2086 # the test is a word and its argument
        if ! have $how; then
            missing+=("$(printf '  %-24s %s' "$package" "$why")")
            packages+=("$package")
        fi
    done
}

give_up() {
    {
        echo "setup: $1"
        echo "setup: install these packages by hand, then run make again:"
        echo "  ${packages[*]}"
    } >&2
    exit 1
}

# Newer releases name the sanitizers after another version of clang, or put them into
# clang's own.
choose_sanitizers() {
    local i
    for i in "${!packages[@]}"; do
        if [ "${packages[i]}" = libclang-rt-14-dev ] &&
            ! apt-cache show libclang-rt-14-dev >/dev/null 2>&1; then
            packages[i]=libclang-rt-dev
            apt-cache show libclang-rt-dev >/dev/null 2>&1 || unset "packages[i]"
        fi
    done
    packages=("${packages[@]}")
}

case $level in
build | test | ci | bench | peers) "needs_of_$level" ;;
*)
    echo "usage: tools/setup.sh [build | test | ci | bench | peers]" >&2
    exit 2
    ;;
esac

look
if [ ${#packages[@]} = 0 ]; then
    echo "setup: nothing is missing for '$level'"
    exit 0
fi
echo "setup: '$level' needs these packages, which are missing here:"
printf '%s\n' "${missing[@]}"

command -v apt-get >/dev/null || give_up "there is no apt-get on this machine"
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || give_up "not root, and there is no sudo"
    as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0)

echo "setup: running ${as_root[*]:+sudo }apt-get install ${packages[*]}"
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# One source that cannot be reached need not be the one that matters.
if ! "${apt[@]}" update >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "setup: apt-get update failed, trying with the lists that are here" >&2
fi
choose_sanitizers
if ! "${apt[@]}" install --no-install-recommends "${packages[@]}" >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    give_up "apt-get install failed"
fi

look
[ ${#packages[@]} = 0 ] || give_up "apt-get succeeded, but these are still not found"
echo "setup: done"
