# Cairn: the only makefile.  Five products, one shape of rule: SRC.<product>, CFLAGS.<product>, objects in build/<product>/.
#
#   loader   the EFI application (PE)          kernel   the kernel (ELF, static PIE)
#   host     the same C under sanitizers       fuzz     the same C under libFuzzer
#   bench    the same C at -O2, on the host
#   fast     the same C at -O2, for tests that run long
#   threads  the same C under ThreadSanitizer
#   interleave  the same C, every atomic operation a step of tests/harness/interleave.c
#
# `make help` lists the targets; V=1 shows the commands; config.mk, when there is one, overrides.

-include config.mk
BUILD ?= build
LLVM  ?= 19
tool   = $(1)$(addprefix -,$(LLVM))
CC      := $(call tool,clang)
LD      := $(call tool,ld.lld)
LDLINK  := $(call tool,lld-link)
AR      := $(call tool,llvm-ar)
NM      := $(call tool,llvm-nm)
STRIP   := $(call tool,llvm-strip)
SIZE    := $(call tool,llvm-size)
FORMAT  := $(call tool,clang-format)
TIDY    := $(call tool,clang-tidy)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')
export BUILD LLVM

# Every CPU helps, unless the caller says otherwise or a tree is being removed.
ifeq ($(filter -j% --jobs%,$(MAKEFLAGS))$(filter clean,$(MAKECMDGOALS)),)
MAKEFLAGS += -j$(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
endif
MAKEFLAGS += --no-print-directory

.DELETE_ON_ERROR:
.SUFFIXES:
# Objects stay, and one that is missing is made: .SECONDARY would not.
.PRECIOUS: $(foreach p,loader kernel shim host fuzz fast threads interleave,$(BUILD)/$(p)/%.o)
.DEFAULT_GOAL := all

# --- flags -----------------------------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wconversion -Wthread-safety -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
EFI  := -DGNU_EFI_USE_MS_ABI -isystem /usr/include/efi -isystem /usr/include/efi/x86_64
# No directory of the builder's goes into a file: two clones make the same bytes, and a path may have spaces.
BASE := -std=c23 -g $(WARN) -I. -Iinclude -I$(BUILD)/gen \
  -fdebug-compilation-dir=. -ffile-prefix-map=$(BUILD)/=build/

CFLAGS.loader := $(BASE) -Os --target=x86_64-unknown-windows -ffreestanding -fshort-wchar -mno-red-zone -mgeneral-regs-only \
  -mno-stack-arg-probe -fno-stack-protector -DCAIRN_LOADER -DCAIRN_OWN_COPY $(EFI)
LDFLAGS.loader := /subsystem:efi_application /entry:efi_main /nodefaultlib /dynamicbase /nxcompat /filealign:512 \
  /Brepro /debug:none /opt:ref /map:$(BUILD)/loader.map

CFLAGS.shim := $(filter-out -DCAIRN_LOADER,$(CFLAGS.loader))
LDFLAGS.shim := $(filter-out /map:%,$(LDFLAGS.loader))

CFLAGS.kernel := $(BASE) -Os --target=x86_64-linux-gnu -ffreestanding -fpie -fvisibility=hidden -mcmodel=small -mno-red-zone \
  -Ikernel/arch/x86_64   -mgeneral-regs-only -fno-omit-frame-pointer -fno-asynchronous-unwind-tables -fno-common -ffunction-sections -fdata-sections -DCAIRN_KERNEL \
  -fstack-protector-strong -mstack-protector-guard=tls -mstack-protector-guard-reg=gs -mstack-protector-guard-offset=40
LDFLAGS.kernel := -pie --no-dynamic-linker -z text -z noexecstack -z separate-code -z relro --pack-dyn-relocs=relr \
  --build-id=sha1 --gc-sections -z max-page-size=4096 \
  -z dead-reloc-in-nonalloc=.debug_*=0xffffffffffffffff  # Else gdb finds what was collected at the image's first byte.

# The loader is small, and fast where its time goes.
$(addprefix $(BUILD)/loader/,$(addsuffix .o,loader/memmap loader/x86_64/cpu loader/x86_64/paging lib/random)): private CFLAGS.loader += -O2

# So is the kernel: each 8 bytes of it cost the boot an instruction, and small machines a place that is free in one piece.
$(addprefix $(BUILD)/kernel/,$(addsuffix .o,$(addprefix mm/phys/,frame judge ladder nodes pmm slot tier tier_run) \
  mm/map/pagetable lib/memmap lib/string)): private CFLAGS.kernel += -O2

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HOSTED   := -DCAIRN_HOSTED -DCAIRN_DEBUG -Itests/harness -Itests/fake
CFLAGS.host := $(BASE) -O1 $(HOSTED) $(SANITIZE)
CFLAGS.fuzz := $(BASE) -O1 $(HOSTED) $(SANITIZE) -fsanitize=fuzzer-no-link
CFLAGS.fast := $(BASE) -O2 $(HOSTED)
CFLAGS.threads := $(BASE) -O1 $(HOSTED) -fsanitize=thread
# Only the calls that ThreadSanitizer makes of its runtime: the runtime is ours.
CFLAGS.interleave := $(BASE) -O1 $(HOSTED) -DCAIRN_INTERLEAVE -fsanitize=thread
CFLAGS.bench := $(BASE) -O2 -DCAIRN_HOSTED -DCAIRN_BENCH -Itests/harness -Itests/fake

# Tests that play the firmware speak through its headers.
EFI_HOSTED := $(addprefix $(BUILD)/host/,efi/%.o loader/video.o tests/unit/efi/%.o tests/unit/loader/video_test.o) \
  $(addprefix $(BUILD)/tidy/tests/unit/,efi/%.ok loader/video_test.ok)
$(EFI_HOSTED): private CFLAGS.host += $(EFI)

# What judges is not what is explored: without coverage the fuzzer sees three times as many inputs.
$(addprefix $(BUILD)/fuzz/,mm/guard/check.o tests/harness/%.o): private CFLAGS.fuzz := $(filter-out -fsanitize=fuzzer-no-link,$(CFLAGS.fuzz))
# The enumerator itself takes no steps.
ENUMERATOR := $(addprefix $(BUILD)/interleave/tests/harness/,interleave.o interleave_memory.o)
$(ENUMERATOR): private CFLAGS.interleave := $(filter-out -fsanitize=thread,$(CFLAGS.interleave))

# --- sources ---------------------------------------------------------------------------------------------------------
# PURE: no hardware; part of a product and of the host tests.
PURE.loader := $(wildcard $(addprefix loader/,config.c image.c placement.c entropy.c memmap.c handoff.c x86_64/paging.c))
PURE.kernel := $(wildcard kernel/options.c kernel/cpu_area.c kernel/handoff.c kernel/klog.c $(addprefix kernel/drivers/acpi/,tables.c numa.c) \
  $(addprefix kernel/drivers/pci/,scan.c names.c) \
  $(addprefix kernel/drivers/console/,vt.c pixels.c input.c) $(addprefix kernel/debug/,lineedit.c picture.c words.c))
# Part of the kernel's own tests, and of the host's.
PURE_TESTS := $(addprefix tests/kernel/,dice.c digest.c model.c model_list.c model_ops.c)
# Not pure, but tested against a firmware made up by the test.
FIRMWARE.host := $(addprefix efi/,file.c gop.c memory.c random.c tables.c) loader/video.c
FONT := $(BUILD)/gen/font.gen.c
MM   := $(wildcard mm/*/*.c mm/*/*/*.c)
LIB  := $(wildcard lib/*.c)
SRC.loader := $(wildcard loader/*.c loader/x86_64/*.c loader/x86_64/*.S efi/*.c) $(LIB)
SRC.kernel := $(wildcard kernel/*.c kernel/*/*.c kernel/*/*/*.c kernel/*/*/*.S tests/kernel/*.c) $(FONT) $(MM) $(LIB)
SRC.shim   := $(wildcard tests/firmware/*.c tests/firmware/*.S) lib/format.c lib/string.c \
  $(addprefix loader/x86_64/,copy.S jump.S levels.c)
SRC.host   := $(LIB) $(MM) $(PURE.loader) $(FIRMWARE.host) $(PURE.kernel) $(FONT) $(PURE_TESTS) $(wildcard tests/harness/*.c tests/fake/*.c)
SRC.fuzz   := $(filter-out $(FIRMWARE.host),$(SRC.host))
SRC.bench  := $(LIB) $(wildcard mm/phys/*.c mm/phys/*/*.c) $(wildcard mm/guard/check*.c) $(addprefix tests/harness/,hosted.c machine.c seed.c slots.c replay.c) $(addprefix tests/kernel/,dice.c digest.c) \
  $(addprefix tests/bench/,measure.c platform.c)
# Programs over these, each of one file more.
PROGRAMS.bench := $(addprefix tests/bench/,pmm_bench.c pmm_plot.c nodes_bench.c) tests/tools/replay.c
SRC.fast   := $(LIB) $(MM) $(PURE_TESTS) $(wildcard tests/harness/*.c tests/fake/*.c)
SRC.threads := $(filter-out tests/harness/interleave%,$(SRC.fast))
SRC.interleave := $(SRC.fast) $(filter-out %_test.c,$(wildcard tests/interleave/*.c))
TESTS      := $(wildcard $(addsuffix /*_test.c,tests/unit tests/unit/* tests/unit/*/* tests/unit/*/*/*))
FUZZERS    := $(wildcard tests/fuzz/*_fuzz.c)
# Programs that are built apart from the others: at -O2, under ThreadSanitizer, for the enumerator.
LONG_TESTS := $(wildcard tests/unit/mm/phys/*_model_test.c)
THREAD_TESTS := $(wildcard tests/threads/*_test.c)
INTERLEAVE_TESTS := $(wildcard tests/interleave/*_test.c)
TOOLS      := $(wildcard tests/tools/*.c)
BENCHES    := $(wildcard tests/bench/*.c)


# Generated sources that have to be there before a product's first object.
GEN.loader :=
GEN.kernel :=
GEN.host   :=
GEN.shim   :=
GEN.fuzz   :=
GEN.bench  :=
GEN.fast   :=
GEN.threads :=
GEN.interleave :=

objects = $(patsubst %,$(BUILD)/$(1)/%.o,$(basename $(SRC.$(1))))
SETUP := $(BUILD)/setup.ok

# --- rules -----------------------------------------------------------------------------------------------------------
# Objects follow their source, their headers (the .d files) and their flags (the file `flags`, rewritten when they change).
define product
$(BUILD)/$(1)/flags: FORCE
	@mkdir -p $$(@D); printf '%s\n' '$$(CC) $$(CFLAGS.$(1)) $$(LDFLAGS.$(1))' | cmp -s - $$@ || printf '%s\n' '$$(CC) $$(CFLAGS.$(1)) $$(LDFLAGS.$(1))' >$$@
$(BUILD)/$(1)/%.o: %.c $(BUILD)/$(1)/flags | $$(SETUP) $$(GEN.$(1))
	$$(call say,CC,$$< ($(1)))
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS.$(1)) -MMD -MP -MJ $$(@:.o=.json) -c $$< -o $$@
$(BUILD)/$(1)/%.o: %.S $(BUILD)/$(1)/flags | $$(SETUP) $$(GEN.$(1))
	$$(call say,AS,$$< ($(1)))
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS.$(1)) -MMD -MP -c $$< -o $$@
-include $$(patsubst %.o,%.d,$$(call objects,$(1)))
endef
$(foreach p,loader kernel shim host fuzz bench fast threads interleave,$(eval $(call product,$(p))))
-include $(patsubst %.c,$(BUILD)/fast/%.d,$(LONG_TESTS)) $(patsubst %.c,$(BUILD)/threads/%.d,$(THREAD_TESTS))
-include $(patsubst %.c,$(BUILD)/interleave/%.d,$(INTERLEAVE_TESTS))
-include $(patsubst %.c,$(BUILD)/host/%.d,$(TESTS) $(TOOLS)) $(patsubst %.c,$(BUILD)/fuzz/%.d,$(FUZZERS))

all: loader kernel esp ## The loader, the kernel and the tree for an EFI system partition, build/esp
loader: $(BUILD)/BOOTX64.EFI
kernel: $(BUILD)/kernel.elf
shim: $(BUILD)/firmware/SHIM.EFI
esp: $(BUILD)/esp.ok

$(FONT): scripts/gen-font | $(SETUP)
	$(call say,FONT,$@)
	$(Q)scripts/gen-font $@

$(SETUP): scripts/setup
	$(Q)scripts/setup && mkdir -p $(@D) && touch $@
setup: ## Install what the build needs (scripts/setup says what and why)
	$(Q)scripts/setup

$(BUILD)/BOOTX64.EFI: $(call objects,loader)
	$(call say,LD,$@)
	$(Q)$(LDLINK) $(LDFLAGS.loader) /out:$@ $(call objects,loader)

$(BUILD)/firmware/SHIM.EFI: $(call objects,shim)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LDLINK) $(LDFLAGS.shim) /out:$@ $(call objects,shim)

# Linked twice: the symbol table for backtraces is made from the first link, and the second must not move a function.
LINK.kernel = $(Q)$(LD) $(LDFLAGS.kernel) -T kernel/arch/x86_64/kernel.ld
$(BUILD)/kernel.elf: $(call objects,kernel) kernel/arch/x86_64/kernel.ld scripts/gen-symtab
	$(call say,LD,$@)
	$(Q)mkdir -p $(BUILD)/gen
	$(Q)scripts/gen-symtab $(NM) - $(BUILD)/gen/symtab0.gen.c
	$(Q)$(CC) $(CFLAGS.kernel) -c $(BUILD)/gen/symtab0.gen.c -o $(BUILD)/gen/symtab0.gen.o
	$(LINK.kernel) -o $(BUILD)/gen/kernel.pass1 $(call objects,kernel) $(BUILD)/gen/symtab0.gen.o
	$(Q)scripts/gen-symtab $(NM) $(BUILD)/gen/kernel.pass1 $(BUILD)/gen/symtab.gen.c
	$(Q)$(CC) $(CFLAGS.kernel) -c $(BUILD)/gen/symtab.gen.c -o $(BUILD)/gen/symtab.gen.o
	$(LINK.kernel) -o $@ $(call objects,kernel) $(BUILD)/gen/symtab.gen.o
	$(Q)scripts/gen-symtab --check $(NM) $@ $(BUILD)/gen/symtab.gen.c

# The tree: what `make install` copies and every boot reads.  The kernel goes in without its debug information.
$(BUILD)/esp.ok: $(BUILD)/BOOTX64.EFI $(BUILD)/kernel.elf esp/boot.cfg scripts/mkesp docs/licences/terminus-font.txt
	$(call say,ESP,$(BUILD)/esp)
	$(Q)scripts/mkesp tree $(BUILD)/esp $(BUILD)/BOOTX64.EFI $(BUILD)/kernel.elf esp/boot.cfg
	$(Q)touch $@
$(BUILD)/cairn.img: $(BUILD)/esp.ok
	$(call say,IMAGE,$@)
	$(Q)scripts/mkesp image $(BUILD)/esp $@
image: $(BUILD)/cairn.img ## build/cairn.img, a GPT disk to write to a USB stick; the same bytes every time
install: $(BUILD)/esp.ok ## Copy the tree onto a mounted EFI system partition: make install ESP=/mnt/esp
	$(Q)scripts/mkesp install $(BUILD)/esp '$(ESP)'

# The scripts read these from the environment, wherever they were set: command line, environment or config.mk.
export M CPU SMP DISK VIDEO FIRMWARE ACCEL CMDLINE GUI PRINT HOT STRIP

# --- running ---------------------------------------------------------------------------------------------------------
run: $(BUILD)/cairn.img ## Boot in QEMU: GUI=1 PRINT=1 M=512M CPU=max SMP=2 DISK=virtio VIDEO=std FIRMWARE=4M CMDLINE='...'
	$(Q)scripts/run
gdb: $(BUILD)/cairn.img $(BUILD)/bench/stop.so ## QEMU and gdb, stopped at the kernel's first instruction, with symbols
	$(Q)scripts/run --gdb
screenshot: $(BUILD)/cairn.img ## Take the pictures in docs/ again
	$(Q)scripts/screenshot

# --- tests -----------------------------------------------------------------------------------------------------------
$(BUILD)/host/libcairn.a: $(call objects,host)
	$(call say,AR,$@)
	$(Q)rm -f $@; $(AR) rcs $@ $^
$(BUILD)/fuzz/libcairn.a: $(call objects,fuzz)
	$(call say,AR,$@)
	$(Q)rm -f $@; $(AR) rcs $@ $^
$(BUILD)/host/%_test: $(BUILD)/host/%_test.o $(BUILD)/host/libcairn.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) $< -Wl,--start-group $(BUILD)/host/libcairn.a -Wl,--end-group -lcmocka -lm -o $@
$(BUILD)/host/tests/tools/%: $(BUILD)/host/tests/tools/%.o $(BUILD)/host/libcairn.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) $< -Wl,--start-group $(BUILD)/host/libcairn.a -Wl,--end-group -lm -o $@
$(BUILD)/fuzz/%_fuzz: $(BUILD)/fuzz/%_fuzz.o $(BUILD)/fuzz/libcairn.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) -fsanitize=fuzzer $< -Wl,--start-group $(BUILD)/fuzz/libcairn.a -Wl,--end-group -lm -o $@
define apart
$(BUILD)/$(1)/libcairn.a: $(call objects,$(1))
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@; $$(AR) rcs $$@ $$^
$(BUILD)/$(1)/%_test: $(BUILD)/$(1)/%_test.o $(BUILD)/$(1)/libcairn.a
	$$(call say,LD,$$@)
	$$(Q)$$(CC) $(2) $$< -Wl,--start-group $(BUILD)/$(1)/libcairn.a -Wl,--end-group -lcmocka -lm -lpthread -o $$@
endef
$(eval $(call apart,fast,))
$(eval $(call apart,threads,-fsanitize=thread))
$(eval $(call apart,interleave,-no-pie))
$(BUILD)/bench/%.so: tests/bench/%.c tests/bench/qemu_plugin.h | $(SETUP)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -std=c23 -O2 -g $(WARN) -shared -fPIC $< -o $@

# Every request for frames passes the test first (tests/harness/oom.h).
OOM_TESTS := $(BUILD)/host/tests/unit/mm/oom_test
$(OOM_TESTS): private SANITIZE += -Wl,--wrap=pmm_alloc_frame,--wrap=pmm_alloc_run

# What the scenarios boot.
BOOT_FILES := $(BUILD)/cairn.img $(BUILD)/firmware/SHIM.EFI
APART_TESTS := $(patsubst %.c,$(BUILD)/fast/%,$(LONG_TESTS)) $(patsubst %.c,$(BUILD)/threads/%,$(THREAD_TESTS)) \
  $(patsubst %.c,$(BUILD)/interleave/%,$(INTERLEAVE_TESTS))
HOST_TESTS := $(patsubst %.c,$(BUILD)/host/%,$(TESTS) $(TOOLS)) $(APART_TESTS)
FUZZ_TESTS := $(patsubst %.c,$(BUILD)/fuzz/%,$(FUZZERS))
host-tests: $(HOST_TESTS)
fuzz-tests: $(FUZZ_TESTS)

test: host-tests fuzz-tests bench-programs $(BOOT_FILES) $(BUILD)/bench/insns.so $(BUILD)/bench/stop.so ## Every test; ONLY='checks image host mutants fuzz maps insns gdb boot'; last line: N passed, N failed
	$(Q)scripts/test $(ONLY)
test-boot: $(BOOT_FILES) ## The boot scenarios alone: make test-boot B='memory video-std'
	$(Q)scripts/test-boot $(B)
firmware-matrix: $(BOOT_FILES) ## Each firmware bug of tests/firmware alone, long: make firmware-matrix F='map- gop-'
	$(Q)scripts/firmware-matrix $(F)
fuzz: fuzz-tests ## Fuzz each target for long: make fuzz FUZZ_SECONDS=600
	$(Q)scripts/test --fuzz-seconds $(or $(FUZZ_SECONDS),600) fuzz
insns: $(BUILD)/cairn.img $(BUILD)/bench/insns.so ## Guest instructions of the boot, of memory_init, and of each way through the allocator; HOT=1 says where
	$(Q)scripts/insns

$(foreach p,$(PROGRAMS.bench),$(BUILD)/bench/$(basename $(notdir $(p)))): $(call objects,bench)
	$(call say,LD,$@)
	$(Q)$(CC) $^ -lpthread -o $@
$(foreach p,$(PROGRAMS.bench),$(eval $(BUILD)/bench/$(basename $(notdir $(p))): $(BUILD)/bench/$(basename $(p)).o))
-include $(patsubst %.c,$(BUILD)/bench/%.d,$(PROGRAMS.bench))
bench-programs: $(foreach p,$(PROGRAMS.bench),$(BUILD)/bench/$(basename $(notdir $(p))))
bench: $(BUILD)/bench/pmm_bench ## How fast the frame allocator is, in atomic additions: make bench ROWS=churn
	$(Q)$< $(ROWS)
bench-nodes: $(BUILD)/bench/nodes_bench ## What the door in front of the nodes adds to a hot pair
	$(Q)$<
replay: $(if $(TRACE),$(BUILD)/bench/replay) ## Ask a trace's questions of every engine: make replay TRACE=FILE (scripts/trace takes it from a serial log)
	$(Q)$(if $(TRACE),$< '$(TRACE)',echo 'replay: say which trace: make replay TRACE=FILE'; exit 1)
model: $(BUILD)/host/tests/tools/model ## Machines of the allocator's model test, as test=random_operations model= has them in QEMU: SEED=0x1007 SEEDS=8 KEEP=5,9-12 BREAK=owner
	$(Q)$< $(or $(SEED),1) $(if $(SEEDS),-n $(SEEDS)) $(if $(KEEP),-k $(KEEP)) $(if $(BREAK),-b $(BREAK))
plot: $(BUILD)/bench/pmm_plot ## Measure cost against size and occupancy, and draw docs/cost.svg; takes minutes
	$(Q)$< >$(BUILD)/cost.csv
	$(Q)scripts/plot-cost $(BUILD)/cost.csv docs/cost.svg

# One host test by name: make unit T=lib/memmap, or of those that are built apart: make unit T=interleave/tool
unit_program = $(or $(filter $(BUILD)/%/tests/$(1)_test,$(APART_TESTS)),$(filter $(BUILD)/host/tests/unit/$(1)_test,$(HOST_TESTS)),unit-which)
unit: $(if $(T),$(call unit_program,$(T)),unit-which) ## One host test: make unit T=lib/memmap
	$(Q)$<
unit-which:
	@echo 'unit: say which: make unit T=NAME, one of:'; printf '  %s\n' $(patsubst tests/unit/%_test.c,%,$(TESTS)) $(patsubst tests/%_test.c,%,$(THREAD_TESTS) $(INTERLEAVE_TESTS)); exit 1

# --- checks ----------------------------------------------------------------------------------------------------------
check: check-format check-tidy check-layers check-hot check-headers check-docs ## Format, clang-tidy, layers, the hot path, headers that compile alone, documents
C_FILES = $(shell find efi include kernel lib loader mm tests -name '*.[ch]' | LC_ALL=C sort)
H_FILES := $(wildcard include/*/*.h mm/*.h mm/*/*.h mm/*/*/*.h efi/*.h loader/*.h loader/*/*.h kernel/*.h kernel/*/*.h kernel/*/*/*.h \
  tests/harness/*.h tests/fake/*.h tests/firmware/*.h)
check-format: | $(SETUP)
	$(Q)$(FORMAT) --dry-run -Werror $(C_FILES)
check-tidy: $(patsubst %.c,$(BUILD)/tidy/%.ok,$(sort $(filter %.c,$(SRC.loader) $(SRC.kernel) $(SRC.shim) $(SRC.host) $(TESTS) $(THREAD_TESTS) $(INTERLEAVE_TESTS) $(TOOLS) $(FUZZERS) $(BENCHES))))
tidy_product = $(if $(filter $(1),$(SRC.loader)),loader,$(if $(filter $(1),$(SRC.shim)),shim,$(if $(filter $(1),$(SRC.kernel)),kernel,host)))
# By way of the object a file is looked at again when a header of its changes.
.SECONDEXPANSION:
$(BUILD)/tidy/%.ok: %.c .clang-tidy $(BUILD)/$$(call tidy_product,$$*.c)/%.o | $(SETUP) $(GEN.kernel) $(GEN.host)
	$(call say,TIDY,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(TIDY) --quiet $< -- $(CFLAGS.$(call tidy_product,$<)) 2>$(@:.ok=.err) || { cat $(@:.ok=.err); exit 1; }
	$(Q)touch $@
check-layers: $(call objects,loader) $(call objects,kernel)
	$(Q)scripts/check-layers
check-hot: $(BUILD)/kernel.elf
	$(Q)scripts/check-hot
check-headers: $(patsubst %.h,$(BUILD)/headers/%.ok,$(H_FILES))
header_product = $(if $(filter loader/% efi/% tests/firmware/%,$(1)),loader,$(if $(filter tests/%,$(1)),host,kernel))
$(BUILD)/headers/%.ok: %.h FORCE | $(SETUP) $(GEN.kernel)
	$(Q)mkdir -p $(@D)
	$(Q)printf '#include "%s"\n#include "%s"\n' '$<' '$<' | $(CC) $(CFLAGS.$(call header_product,$<)) -Wno-unused-function -fsyntax-only -x c -
	$(Q)touch $@
check-docs: | $(SETUP)
	$(Q)scripts/gen-docs --check
	$(Q)scripts/check-docs
docs: | $(SETUP) ## Write the generated documents again
	$(Q)scripts/gen-docs
format: | $(SETUP) ## Format every source file
	$(Q)$(FORMAT) -i $(C_FILES)

# --- looking around --------------------------------------------------------------------------------------------------
size: $(BUILD)/esp.ok ## Sizes of the loader and the kernel
	$(Q)$(SIZE) $(BUILD)/kernel.elf
	$(Q)wc -c $(BUILD)/BOOTX64.EFI $(BUILD)/esp/cairn/kernel.elf | sed '$$d'
compile_commands: all host-tests ## build/compile_commands.json for editors
	$(Q){ echo '['; find $(BUILD) -name '*.json' ! -name compile_commands.json -path '$(BUILD)/*/*' -exec cat {} + | sed '$$ s/,$$//'; echo ']'; } \
	  >$(BUILD)/compile_commands.json
	$(Q)echo '  wrote   $(BUILD)/compile_commands.json'
clean: ## Remove build/
	rm -rf $(BUILD)
help: ## This list
	@sed -n 's/^\([a-z_-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r t w; do printf '  make %-17s %s\n' "$$t" "$$w"; done
FORCE:
.PHONY: all loader kernel esp setup image install run gdb screenshot host-tests fuzz-tests test test-boot fuzz insns bench bench-programs bench-nodes replay model plot unit unit-which \
  check \
  firmware-matrix shim check-format check-tidy check-layers check-hot check-headers check-docs docs format size compile_commands clean help FORCE
