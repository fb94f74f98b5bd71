# Spraay for Lua. `make demo` shows it at work, `make test` runs every spec; both
# first install what is missing, so a bare Debian or Ubuntu is enough.
# SPDX-License-Identifier: MIT

# ---- Settings -----------------------------------------------------------------

LUA_VERSION  ?= 5.4
LUA          ?= lua$(LUA_VERSION)
BUILD        ?= build
PREFIX       ?= /usr/local
DESTDIR      ?=
PKG_CONFIG   ?= pkg-config
CFLAGS       ?= -O2 -g
FUZZ_SECONDS ?= 30
FILES        ?=

# LUA_VERSION is 5.4, 5.3, 5.2, 5.1 or jit. `make test` builds for all of these; the
# first runs every spec (the sandbox needs it to be 5.4), the others most: see .ci/test.
TEST_LUAS    ?= 5.4 5.3 5.2 5.1 jit

# By pkg-config name. Lua is wanted for its headers alone: the symbols come from
# whichever interpreter loads the module, so liblua is never linked.
PACKAGES = libcurl \
           libsecp256k1 \
           libsodium \
           sqlite3

WARNINGS = -Wall \
           -Wextra \
           -Wconversion \
           -Wshadow \
           -pedantic \
           -Werror

# ---- Derived ------------------------------------------------------------------

LUA_INC ?= $(shell $(PKG_CONFIG) --cflags lua$(LUA_VERSION))
LUA_DIR  = lua/$(patsubst jit,5.1,$(LUA_VERSION))
LIB_INC := $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
LIBS     = $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -pthread

ALL_CFLAGS = -std=c99 -D_XOPEN_SOURCE=700 $(WARNINGS) $(CFLAGS) $(SANITIZE) \
             -fPIC -fvisibility=hidden -pthread -Isrc $(LIB_INC)
SHARED     = $(if $(filter Darwin,$(shell uname -s)),-bundle -undefined dynamic_lookup,-shared)

# Only bind/ sees Lua, so everything else is compiled once for all versions.
SRC      = $(sort $(wildcard src/*/*.c))
CORE_OBJ = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(filter-out src/bind/%,$(SRC)))
BIND_OBJ = $(patsubst src/%.c,$(BUILD)/obj-$(LUA_VERSION)/%.o,$(filter src/bind/%,$(SRC)))
MODULE   = $(BUILD)/lua$(LUA_VERSION)/spraay/core.so

# Programs in C among the specs: each passes by exiting with 0.
C_SPECS  = $(patsubst %.c,$(BUILD)/%,$(filter-out %_fuzz.c,$(wildcard spec/fuzz/*.c)))
# Those that run Lua themselves are linked with a Lua 5.4, and with the bindings.
HOST_SPECS = $(patsubst %.c,$(BUILD)/%,$(wildcard spec/hosts/*.c))
HOST_OBJ   = $(patsubst src/%.c,$(BUILD)/obj-5.4/%.o,$(filter src/bind/%,$(SRC)))
C_FILES  = $(SRC) $(wildcard src/*/*.h spec/*/*.[ch])
FUZZERS  = $(patsubst %.c,$(BUILD)/%,$(wildcard spec/fuzz/*_fuzz.c))

# The work tree as a module path: absolute, so that it holds in any directory.
TREE_PATH  = $(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;;
TREE_CPATH = $(abspath $(BUILD))/lua$(LUA_VERSION)/?.so;;
IN_TREE    = LUA_PATH='$(TREE_PATH)' LUA_CPATH='$(TREE_CPATH)'

# ---- Build --------------------------------------------------------------------

all: build
module: $(MODULE)
build: module $(if $(wildcard lua/spraay/cli/spraay.sh),$(BUILD)/spraay)

$(MODULE): $(CORE_OBJ) $(BIND_OBJ)
	@mkdir -p $(@D)
	$(CC) $(SHARED) $(SANITIZE) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj-$(LUA_VERSION)/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_INC) -MMD -MP -c -o $@ $<

$(C_SPECS): $(BUILD)/%: %.c $(CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -o $@ $< $(CORE_OBJ) $(LIBS) -ljansson

$(HOST_SPECS): $(BUILD)/%: %.c $(CORE_OBJ) $(HOST_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(shell $(PKG_CONFIG) --cflags lua5.4) -MMD -MP -MF $@.d -o $@ $< $(CORE_OBJ) $(HOST_OBJ) \
	    $(shell $(PKG_CONFIG) --libs lua5.4) $(LIBS)

ifneq ($(LUA_VERSION),5.4)
$(BUILD)/obj-5.4/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(shell $(PKG_CONFIG) --cflags lua5.4) -MMD -MP -c -o $@ $<
endif

$(FUZZERS): $(BUILD)/%: %.c $(CORE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer -MMD -MP -MF $@.d -o $@ $< $(CORE_OBJ) $(LIBS) -ljansson

-include $(CORE_OBJ:.o=.d) $(BIND_OBJ:.o=.d) $(C_SPECS:=.d) $(HOST_SPECS:=.d) $(FUZZERS:=.d)

# launcher: interpreter, LUA_PATH, LUA_CPATH
launcher = sed -e 's|@LUA@|$(1)|g' -e 's|@LUA_PATH@|$(2)|g' -e 's|@LUA_CPATH@|$(3)|g' \
           lua/spraay/cli/spraay.sh

# Written anew when it would differ: it names the Lua that was built for last.
$(BUILD)/spraay: lua/spraay/cli/spraay.sh always
	@mkdir -p $(@D)
	@$(call launcher,$(LUA),$(TREE_PATH),$(TREE_CPATH)) > $@.new
	@chmod +x $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

# ---- Run ----------------------------------------------------------------------

setup:
	@.ci/setup build

demo: setup
	@$(MAKE) -s build
	@mkdir -p out
	@$(IN_TREE) $(BUILD)/spraay sandbox -- $(LUA) examples/pipeline.lua

# The last line says how many passed and how many failed, whatever happens.
test:
	@.ci/setup test
	@for v in $(TEST_LUAS); do $(MAKE) -s LUA_VERSION=$$v module || exit 1; done && \
	 $(MAKE) -s c-specs || { echo "0 passed, 1 failed"; exit 1; }
	@.ci/test $(BUILD) "$(C_SPECS) $(HOST_SPECS)" $(TEST_LUAS)

c-specs: $(C_SPECS) $(HOST_SPECS)

# Some specs, under one Lua: `make spec FILES=spec/chain/amount_spec.lua`
spec: build
	@state=$$(mktemp -d); trap 'rm -rf "$$state"' EXIT; \
	SPRAAY_STATE_DIR=$$state SPRAAY_SPEC_BUILD=$(BUILD) \
	    SPRAAY_SANDBOX_CPATH='$(abspath $(BUILD))/lua5.4/?.so;;' $(IN_TREE) $(LUA) spec/run.lua $(FILES)

# The hosts that are programs of their own, such as nginx, alone; `make test` runs these too.
hosts:
	@.ci/setup test
	@for v in 5.4 jit; do $(MAKE) -s LUA_VERSION=$$v module || exit 1; done
	@SPECS=spec/nginx .ci/test $(BUILD) "" 5.4

# The specs of the hosts, under every Lua and in every loop: one row each.
matrix:
	@.ci/setup test
	@for v in $(TEST_LUAS); do $(MAKE) -s LUA_VERSION=$$v module || exit 1; done
	@.ci/matrix $(BUILD) $(TEST_LUAS)

bench: setup build $(SHIM)
	@for f in spec/bench/*_bench.lua; do $(IN_TREE) $(LUA) $$f || exit 1; done

# One folder that a game ships, with all in it but libcurl: see .ci/bundle.
BUNDLE = $(BUILD)/bundle

bundle:
	@.ci/setup build bundle
	@$(MAKE) -s LUA_VERSION=5.1 bundle-folder

bundle-folder: $(CORE_OBJ) $(BIND_OBJ)
	@CC='$(CC)' PKG_CONFIG='$(PKG_CONFIG)' .ci/bundle $(BUNDLE) $^

# ---- Check --------------------------------------------------------------------

lint:
	@.ci/setup build lint
	@echo clang-format; clang-format --dry-run -Werror $(C_FILES)
	@echo clang-tidy; clang-tidy --quiet $(SRC) -- $(filter-out -W% -pedantic,$(ALL_CFLAGS)) $(LUA_INC)
	@echo luacheck; luacheck --quiet lua spec examples rockspec rockspec/*.rockspec

# Address and UndefinedBehavior sanitizers under the specs of the first Lua, and Thread
# sanitizer under what has threads. The Lua is not instrumented, so their runtimes are
# preloaded into it: see .ci/sanitize.
sanitize:
	@.ci/setup test
	@.ci/sanitize $(BUILD)/asan

# Reads of uninitialised memory, which no sanitizer of gcc sees. It takes minutes:
# `make valgrind FILES=spec/codec` runs some. Memory that a process still points to
# when it ends is no leak.
C_ROWS   = spec/core spec/codec spec/crypto spec/chain spec/x402 spec/client spec/http
VALGRIND = valgrind --quiet --error-exitcode=99 --leak-check=full --keep-debuginfo=yes \
           --errors-for-leak-kinds=definite
valgrind:
	@.ci/setup test valgrind
	@$(MAKE) -s module c-specs
	@SPEC_ENV="$(VALGRIND)" SPECS="$(or $(FILES),$(C_ROWS))" \
	    LIMIT=1200 .ci/test $(BUILD) "$(C_SPECS)" $(LUA_VERSION)

# Random input for whatever reads text from outside, beginning with that of NAME_seeds.lua
# where NAME_fuzz.c has one; what breaks one is kept beside the fuzzer in $(BUILD)/fuzz.
fuzz:
	@.ci/setup build fuzz
	@$(MAKE) -s BUILD=$(BUILD)/fuzz CC=clang SANITIZE="-fsanitize=fuzzer-no-link,address,undefined" run-fuzzers

run-fuzzers: $(FUZZERS)
	@for f in $(FUZZERS); do mkdir -p $$f.corpus; \
	    seeds=spec/fuzz/$$(basename $$f _fuzz)_seeds.lua; \
	    [ ! -f $$seeds ] || lua5.4 $$seeds $$f.corpus || exit 1; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -artifact_prefix=$$f- -print_final_stats=1 $$f.corpus > $$f.log 2>&1 || \
	        { cat $$f.log; exit 1; }; \
	    sed -n "s|^stat::number_of_executed_units: *|$$f, $(FUZZ_SECONDS) s, inputs: |p" $$f.log; done

# Scripts against faults, kills and bad disks, judged by the sandbox's books: see
# spec/battery/README.md. SEED=N repeats a run; `crash` is ten thousand random kills.
SHIM    = $(BUILD)/spec/battery/shim.so
SEED   ?=
BATTERY = SPRAAY_SPEC_BUILD=$(BUILD) SPRAAY_SANDBOX_CPATH='$(abspath $(BUILD))/lua5.4/?.so;;' \
          LUA_PATH='$(CURDIR)/?.lua;$(TREE_PATH)' LUA_CPATH='$(abspath $(BUILD))/lua5.4/?.so;;' lua5.4

$(SHIM): spec/battery/shim.c
	@mkdir -p $(@D)
	$(CC) -std=c99 -D_XOPEN_SOURCE=700 $(WARNINGS) $(CFLAGS) -fPIC -shared -o $@ $<
	@chmod -x $@

c-specs: $(SHIM)

battery:
	@.ci/setup test
	@$(MAKE) -s LUA_VERSION=5.4 module $(SHIM)
	@$(BATTERY) spec/battery/run.lua --full $(if $(SEED),--seed $(SEED))
	@$(BATTERY) spec/battery/run.lua --full --rail solana $(if $(SEED),--seed $(SEED))
	@$(BATTERY) spec/battery/mutants.lua

crash:
	@.ci/setup test
	@$(MAKE) -s LUA_VERSION=5.4 module $(SHIM)
	@$(BATTERY) spec/battery/run.lua --only kill_random --kills 10000 $(if $(SEED),--seed $(SEED))

# The official packages, a real EVM and Solana's VM on loopback, against this client and its sandbox: see
# spec/interop/README.md. `interop-mutants` breaks the protocol on purpose and demands that it is noticed.

interop:
	@.ci/setup test
	@$(MAKE) -s LUA_VERSION=5.4 module
	@spec/interop/run $(BUILD) || { s=$$?; [ $$s -ne 3 ] || echo "0 passed, 1 failed"; exit $$s; }

interop-mutants:
	@.ci/setup test
	@$(MAKE) -s LUA_VERSION=5.4 module
	@spec/interop/install $(BUILD)
	@lua5.4 spec/interop/mutants.lua $(BUILD)

# ---- Install ------------------------------------------------------------------

SHARE = $(PREFIX)/share/$(LUA_DIR)
LIB   = $(PREFIX)/lib/$(LUA_DIR)

install: build
	cd lua && find spraay -name '*.lua' -exec install -D -m 644 {} $(DESTDIR)$(SHARE)/{} \;
	install -D -m 755 $(MODULE) $(DESTDIR)$(LIB)/spraay/core.so
	@mkdir -p $(DESTDIR)$(PREFIX)/bin
	$(call launcher,$(LUA),$(SHARE)/?.lua;$(SHARE)/?/init.lua;;,$(LIB)/?.so;;) > $(DESTDIR)$(PREFIX)/bin/spraay
	@chmod 755 $(DESTDIR)$(PREFIX)/bin/spraay

uninstall:
	rm -rf $(DESTDIR)$(SHARE)/spraay $(DESTDIR)$(LIB)/spraay $(DESTDIR)$(PREFIX)/bin/spraay

# The lists of the rockspec, from the tree.
rockspec:
	@.ci/rockspec

clean:
	rm -rf $(BUILD) out

.PHONY: all always module build setup demo test c-specs spec matrix hosts bench bundle bundle-folder lint sanitize valgrind fuzz run-fuzzers \
        battery crash interop interop-mutants install uninstall rockspec clean
.DELETE_ON_ERROR:
