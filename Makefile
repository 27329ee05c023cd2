# SPDX-License-Identifier: BSD-2-Clause
# `make demo`, `make check`, `make bench`, `make fuzz`, `make check-vm` and `make check-frameworks` install what is missing
# and do everything; `make` only builds.

# `make V=1` shows the commands.
Q := $(if $(V),,@)

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
BUILD := build
# Kernels for `make check-vm`: the beginnings of versions.
KERNELS ?= 6.1 6.12 7
# `make check-frameworks`: FULL=1 for the whole grid, CASES=GLOB for the cases with such names. Without CASES the what-ifs
# are compared too, of so many LOADS that are drawn with SEED.
FULL ?=
CASES ?=
# `make bench`: DEVICE=/dev/x to read from a disk and not from memory, QUICK=1 for three minutes and not ten, ONLY=PART[,PART...]
# for some of it, JSON=FILE for the figures beside the tables.
DEVICE ?=
QUICK ?=
ONLY ?=
JSON ?=
# `make fuzz`: so many seconds for each parser.
FUZZ_SECONDS ?= 2
LOADS ?= $(if $(filter-out 0,$(FULL)),40,6)
SEED ?= 8

CC ?= cc
CLANG ?= clang
CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Werror
# Looked up when first used, after `scripts/setup` had its chance to install them.
BPFTOOL = $(shell scripts/find-bpftool)
LIBS = $(shell pkg-config --libs libbpf jansson libelf zlib) -lm -pthread
# With what libelf.a itself needs: zstd since elfutils 0.188, where the distribution builds with it.
STATIC_LIBS = $(shell pkg-config --static --libs libbpf jansson libelf zlib) -lm -pthread

# BPF programs are compiled for the processor whose registers and barriers they may use.
# Numbers of system calls: Debian has them in a folder of the architecture's.
SYSCALL_HEADERS := /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
ARCH := $(shell uname -m | sed -e 's/x86_64/x86/' -e 's/aarch64/arm64/')
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Ivmlinux -Ibpf -idirafter $(SYSCALL_HEADERS)
# The definitions of maps must be linked before their extern declarations (seen with libbpf 1.1:
# otherwise all maps end up at offset 0).
BPF_SOURCES := bpf/maps.bpf.c $(filter-out bpf/maps.bpf.c,$(wildcard bpf/*.bpf.c))
BPF_HEADERS := $(wildcard bpf/*.h) vmlinux/vmlinux.h

CPPFLAGS_ALL := -D_GNU_SOURCE -Isrc -Ibpf -isystem $(BUILD)
# A section for each function: the static binary leaves out what is not called.
CFLAGS_ALL := -std=gnu11 $(WARNINGS) -ffunction-sections -fdata-sections $(CFLAGS)
SOURCES := $(wildcard src/*.c src/*/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
# Unit tests link the same sources, compiled with sanitizers.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
SANITIZED_OBJECTS := $(patsubst %.c,$(BUILD)/sanitized/%.o,$(filter-out src/main.c,$(SOURCES)))

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
# Parsers of text that others write, with clang's sanitizers and libFuzzer.
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZED_SOURCES := $(addprefix src/base/,cursor.c fault.c text.c units.c) \
	$(addprefix src/collect/,glob.c limits.c mapped.c mounts.c) $(wildcard src/collect/proc_parse*.c)
FUZZED_OBJECTS := $(FUZZED_SOURCES:%.c=$(BUILD)/fuzzed/%.o)
FUZZED := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
WORKLOADS := $(patsubst tests/workloads/%.c,$(BUILD)/tests/%,$(wildcard tests/workloads/*.c))
# Some are libraries.
WORKLOADS := $(WORKLOADS:%/batches=%/libbatches.so)
WORKLOADS := $(WORKLOADS:%/allocations=%/liballocations.so)
BENCH := $(addprefix $(BUILD)/bench/,empty empty.bpf.o clients)
# A program for another processor.
ifneq ($(shell uname -m),x86_64)
WORKLOADS := $(filter-out %/sleep32,$(WORKLOADS))
endif

.SECONDARY: $(SANITIZED_OBJECTS) $(FUZZED_OBJECTS)
.PHONY: all static demo check bench fuzz fuzz-targets check-vm check-frameworks lint install clean tests \
	bench-programs bpf-arm64

all: $(BUILD)/whystall
	@:

# One file to copy into a container: no library, no configuration, no name service.
static: $(BUILD)/static/whystall
	@wc -c <$< | awk '{ printf "  %s: %.2f MB\n", "$<", $$1 / 1e6 }'

demo:
	@scripts/setup demo
	@$(MAKE) --no-print-directory all
	@scripts/demo $(BUILD)/whystall $(MODE)

check:
	@scripts/setup check
	@$(MAKE) --no-print-directory all tests bpf-arm64
	@if scripts/setup static; then $(MAKE) --no-print-directory static; \
	else echo "setup: no static binary can be linked here: its tests are skipped"; fi
	@$(MAKE) --no-print-directory fuzz-targets
	@FUZZ_SECONDS=$(FUZZ_SECONDS) scripts/check

# A peer that cannot be installed is named as absent there.
bench:
	@scripts/setup bench
	@scripts/setup peers || true
	@$(MAKE) --no-print-directory all bench-programs
	@scripts/bench $(if $(filter-out 0,$(QUICK)),--quick) $(if $(DEVICE),--device '$(DEVICE)') \
		$(if $(ONLY),--only '$(ONLY)') $(if $(JSON),--json '$(JSON)')

# Where clang's runtime for it cannot be had, nothing is built, which scripts/fuzz says.
fuzz-targets:
	@if scripts/setup fuzz; then $(MAKE) --no-print-directory $(FUZZ_TARGETS); else \
		echo "setup: clang's runtime for fuzzing cannot be installed: it is skipped"; rm -rf $(BUILD)/fuzz; fi

fuzz: fuzz-targets
	@scripts/fuzz $(FUZZ_SECONDS)

# Without its tools, which not every host can install, scripts/vm skips and says so.
check-vm:
	@scripts/setup check
	@scripts/setup vm || echo "setup: not all tools of check-vm can be installed"
	@$(MAKE) --no-print-directory all tests
	@scripts/vm $(KERNELS)

# PyTorch and TensorFlow stay outside of the clone: WHYSTALL_FRAMEWORKS says where.
check-frameworks:
	@scripts/setup check
	@$(MAKE) --no-print-directory all tests
	@python=$$(scripts/frameworks) && status=0; \
	tests/frameworks/run $(if $(filter-out 0,$(FULL)),--full) $(if $(CASES),--cases '$(CASES)') "$$python" || status=1; \
	$(if $(CASES),,tests/frameworks/what_if --count $(LOADS) --seed $(SEED) "$$python" || status=1;) exit $$status

lint:
	@scripts/setup check
	@$(MAKE) --no-print-directory $(BUILD)/whystall.skel.h
	@scripts/lint -- -std=gnu11 $(CPPFLAGS_ALL) $(filter-out -Werror,$(WARNINGS))

tests: $(UNIT_TESTS) $(WORKLOADS) bench-programs

bench-programs: $(BENCH)

# The programs must stay portable: compiled, not run.
bpf-arm64: $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/arm64/%.bpf.o)

install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8
	install -m 755 $(BUILD)/whystall $(DESTDIR)$(SBINDIR)/whystall
	install -m 644 docs/whystall.8 $(DESTDIR)$(MANDIR)/man8/whystall.8

clean:
	rm -rf $(BUILD)

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(BPF_HEADERS)
	@mkdir -p $(@D)
	@echo "  BPF  $@"
	$(Q)$(CLANG) $(BPF_CFLAGS) -D__TARGET_ARCH_$(ARCH) -c $< -o $@

$(BUILD)/arm64/%.bpf.o: bpf/%.bpf.c $(BPF_HEADERS)
	@mkdir -p $(@D)
	@echo "  BPF  $@"
	$(Q)$(CLANG) $(BPF_CFLAGS) -D__TARGET_ARCH_arm64 -c $< -o $@

$(BUILD)/whystall.bpf.o: $(BPF_SOURCES:bpf/%.bpf.c=$(BUILD)/bpf/%.bpf.o)
	@echo "  LINK $@"
	$(Q)$(BPFTOOL) gen object $@ $^

$(BUILD)/whystall.skel.h: $(BUILD)/whystall.bpf.o
	@echo "  SKEL $@"
	$(Q){ echo '/* NOLINTBEGIN: generated */' && $(BPFTOOL) gen skeleton $< name whystall_bpf && \
		echo '/* NOLINTEND */'; } > $@.tmp
	$(Q)mv $@.tmp $@

$(BUILD)/src/%.o: src/%.c $(BUILD)/whystall.skel.h
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c $< -o $@

$(BUILD)/whystall: $(OBJECTS)
	@echo "  CC   $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# What opens libraries at run time, getpwuid() for one, the linker warns of: they cannot be copied along.
$(BUILD)/static/whystall: $(OBJECTS)
	@scripts/setup static
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -static -s -Wl,--gc-sections,--fatal-warnings -o $@ $^ $(STATIC_LIBS)

$(BUILD)/sanitized/%.o: %.c $(BUILD)/whystall.skel.h
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CPPFLAGS) $(CFLAGS_ALL) $(SANITIZE) -MMD -MP -c $< -o $@

$(BUILD)/tests/unit/%: tests/unit/%.c $(SANITIZED_OBJECTS)
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CPPFLAGS) $(CFLAGS_ALL) $(SANITIZE) -MMD -MP -o $@ $< \
		$(SANITIZED_OBJECTS) $(LIBS) $(shell pkg-config --libs cmocka)

$(BUILD)/fuzzed/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CLANG) $(CPPFLAGS_ALL) $(CPPFLAGS) $(CFLAGS_ALL) $(FUZZED) -MMD -MP -c $< -o $@

$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZED_OBJECTS)
	@mkdir -p $(@D)
	@echo "  FUZZ $@"
	$(Q)$(CLANG) $(CPPFLAGS_ALL) $(CPPFLAGS) $(CFLAGS_ALL) $(FUZZED) -fsanitize=fuzzer -MMD -MP -o $@ $< \
		$(FUZZED_OBJECTS) -lm

$(BUILD)/tests/fuse_delay: EXTRA = $(shell pkg-config --cflags --libs fuse3)
$(BUILD)/tests/sleep32: EXTRA = -m32 -nostdlib -static -ffreestanding -fno-pie -no-pie
$(BUILD)/tests/lib%.so: tests/workloads/%.c
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CC) -O2 -Wall -Wextra -Werror -std=gnu11 -pthread -fPIC -shared -fno-omit-frame-pointer -o $@ $<

$(BUILD)/tests/%: tests/workloads/%.c
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CC) -O2 -Wall -Wextra -Werror -std=gnu11 -pthread -o $@ $< $(EXTRA)

$(BUILD)/bench/%.bpf.o: tests/bench/%.bpf.c vmlinux/vmlinux.h
	@mkdir -p $(@D)
	@echo "  BPF  $@"
	$(Q)$(CLANG) $(BPF_CFLAGS) -D__TARGET_ARCH_$(ARCH) -c $< -o $@

$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "  CC   $@"
	$(Q)$(CC) -O2 -Wall -Wextra -Werror -std=gnu11 -o $@ $< $(LIBS)

-include $(OBJECTS:.o=.d) $(SANITIZED_OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(FUZZED_OBJECTS:.o=.d) $(FUZZ_TARGETS:=.d)
