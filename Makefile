# SPDX-License-Identifier: Apache-2.0
#
# isolink: `make help` lists the targets. One file, no recursion into folders; everything
# is built in build/ARCH (build/ARCH-SAN with a sanitizer), nothing is written beside the
# sources.
#
# Obeys CC CFLAGS CPPFLAGS LDFLAGS AR PREFIX DESTDIR. V=1 shows the commands, WERROR=1
# turns warnings into errors, SAN=address,undefined or SAN=thread builds any target with
# that sanitizer, BUILD=folder builds elsewhere.

MAKEFLAGS += -r --no-print-directory
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
SHELL := /bin/bash

CC ?= cc
CXX ?= c++
AR ?= ar
NM ?= nm
OBJDUMP ?= objdump
CFLAGS ?= -g
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
JOBS ?= $(shell nproc 2>/dev/null || echo 1)
FUZZ_TIME ?= 60
# Seconds after which a test program counts as hung.
TEST_TIMEOUT ?= 900
# Under qemu and sanitizers the kernels are tested with fewer sizes; FULL=1 takes all.
KERNELS_FEWER := $(if $(FULL),,--quick)
# Only the test programs whose names match, as in `make check-unit T=test_npy`.
T ?= %

comma := ,
hash := \#
space := $() $()

# -------------------------------------------------------------------- version and machine

VERSION := $(shell sed -n 's/^.define IL_VERSION "\(.*\)"/\1/p' include/isolink/version.h)
SO_MAJOR := $(firstword $(subst ., ,$(VERSION)))
# x86_64, aarch64, ...: what the compiler builds for, which need not be the machine it
# runs on.
TRIPLE := $(shell $(CC) -dumpmachine 2>/dev/null || uname -m)
ARCH := $(patsubst arm64,aarch64,$(firstword $(subst -, ,$(TRIPLE))))
BUILD ?= build/$(ARCH)$(if $(SAN),-$(subst $(comma),-,$(SAN)))$(if $(COVERAGE),-coverage)

# SLEEF is wanted (it is the faster exp) but not needed: without its header our own code
# does it.
HAVE_SLEEF := $(shell echo '$(hash)include <sleef.h>' | \
    $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo 1)
# liburing likewise: without it files are read by pread alone. `make HAVE_URING=` does so.
HAVE_URING := $(shell echo '$(hash)include <liburing.h>' | \
    $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo 1)
# libsqlite3 likewise: without it databases of sqlite-vec are refused.
HAVE_SQLITE := $(shell echo '$(hash)include <sqlite3.h>' | \
    $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo 1)

# libmicrohttpd likewise: without it `isolink tail` has no --metrics.
HAVE_MICROHTTPD := $(shell echo '$(hash)include <microhttpd.h>' | \
    $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo 1)

# xxHash for the vectors of the machine at hand, where it was built so: two to three times
# as fast, the same sums.
HAVE_XXH_DISPATCH := $(shell printf '%s\n' '$(hash)include <xxh_x86dispatch.h>' \
    'int main(void) { return (int)XXH3_64bits_dispatch("", 0); }' | \
    $(CC) $(CPPFLAGS) $(LDFLAGS) -x c - -o /dev/null -lxxhash 2>/dev/null && echo 1)

# ---------------------------------------------------------------------------------- flags

# Users' CFLAGS come after -O2 and before the flags that the numeric contract rests on:
# equal links on every machine need every rounding to happen where the source says
# (CONTRIBUTING.md). -Wconversion is off under a sanitizer: gcc 12 then warns inside its
# own intrinsics headers.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
WARN += $(if $(SAN),,-Wconversion) $(if $(WERROR),-Werror)
# Tests mix sizes and literals freely and hold their functions in the file.
WARN_TESTS := $(filter-out -Wconversion -Wmissing-prototypes,$(WARN))

SAN_FLAGS := $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer)
SAN_FLAGS += $(if $(findstring undefined,$(SAN)),-fno-sanitize-recover=undefined)
COVERAGE_FLAGS := $(if $(COVERAGE),--coverage -O0)

IL_CPPFLAGS = -D_GNU_SOURCE -Iinclude -I. $(if $(HAVE_SLEEF),,-DIL_NO_SLEEF) \
    $(if $(HAVE_URING),,-DIL_NO_URING) $(if $(HAVE_SQLITE),,-DIL_NO_SQLITE) \
    $(if $(HAVE_MICROHTTPD),,-DIL_NO_MICROHTTPD) \
    $(if $(HAVE_XXH_DISPATCH),-DIL_XXH_DISPATCH) $(CPPFLAGS)
IL_CFLAGS = -std=c11 -O2 -fvisibility=hidden -fPIC $(CFLAGS) -ffp-contract=off \
    -fno-fast-math $(SAN_FLAGS) $(COVERAGE_FLAGS)
IL_LDFLAGS = $(SAN_FLAGS) $(if $(COVERAGE),--coverage) $(LDFLAGS)
LIB_LIBS := $(if $(HAVE_SLEEF),-lsleef) $(if $(HAVE_URING),-luring) \
    $(if $(HAVE_SQLITE),-lsqlite3) -lxxhash -lzstd -lm -lpthread
CLI_LIBS := -ljansson $(if $(HAVE_MICROHTTPD),-lmicrohttpd)

# Instruction sets by folder; everything outside these folders stays at the floor of the
# ABI.
ISA_x86_64 := avx2 avx512
ISA_aarch64 := neon
ISA_DIRS := ref $(ISA_$(ARCH))
FLAGS_avx2 := -mavx2 -mfma -mf16c
FLAGS_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c
FLAGS_neon :=
FLAGS_ref := -fno-tree-vectorize
# $(call isa_flags,simd/avx2/dot.c) -> the flags of its folder
isa_flags = $(if $(filter simd/%,$1),$(FLAGS_$(word 2,$(subst /, ,$1))))

# -------------------------------------------------------------------------------- sources

SIMD_SRC := $(wildcard simd/*.c $(ISA_DIRS:%=simd/%/*.c) $(ISA_DIRS:%=simd/%/*.S))
LIB_DIRS := src/base src/io src/store src/linalg src/link src/stream formats
LIB_SRC := $(wildcard $(LIB_DIRS:%=%/*.c)) $(SIMD_SRC)
CLI_SRC := $(wildcard src/cli/*.c)
PUBLIC_H := $(wildcard include/isolink/*.h)
ALL_C := $(wildcard include/isolink/*.h src/*/*.[ch] formats/*.[ch] simd/*.[ch] \
    simd/*/*.[ch] tests/*/*.[ch] tools/*.[ch] tools/examples/*.[ch])

LIB_OBJ := $(LIB_SRC:%=$(BUILD)/lib/%.o)
SIMD_OBJ := $(SIMD_SRC:%=$(BUILD)/lib/%.o)
CLI_OBJ := $(CLI_SRC:%=$(BUILD)/lib/%.o)
# The library once more with fault hooks and assertions: what unit and integration tests
# link.
FAULTS_OBJ := $(LIB_SRC:%=$(BUILD)/faults/%.o)
# Parts of the program that unit tests look into.
PARTS_OBJ := $(patsubst %,$(BUILD)/faults/%.o,$(filter-out src/cli/main.c,$(CLI_SRC)))
# tests/support holds programs that tests call and functions that they share.
SUPPORT_SRC := $(wildcard tests/support/*.c)
SUPPORT_MAIN := $(if $(SUPPORT_SRC),$(shell grep -l '^int main\b' $(SUPPORT_SRC)))
SUPPORT_OBJ := $(filter-out $(SUPPORT_MAIN),$(SUPPORT_SRC))
SUPPORT_OBJ := $(SUPPORT_OBJ:%=$(BUILD)/faults/%.o)
KERNEL_OBJ := $(patsubst %,$(BUILD)/lib/%.o,$(wildcard tests/kernels/*.c))
PEAK_OBJ := $(BUILD)/lib/src/link/bench_peak.c.o

STATIC := $(BUILD)/libisolink.a
SHARED := $(BUILD)/libisolink.so.$(VERSION)
CLI := $(BUILD)/isolink
KERNELS := $(BUILD)/kernels
FAULTS := $(BUILD)/faults/libisolink.a
SUPPORT_LIB := $(BUILD)/faults/libsupport.a
PARTS_LIB := $(BUILD)/faults/libparts.a
PROGRAMS := $(patsubst tests/support/%.c,$(BUILD)/support/%,$(SUPPORT_MAIN))

programs = $(filter $T,$(basename $(notdir $(wildcard $1))))
UNIT := $(addprefix $(BUILD)/unit/,$(call programs,tests/unit/test_*.c))
INTEGRATION := $(addprefix $(BUILD)/integration/,\
    $(call programs,tests/integration/test_*.c tests/fault/test_*.c))
FUZZERS := $(patsubst fuzz_%,%,$(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c))))
REPLAY := $(addprefix $(BUILD)/fuzz/replay_,$(FUZZERS))
BATS_FILES := $(wildcard tests/cli/*.bats)
# tools/bench_quality_*.c are parts of bench_quality, bench_stream_*.c of bench_stream;
# every other file is a program.
QUALITY_PARTS := $(wildcard tools/bench_quality_*.c)
STREAM_PARTS := $(wildcard tools/bench_stream_*.c)
TOOLS := $(filter-out $(QUALITY_PARTS) $(STREAM_PARTS),$(wildcard tools/*.c))
TOOLS := $(TOOLS:%.c=$(BUILD)/%)
# Programs for readers: the library alone.
EXAMPLES := $(patsubst tools/%.c,$(BUILD)/%,$(wildcard tools/examples/*.c))

# --------------------------------------------------------------------------------- output

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

## all: library, command line program, man page, examples (the default)
all: lib cli man examples

## lib: libisolink.a, libisolink.so and isolink.pc
lib: $(STATIC) $(BUILD)/libisolink.so $(BUILD)/isolink.pc

## cli: the program isolink
cli: $(CLI)

## examples: the programs of tools/examples, in build/ARCH/examples
examples: $(EXAMPLES)

## man: the man page with this version, in build/ARCH/isolink.1
man: $(BUILD)/isolink.1

## help: this list
help:
	@echo 'make TARGET [V=1] [WERROR=1] [SAN=address,undefined | SAN=thread] [CC=...]'; echo
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' $(firstword $(MAKEFILE_LIST)) | \
	    awk -F '\t' '{ printf "  %-18s %s\n", $$1, $$2 }'

# ---------------------------------------------------------------------------- compilation

# These two change only when their contents do, so that other flags or another list of
# sources rebuild what they must and nothing else does.
FLAGS_NOW = $(CC) $(IL_CPPFLAGS) $(IL_CFLAGS) $(WARN) $(IL_LDFLAGS) $(LIB_LIBS)
$(BUILD)/flags: FORCE
	@mkdir -p $(@D); printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
	    printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' > $@
$(BUILD)/sources: FORCE
	@mkdir -p $(@D); echo '$(LIB_SRC) $(CLI_SRC)' | cmp -s - $@ || \
	    echo '$(LIB_SRC) $(CLI_SRC)' > $@
FORCE:

# `isolink --version` says how it was built, without the folders of the build machine.
RECORD = $(filter-out -ffile-prefix-map=% -fdebug-prefix-map=%,$(subst ",,$(IL_CFLAGS)))
cli_flags = $(if $(filter src/cli/%,$1),-DIL_BUILD_FLAGS='"$(strip $(RECORD))"')

compile = $(CC) $(IL_CPPFLAGS) $(IL_CFLAGS) $(call isa_flags,$<) $(call cli_flags,$<) \
    -MMD -MP -c -o $@ $<

$(BUILD)/lib/%.c.o: %.c $(BUILD)/flags
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(compile) $(WARN)

$(BUILD)/lib/tests/%.c.o: tests/%.c $(BUILD)/flags
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(compile) $(WARN_TESTS)

$(BUILD)/faults/%.c.o: %.c $(BUILD)/flags
	$(say) CC '$< (faults)'
	$(Q)mkdir -p $(@D)
	$(Q)$(compile) $(WARN) -DIL_FAULTS -DIL_DEBUG

$(BUILD)/faults/tests/%.c.o: tests/%.c $(BUILD)/flags
	$(say) CC $<
	$(Q)mkdir -p $(@D)
	$(Q)$(compile) $(WARN_TESTS) -DIL_FAULTS -DIL_DEBUG

$(BUILD)/lib/%.S.o $(BUILD)/faults/%.S.o: %.S $(BUILD)/flags
	$(say) AS $<
	$(Q)mkdir -p $(BUILD)/lib/$(*D) $(BUILD)/faults/$(*D)
	$(Q)$(CC) $(IL_CPPFLAGS) $(call isa_flags,$<) -MMD -MP -c -o $(BUILD)/lib/$*.S.o $<
	$(Q)cp $(BUILD)/lib/$*.S.o $(BUILD)/faults/$*.S.o

$(STATIC): $(LIB_OBJ) $(BUILD)/sources
$(FAULTS): $(FAULTS_OBJ) $(BUILD)/sources
$(SUPPORT_LIB): $(SUPPORT_OBJ) $(BUILD)/flags
$(PARTS_LIB): $(PARTS_OBJ) $(BUILD)/sources
# q, not r: the folders of instruction sets hold files of the same names.
$(STATIC) $(FAULTS) $(SUPPORT_LIB) $(PARTS_LIB):
	$(say) AR $@
	$(Q)mkdir -p $(@D); rm -f $@
	$(Q)$(AR) qcs $@ $(filter %.o,$^)

# The sanitizers' symbols stay undefined until a program is linked, so -z defs is for
# plain builds.
$(SHARED): $(LIB_OBJ) $(BUILD)/sources src/libisolink.map
	$(say) LD $@
	$(Q)$(CC) -shared -Wl,-soname,libisolink.so.$(SO_MAJOR) \
	    $(if $(SAN),,-Wl$(comma)-z$(comma)defs) -Wl,--version-script=src/libisolink.map \
	    $(IL_CFLAGS) -o $@ $(filter %.o,$^) $(IL_LDFLAGS) $(LIB_LIBS)

$(BUILD)/libisolink.so: $(SHARED)
	$(Q)ln -sf $(notdir $(SHARED)) $(BUILD)/libisolink.so.$(SO_MAJOR)
	$(Q)ln -sf $(notdir $(SHARED)) $@

link = $(CC) $(IL_CFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(IL_LDFLAGS)

$(CLI): $(CLI_OBJ) $(STATIC)
	$(say) LD $@
	$(Q)$(link) $(CLI_LIBS) $(LIB_LIBS)

$(BUILD)/tools/%: $(BUILD)/lib/tools/%.c.o $(STATIC)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(link) $(CLI_LIBS) $(LIB_LIBS)

$(BUILD)/examples/%: $(BUILD)/lib/tools/examples/%.c.o $(STATIC)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(link) $(LIB_LIBS)

$(BUILD)/isolink.pc: include/isolink/version.h $(BUILD)/flags $(BUILD)/prefix
	$(say) GEN $@
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR:$(PREFIX)/%=$${prefix}/%)' \
	    'includedir=$(INCLUDEDIR:$(PREFIX)/%=$${prefix}/%)' '' 'Name: isolink' \
	    'Description: Links vectors of two embedding models that belong to one document' \
	    'Version: $(VERSION)' 'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lisolink' \
	    'Libs.private: $(LIB_LIBS)' > $@

$(BUILD)/prefix: FORCE
	@mkdir -p $(@D); echo '$(PREFIX) $(LIBDIR) $(INCLUDEDIR)' | cmp -s - $@ || \
	    echo '$(PREFIX) $(LIBDIR) $(INCLUDEDIR)' > $@

$(BUILD)/isolink.1: src/cli/isolink.1 include/isolink/version.h
	$(say) GEN $@
	$(Q)mkdir -p $(@D)
	$(Q)sed 's/@VERSION@/$(VERSION)/g' $< > $@

# -------------------------------------------------------------------------------- install

## install: program, libraries, headers, pkg-config file and man page below DESTDIR/PREFIX
install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig \
	    $(DESTDIR)$(INCLUDEDIR)/isolink $(DESTDIR)$(MANDIR)/man1
	install -m 755 $(CLI) $(DESTDIR)$(BINDIR)/isolink
	install -m 644 $(STATIC) $(DESTDIR)$(LIBDIR)/libisolink.a
	install -m 644 $(SHARED) $(DESTDIR)$(LIBDIR)/$(notdir $(SHARED))
	ln -sf $(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/libisolink.so.$(SO_MAJOR)
	ln -sf libisolink.so.$(SO_MAJOR) $(DESTDIR)$(LIBDIR)/libisolink.so
	install -m 644 $(BUILD)/isolink.pc $(DESTDIR)$(LIBDIR)/pkgconfig/isolink.pc
	install -m 644 $(PUBLIC_H) $(DESTDIR)$(INCLUDEDIR)/isolink/
	install -m 644 $(BUILD)/isolink.1 $(DESTDIR)$(MANDIR)/man1/

## uninstall: removes what install put there
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/isolink $(DESTDIR)$(LIBDIR)/libisolink.a \
	    $(DESTDIR)$(LIBDIR)/libisolink.so $(DESTDIR)$(LIBDIR)/libisolink.so.$(SO_MAJOR) \
	    $(DESTDIR)$(LIBDIR)/$(notdir $(SHARED)) $(DESTDIR)$(LIBDIR)/pkgconfig/isolink.pc \
	    $(addprefix $(DESTDIR)$(INCLUDEDIR)/isolink/,$(notdir $(PUBLIC_H))) \
	    $(DESTDIR)$(MANDIR)/man1/isolink.1
	-rmdir $(DESTDIR)$(INCLUDEDIR)/isolink 2>/dev/null

## dist: isolink-VERSION.tar.gz of the committed files
dist:
	@mkdir -p build
	git archive --format=tar --prefix=isolink-$(VERSION)/ HEAD | gzip -9n \
	    > build/isolink-$(VERSION).tar.gz

## clean: removes build/
clean:
	rm -rf build

# ------------------------------------------------------------------------- demo and tests

# setup.sh may install the compiler's libraries, so what follows it reads this file anew.
jobs = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(JOBS))

## demo: installs what is missing, builds, links tests/data/demo, judges the links
demo:
	@tools/setup.sh build
	@$(MAKE) $(jobs) cli
	@tools/demo.sh $(CLI)

## demo-stream: the same rows coming one by one, linked live; half a minute
demo-stream:
	@tools/setup.sh build
	@$(MAKE) $(jobs) cli
	@tools/demo_stream.sh $(CLI)

## test: installs what is missing, then check; the last line counts all tests
test:
	@tools/setup.sh test
	@$(MAKE) check

PARTS := check-unit check-kernels check-isa check-arm check-cli check-integration \
    check-fuzz check-spill

## check: all tests, without installing anything
check:
	+@MAKE='$(MAKE)' JOBS='$(if $(findstring -j,$(MAKEFLAGS)),,$(JOBS))' \
	    tools/run_checks.sh $(PARTS)

## build-tests: builds the test programs and runs none
build-tests: $(UNIT) $(INTEGRATION) $(REPLAY) $(if $(KERNEL_OBJ),$(KERNELS)) \
    $(if $(CLI_SRC),$(CLI)) $(TOOLS) $(EXAMPLES) $(PROGRAMS)

# What the tests see. TSan needs the old address space layout where the kernel still
# offers it.
export ISOLINK_BIN := $(abspath $(CLI))
export ISOLINK_BUILD := $(abspath $(BUILD))
export TEST_TIMEOUT
export UBSAN_OPTIONS ?= print_stacktrace=1
export TSAN_OPTIONS ?= halt_on_error=1 second_deadlock_stack=1
NO_ASLR = $(if $(findstring thread,$(SAN)),$(shell \
    setarch -R true 2>/dev/null && echo setarch -R))
RUN = tools/run_tests.sh
# Programs that tests start.
NEEDED := $(if $(CLI_SRC),$(CLI)) $(TOOLS) $(EXAMPLES) $(PROGRAMS)
COMMANDS = $(foreach p,$1,'$(strip $(NO_ASLR) $p)')

## check-unit: tests/unit, one program per source file
check-unit: $(UNIT)
	@CMOCKA_MESSAGE_OUTPUT=TAP $(RUN) $@ $(call COMMANDS,$(UNIT))

## check-integration: tests/integration and tests/fault: the library as a whole
check-integration: $(INTEGRATION) $(NEEDED)
	@CMOCKA_MESSAGE_OUTPUT=TAP $(RUN) $@ $(call COMMANDS,$(INTEGRATION))

FAULT_TESTS := $(addprefix $(BUILD)/integration/,$(call programs,tests/fault/test_*.c))
# Of tests/cli, what FULL=1 makes longer.
FAULT_BATS := tests/cli/tail_kill.bats
## test-faults: tests/fault at every place, 500 kills of a daemon: half an hour
test-faults: $(FAULT_TESTS) $(NEEDED)
	@FULL=1 TEST_TIMEOUT=3600 CMOCKA_MESSAGE_OUTPUT=TAP $(RUN) $@ \
	    $(call COMMANDS,$(FAULT_TESTS)) \
	    $(foreach b,$(FAULT_BATS),'bats --tap $b')

## check-kernels: the kernels of every instruction set of this machine against ref
check-kernels: $(if $(KERNEL_OBJ),$(KERNELS))
	@$(RUN) $@ $(if $(KERNEL_OBJ),'$(strip $(NO_ASLR) $(KERNELS) \
    $(if $(SAN),$(KERNELS_FEWER)))')

## check-cli: tests/cli, the program from outside
check-cli: $(NEEDED)
	@$(RUN) $@ $(foreach b,$(filter tests/cli/$T.bats,$(BATS_FILES)),\
	    '$(strip $(NO_ASLR) bats --tap $b)')

# Lowered instruction sets: those of this machine below its best one, which the other
# parts use. qemu's Nehalem has neither AVX nor FMA: an instruction above the floor of the
# ABI crashes there.
CPU_HAS = $(shell grep -qw $1 /proc/cpuinfo 2>/dev/null && echo 1)
LOWER_x86_64 = $(if $(call CPU_HAS,avx512bw),avx2) $(if $(call CPU_HAS,avx2),ref)
LOWER_aarch64 = ref
LOWER = $(strip $(LOWER_$(ARCH)))
NEHALEM = $(if $(filter x86_64,$(ARCH)),$(if $(SAN),,$(shell command -v qemu-x86_64)))

# Lower vector sets run links as well; ref would take minutes: for it tests/cli/isa.bats
# (check-cli) links a small pair, with every set of the machine, and compares the bytes.
LOWER_LINKS = $(filter-out ref,$(LOWER))
ISA_RUN := $(BUILD)/unit/test_run

## check-isa: kernels with lower instruction sets, links with the vector ones
check-isa: $(if $(KERNEL_OBJ),$(KERNELS)) $(if $(LOWER_LINKS),$(ISA_RUN) $(NEEDED))
	@CMOCKA_MESSAGE_OUTPUT=TAP $(RUN) $@ $(if $(KERNEL_OBJ),$(foreach i,$(LOWER), \
	    'ISOLINK_ISA=$i $(strip $(NO_ASLR) $(KERNELS) --quick)')) \
	    $(foreach i,$(LOWER_LINKS),'ISOLINK_ISA=$i $(strip $(NO_ASLR) $(ISA_RUN))' \
	        'ISOLINK_ISA=$i bats --tap tests/cli/link.bats') \
	    $(if $(NEHALEM),$(if $(KERNEL_OBJ),'qemu-x86_64 -cpu Nehalem $(KERNELS) --quick'))

ARM_CC ?= aarch64-linux-gnu-gcc
ARM_OBJDUMP ?= $(ARM_CC:%gcc=%objdump)
ARM_BUILD := build/aarch64
ARM_SPILL = $(patsubst %,$(ARM_BUILD)/lib/%.o,$(shell \
    grep -lE '^.include "(tile|\.\./tmpl/rows(_i8)?)\.h"' simd/neon/*.c 2>/dev/null))
## check-arm: the NEON kernels, cross-compiled, run by qemu-aarch64, and their tiles
check-arm:
ifeq ($(ARCH),aarch64)
	@echo 'check-arm: skipped, this machine is one: check-kernels runs the NEON kernels'
	@echo 'check-arm: 0 passed, 0 failed'
else
	@for tool in $(ARM_CC) qemu-aarch64; do \
	    command -v $$tool >/dev/null && continue; \
	    echo "check-arm: skipped, $$tool is missing"; \
	    echo 'check-arm: 0 passed, 0 failed'; \
	    exit; \
	done; \
	$(MAKE) CC=$(ARM_CC) SAN= COVERAGE= BUILD=$(ARM_BUILD) LDFLAGS=-static \
	    $(ARM_BUILD)/kernels && \
	OBJDUMP='$(ARM_OBJDUMP)' $(RUN) -x $@ \
	    'qemu-aarch64 $(strip $(ARM_BUILD)/kernels $(KERNELS_FEWER))' \
	    $(ARM_SPILL:%='tools/check_spill.sh %')
endif

## check-fuzz: replays the fuzz corpora
check-fuzz: $(if $(wildcard tests/fuzz/replay_main.c),$(REPLAY))
	@$(RUN) $@ $(if $(wildcard tests/fuzz/replay_main.c),$(foreach f,$(FUZZERS), \
	    '$(strip $(NO_ASLR) $(BUILD)/fuzz/replay_$f) tests/fuzz/corpus/$f'))

# The objects that hold a register tile: those of vector code that include its file.
TILE_SRC := $(filter-out simd/ref/%,$(filter %.c,$(SIMD_SRC)))
TILE_SRC := $(if $(TILE_SRC),$(shell \
    grep -lE '^.include "(tile|\.\./tmpl/rows(_i8)?)\.h"' $(TILE_SRC)))
TILE_OBJ := $(TILE_SRC:%=$(BUILD)/lib/%.o)
## check-spill: no tile keeps its accumulators in memory (plain builds; try CC=clang too)
check-spill: $(TILE_OBJ)
	@OBJDUMP='$(OBJDUMP)' $(RUN) -x $@ $(if $(SAN)$(COVERAGE),,\
	    $(TILE_OBJ:%='tools/check_spill.sh %'))

$(BUILD)/support/%: $(BUILD)/faults/tests/support/%.c.o
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(link) -lm

cmocka_link = $(CC) $(IL_CFLAGS) -o $@ $< $(filter %libparts.a,$^) $(SUPPORT_LIB) \
    $(FAULTS) $(IL_LDFLAGS) \
    -lcmocka $(CLI_LIBS) $(LIB_LIBS)

# test_cli_NAME.c tests a part of the program.
$(BUILD)/unit/test_cli_%: $(BUILD)/faults/tests/unit/test_cli_%.c.o $(PARTS_LIB) \
    $(SUPPORT_LIB) $(FAULTS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(cmocka_link)

$(BUILD)/unit/%: $(BUILD)/faults/tests/unit/%.c.o $(SUPPORT_LIB) $(FAULTS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(cmocka_link)

$(BUILD)/integration/%: $(BUILD)/faults/tests/integration/%.c.o $(SUPPORT_LIB) $(FAULTS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(cmocka_link)

$(BUILD)/integration/%: $(BUILD)/faults/tests/fault/%.c.o $(SUPPORT_LIB) $(FAULTS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(cmocka_link)

# Kernels, their runner and the peaks alone: no other library, so one static program runs
# under qemu.
$(KERNELS): $(KERNEL_OBJ) $(PEAK_OBJ) $(SIMD_OBJ)
	$(say) LD $@
	$(Q)$(link) $(if $(HAVE_SLEEF),-lsleef) -lm -lpthread

$(BUILD)/fuzz/replay_%: $(BUILD)/faults/tests/fuzz/fuzz_%.c.o \
    $(BUILD)/faults/tests/fuzz/replay_main.c.o $(SUPPORT_LIB) $(FAULTS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(link) $(LIB_LIBS)

$(BUILD)/fuzz/fuzz_%: $(BUILD)/faults/tests/fuzz/fuzz_%.c.o $(SUPPORT_LIB) $(FAULTS)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(link) -fsanitize=fuzzer $(LIB_LIBS)

# ----------------------------------------------------------------- fuzzing and benchmarks

## fuzz: clang's libFuzzer on every harness, FUZZ_TIME=60 seconds each
fuzz:
	@$(MAKE) CC='$(if $(findstring clang,$(CC)),$(CC),clang)' \
	    SAN=fuzzer-no-link,address,undefined BUILD=build/$(ARCH)-fuzz fuzz-run

# New inputs stay in build/: the corpus in git grows by hand (copy, minimise, name).
fuzz-run: $(addprefix $(BUILD)/fuzz/fuzz_,$(FUZZERS))
	@for f in $(FUZZERS); do \
	    echo "== fuzz_$$f, $(FUZZ_TIME) s"; \
	    mkdir -p $(BUILD)/found/$$f tests/fuzz/corpus/$$f && \
	    $(BUILD)/fuzz/fuzz_$$f -max_total_time=$(FUZZ_TIME) -timeout=10 -rss_limit_mb=2048 \
	        -print_final_stats=1 -artifact_prefix=$(BUILD)/found/crash-$$f- \
	        $(BUILD)/found/$$f tests/fuzz/corpus/$$f 2>&1 | tail -n 12; \
	    [ "$${PIPESTATUS[0]}" = 0 ] || exit 1; \
	done

## bench-kernels: speed, spread and share of the peak; ARGS='--quick --only match3_i8'
bench-kernels: $(KERNELS)
	@$(KERNELS) --bench --json $(BUILD)/bench_kernels.json $(ARGS)
	@echo 'the same as lines of JSON: $(BUILD)/bench_kernels.json'

$(BUILD)/tools/bench_quality: $(QUALITY_PARTS:%=$(BUILD)/lib/%.o)

## bench-quality: F1, calibration, refusal on all pairs; QUICK=1: small; ARGS=... instead
bench-quality: $(BUILD)/tools/bench_quality
	@$< $(or $(ARGS),--all $(if $(filter-out 0,$(QUICK)),--quick))

# Sets, draws and seeds are those of bench_quality.
$(BUILD)/tools/bench_stream: $(STREAM_PARTS:%=$(BUILD)/lib/%.o) \
    $(BUILD)/lib/tools/bench_quality_sets.c.o

## bench-stream: quality, latency, growth of streams; QUICK=1: small; ARGS=... instead
bench-stream: $(BUILD)/tools/bench_stream $(BUILD)/tools/gen_pair
	@$< --dir $(BUILD) $(or $(ARGS),--all $(if $(filter-out 0,$(QUICK)),--quick))

## bench-scale: time, memory, F1 of growing generated pairs; ARGS='--sizes 5000,20000'
bench-scale: $(CLI) $(BUILD)/tools/gen_pair
	@tools/bench_scale.sh $(ARGS)

## bench-codecs: F1 and bytes of stores by codec; ARGS='SET...', folders of sets
bench-codecs: $(CLI)
	@tools/bench_codecs.sh $(CLI) $(ARGS)

## bench-maps: what mapped queries find beside native ones; ARGS='SET...', as above
bench-maps: $(CLI)
	@tools/bench_maps.sh $(CLI) $(ARGS)

## bench-speed: time and memory against REFERENCE=..., the numpy script, in ROUNDS=5 turns
bench-speed: $(CLI)
	@tools/bench_speed.sh $(CLI)

# The other libraries are looked for here and nowhere else; FAISS_FLAGS and FAISS_LIBS
# name another build of FAISS. hnswlib is headers only, so this machine's vectors are its.
PEERS_SRC := $(wildcard tests/peers/*.cpp)
PEERS_OBJ := $(PEERS_SRC:%=$(BUILD)/lib/%.o)
FAISS_FLAGS ?=
FAISS_LIBS ?= -lfaiss
has_cxx = $(shell echo '$(hash)include <$1>' | $(CXX) $(FAISS_FLAGS) -E -x c++ - \
    >/dev/null 2>&1 && echo 1)
PEERS_FLAGS = $(if $(call has_cxx,cblas.h),-DHAVE_OPENBLAS) \
    $(if $(call has_cxx,faiss/IndexFlat.h),-DHAVE_FAISS -fopenmp $(FAISS_FLAGS)) \
    $(if $(call has_cxx,hnswlib/hnswlib.h),-DHAVE_HNSWLIB)
PEERS_LIBS = $(if $(findstring -DHAVE_FAISS,$1),$(FAISS_LIBS) -fopenmp) \
    $(if $(findstring -DHAVE_OPENBLAS,$1),-lopenblas)
$(BUILD)/lib/tests/peers/bench_peers_hnsw.cpp.o: PEERS_ISA := \
    $(if $(filter x86_64,$(ARCH)),$(if $(call CPU_HAS,avx512bw),$(FLAGS_avx512),\
        $(if $(call CPU_HAS,avx2),$(FLAGS_avx2))))
$(PEERS_OBJ): $(BUILD)/lib/%.cpp.o: %.cpp tests/peers/bench_peers.h simd/simd.h \
    src/link/bench_peak.h
	$(say) CXX $<
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -I. -std=c++17 -O2 -Wall -Wextra -Wno-maybe-uninitialized \
	    $(if $(WERROR),-Werror) $(CPPFLAGS) \
	    $(PEERS_FLAGS) $(PEERS_ISA) -c -o $@ $<

$(BUILD)/bench_peers: $(PEERS_OBJ) $(STATIC)
	$(say) LD $@
	$(Q)mkdir -p $(@D)
	$(Q)$(CXX) -o $@ $^ $(LDFLAGS) $(call PEERS_LIBS,$(PEERS_FLAGS)) $(LIB_LIBS)

## bench-peers: the matchers beside OpenBLAS, FAISS and hnswlib; ARGS='--n 20000 --k 64'
bench-peers: $(BUILD)/bench_peers
	@$< $(ARGS)

$(BUILD)/bench_io: $(BUILD)/lib/tests/io/bench_io.c.o $(STATIC)
	$(say) LD $@
	$(Q)$(link) $(LIB_LIBS)

## bench-io: both ways to read files beside O_DIRECT threads; ARGS='--dir DIR --size 1024'
bench-io: $(BUILD)/bench_io
	@$< $(or $(ARGS),--dir $(BUILD))

$(BUILD)/bench_store: $(BUILD)/lib/tests/io/bench_store.c.o $(STATIC)
	$(say) LD $@
	$(Q)$(link) $(LIB_LIBS)

## bench-store: size, writing and scans of segments beside limits; ARGS='--dir DIR'
bench-store: $(BUILD)/bench_store
	@$< $(or $(ARGS),--dir $(BUILD))

# gcov reads what gcc writes.
COVERAGE_MAKE = COVERAGE=1 CC=$(if $(findstring clang,$(CC)),gcc,$(CC))
## coverage: line coverage of unit, integration and program tests, by file
coverage:
	@rm -rf build/$(ARCH)-coverage
	@$(MAKE) $(COVERAGE_MAKE) $(jobs) build-tests
	-@$(MAKE) $(COVERAGE_MAKE) -k check-unit check-integration check-cli
	@tools/coverage.sh build/$(ARCH)-coverage

# --------------------------------------------------------------------------------- checks

## style: the rules a script can check, and shellcheck on the scripts
style:
	@tools/check_style.sh

## symbols: external names begin with il_, the shared library exports the public ones
symbols: $(STATIC) $(BUILD)/libisolink.so
	@NM='$(NM)' tools/check_symbols.sh $(STATIC) $(SHARED)

## check-layers: includes go downward only
check-layers:
	@tools/check_layers.sh

# A declaration follows the include because ISO C wants at least one in a file.
alone = set -e; for h in $(PUBLIC_H:include/%=%); do \
    printf '%s\n' "$(hash)include <$$h>" 'extern int n;' | \
    $1 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only -; done; \
    echo 'check-headers: $(words $(PUBLIC_H)) headers compile alone as $2'
## check-headers: each public header compiles alone, as C11 and as C++17
check-headers:
	@$(call alone,$(CC) -std=c11 -x c,C11)
	@if command -v $(firstword $(CXX)) >/dev/null; then \
	    $(call alone,$(CXX) -std=c++17 -x c++,C++17); \
	else echo 'check-headers: C++17 skipped, $(CXX) is missing'; fi

CLANG_FORMAT ?= clang-format
## format: clang-format on all C files
format:
	$(CLANG_FORMAT) -i $(ALL_C)

## check-format: says what format would change
check-format:
	@$(CLANG_FORMAT) --dry-run -Werror $(ALL_C)
	@echo 'check-format: $(words $(ALL_C)) files'

CLANG_TIDY ?= clang-tidy
TIDY_SRC := $(filter %.c,$(LIB_SRC)) $(CLI_SRC) $(wildcard tools/*.c tools/examples/*.c)
tidy_group = printf '%s\n' $1 | xargs -r -P $(JOBS) -n 1 bash -c \
    '$(CLANG_TIDY) --quiet "$$@" -- $(IL_CPPFLAGS) -std=c11 $2 2>&1 | \
        grep -vE "^[0-9]+ warnings? (generated|treated)"; exit $${PIPESTATUS[0]}' tidy
## tidy: clang-tidy on library and program, at zero warnings
tidy:
	@$(call tidy_group,$(filter-out simd/avx2/% simd/avx512/%,$(TIDY_SRC)))
	@$(call tidy_group,$(filter simd/avx2/%,$(TIDY_SRC)),$(FLAGS_avx2))
	@$(call tidy_group,$(filter simd/avx512/%,$(TIDY_SRC)),$(FLAGS_avx512))

## cppcheck: cppcheck on library and program
cppcheck:
	cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	    --suppress=missingIncludeSystem --error-exitcode=1 -j $(JOBS) -D_GNU_SOURCE \
	    -Iinclude -I. $(filter %.c,$(LIB_SRC)) $(CLI_SRC)

.PHONY: all lib cli man examples help install uninstall dist clean demo demo-stream test \
    check build-tests $(PARTS) test-faults fuzz fuzz-run bench-kernels bench-quality \
    bench-stream bench-scale bench-codecs bench-maps bench-speed bench-peers bench-io \
    bench-store \
    coverage style symbols check-layers check-headers format check-format tidy cppcheck \
    FORCE

-include $(LIB_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(FAULTS_OBJ:.o=.d) $(PARTS_OBJ:.o=.d) \
    $(SUPPORT_OBJ:.o=.d) $(KERNEL_OBJ:.o=.d) $(wildcard $(BUILD)/*/tests/*/*.d \
    $(BUILD)/lib/tools/*.d $(BUILD)/lib/tools/examples/*.d)
