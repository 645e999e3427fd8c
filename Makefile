# huddle: build, test, demo and install. `make help` lists the targets.
#
#   make demo        install what is missing, build, and run a day of demand on a small rack
#   make test        install what is missing, build, and run every test
#   MODE=release|debug|asan (or release-WORD) names the build folder build/$(MODE)/; CC, CFLAGS,
#   LDFLAGS, PREFIX, DESTDIR and V=1 are honoured.

MODE ?= release
BUILD := build/$(MODE)
VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
PROTOC_C ?= protoc-c
PKG_CONFIG ?= pkg-config
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

# --- flags -------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wpointer-arith -Wundef -Wformat=2 -Wimplicit-fallthrough -Wconversion \
	$(if $(CI),-Werror)
# -ffp-contract=off: the same bits from every compiler and processor.
BASE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DHUDDLE_VERSION='"$(VERSION)"' -I. -I$(BUILD)/gen \
	-ffp-contract=off -fPIE -fstack-protector-strong -pthread -ffile-prefix-map=$(CURDIR)=.
OPT_release := -O2 -g -D_FORTIFY_SOURCE=2
OPT_debug := -O0 -g
OPT_asan := -O1 -g -fno-omit-frame-pointer
KIND := $(firstword $(subst -, ,$(MODE)))
CFLAGS ?= $(OPT_$(KIND))
# What makes a mode what it is: no CFLAGS of the caller take it away.
CHECK_asan := -fsanitize=address,undefined -fno-sanitize-recover=undefined
CHECK_LINK_asan := -fsanitize=address,undefined
ALL_CFLAGS = $(BASE_CFLAGS) $(CFLAGS) $(CHECK_$(KIND))
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(CHECK_LINK_$(KIND)) $(LDFLAGS)

# --- libraries, one line each; evaluated when a recipe runs, so that `make deps` works without them
LIB_CURL = $(shell $(PKG_CONFIG) --libs libcurl)
LIB_YAML = $(shell $(PKG_CONFIG) --libs yaml-0.1)
LIB_JANSSON = $(shell $(PKG_CONFIG) --libs jansson)
LIB_POWERCAP = $(shell $(PKG_CONFIG) --libs powercap)
LIB_PROTOBUF_C = $(shell $(PKG_CONFIG) --libs libprotobuf-c)
LIB_MICROHTTPD = $(shell $(PKG_CONFIG) --libs libmicrohttpd)
LIB_GNUTLS = $(shell $(PKG_CONFIG) --libs gnutls)
LIB_SQLITE = $(shell $(PKG_CONFIG) --libs sqlite3)
LIB_CMOCKA = $(shell $(PKG_CONFIG) --libs cmocka)

# --- sources: a folder is a module, a file is found by standing in it ---------------------------
PROTO_SRC := $(wildcard proto/*.c proto/base/*.c)
AGENT_SRC := $(filter-out agent/main.c,$(wildcard agent/*.c agent/sensor/*.c agent/replica/*.c))
CONTROLLER_SRC := $(filter-out controller/main.c,$(wildcard controller/*.c $(foreach d,\
	api state energy forecast placement reconcile substrate power pki simulate kube_client kubernetes,controller/$(d)/*.c)))
CLI_SRC := $(filter-out controller/cli/main.c,$(wildcard controller/cli/*.c))
TEST_SRC := $(wildcard tests/unit/*_test.c)
SIM_SRC := $(wildcard tests/simulation/*_test.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_PROTO := $(BUILD)/libproto.a
LIB_AGENT := $(BUILD)/libagent.a
LIB_CONTROLLER := $(BUILD)/libcontroller.a
LIB_CLI := $(BUILD)/libcli.a
GEN := $(BUILD)/gen/proto/huddle.pb-c.h

PROGRAMS := $(BUILD)/huddle-agent $(BUILD)/huddle-controller $(BUILD)/huddlectl
TESTS := $(patsubst tests/unit/%.c,$(BUILD)/test/%,$(TEST_SRC)) \
	$(patsubst tests/simulation/%.c,$(BUILD)/test/%,$(SIM_SRC))

.PHONY: all
all: $(PROGRAMS)
.DELETE_ON_ERROR:
.SECONDARY:

$(BUILD)/gen/proto/huddle.pb-c.c $(BUILD)/gen/proto/huddle.pb-c.h &: proto/huddle.proto
	$(call say,PROTOC,$<)
	$(Q)mkdir -p $(BUILD)/gen && $(PROTOC_C) --c_out=$(BUILD)/gen -I. $<

$(BUILD)/obj/%.o: %.c | $(GEN)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(WARN) -MMD -MP -c -o $@ $<

# The loops over units, weights and errors become vector instructions; errno after sqrtf() is of no use here.
$(patsubst %,$(BUILD)/obj/controller/forecast/%.o,dense experts network product profile): BASE_CFLAGS += -ftree-vectorize -fno-math-errno

$(BUILD)/obj/gen/huddle.pb-c.o: $(BUILD)/gen/proto/huddle.pb-c.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB_PROTO): $(call obj,$(PROTO_SRC)) $(BUILD)/obj/gen/huddle.pb-c.o
$(LIB_AGENT): $(call obj,$(AGENT_SRC))
$(LIB_CONTROLLER): $(call obj,$(CONTROLLER_SRC))
$(LIB_CLI): $(call obj,$(CLI_SRC))
$(BUILD)/%.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

link = $(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1)

$(BUILD)/huddle-agent: $(BUILD)/obj/agent/main.o $(LIB_AGENT) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_POWERCAP) $(LIB_PROTOBUF_C) $(LIB_JANSSON) $(LIB_YAML) $(LIB_MICROHTTPD) $(LIB_GNUTLS) -lm -ldl)

$(BUILD)/huddle-controller: $(BUILD)/obj/controller/main.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_MICROHTTPD) $(LIB_GNUTLS) $(LIB_SQLITE) $(LIB_PROTOBUF_C) $(LIB_JANSSON) $(LIB_YAML) -lm)

$(BUILD)/huddlectl: $(BUILD)/obj/controller/cli/main.o $(LIB_CLI) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_GNUTLS) $(LIB_JANSSON) $(LIB_YAML) $(LIB_PROTOBUF_C) -lm)

TEST_LIBS = $(LIB_CMOCKA) $(LIB_CURL) $(LIB_MICROHTTPD) $(LIB_GNUTLS) $(LIB_SQLITE) $(LIB_POWERCAP) \
	$(LIB_PROTOBUF_C) $(LIB_JANSSON) $(LIB_YAML) -lm -ldl
$(BUILD)/test/%: $(BUILD)/obj/tests/unit/%.o $(LIB_CLI) $(LIB_AGENT) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(TEST_LIBS))
$(patsubst %,$(BUILD)/test/%,adopt_test adopt_others_test adopt_crash_test adopt_refusal_test surge_test \
	stand_in_test stand_in_crash_test): \
	$(BUILD)/obj/tests/unit/adopt_world.o $(BUILD)/obj/tests/unit/adopt_world_move.o
$(BUILD)/test/%: $(BUILD)/obj/tests/simulation/%.o $(LIB_CLI) $(LIB_AGENT) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(TEST_LIBS))

# --- what must be installed ---------------------------------------------------------------------
# Debian 12 and 13. `deps` installs what building, the demo and the tests need and is silent when all
# is there; `deps-check` adds what only the checks of .ci/run need.
DEPS := gcc make pkg-config libc6-dev libcurl4-gnutls-dev libyaml-dev libjansson-dev \
	libpowercap-dev libprotobuf-c-dev protobuf-c-compiler libmicrohttpd-dev libgnutls28-dev \
	libsqlite3-dev libcmocka-dev haproxy prometheus prometheus-alertmanager python3 python3-pytest iproute2 procps \
	util-linux openssl ca-certificates git curl
DEPS_CHECK := clang clang-tidy clang-format cppcheck lld libclang-rt-dev valgrind shellcheck \
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static mmdebstrap groff man-db \
	black systemd

.PHONY: deps deps-check
deps:
	@tests/checks/deps.sh $(DEPS)
deps-check:
	@tests/checks/deps.sh $(DEPS) $(DEPS_CHECK)

# --- tests --------------------------------------------------------------------------------------
# A cmocka program per file in tests/unit and tests/simulation, and pytest for running programs.
.PHONY: unit tests test test-quick integration-programs
tests: $(TESTS)
integration-programs: # the .mk files beside the tests add what they need

unit: $(TESTS)
	$(Q)tests/run.py --build $(BUILD) --only programs

test: deps
	$(Q)tests/checks/deps.sh $(DEPS_KUBERNETES) $(DEPS_CONTAINER)
	$(Q)$(MAKE) --no-print-directory all tests integration-programs bench-programs kubernetes-programs images
	$(Q)tests/run.py --build $(BUILD)

test-quick: deps
	$(Q)$(MAKE) --no-print-directory all tests integration-programs bench-programs
	$(Q)tests/run.py --build $(BUILD) --only programs integration

# --- checks -------------------------------------------------------------------------------------
C_FILES = $(shell git ls-files '*.c' '*.h')
.PHONY: check-asan check-valgrind check-layers check-headers lint format format-check check-arm64
check-asan:
	$(Q)$(MAKE) --no-print-directory MODE=asan unit

VALGRIND := valgrind --quiet --error-exitcode=9 --leak-check=full --child-silent-after-fork=yes \
	--show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible
# A quarter of the seeds: a simulation takes some thirty times as long here.
check-valgrind: $(TESTS)
	$(Q)HUDDLE_SIM_PART=4 tests/run.py --build $(BUILD) --only programs --wrapper "$(VALGRIND)" --timeout 2400

check-layers: $(LIB_PROTO) $(LIB_CONTROLLER) $(LIB_AGENT)
	$(Q)tests/checks/layers.py --objects $(BUILD)/obj

# Each header compiles alone.
check-headers: $(GEN)
	$(Q)for h in $$(git ls-files '*.h' | grep -v '^tests/'); do \
		printf '#include "%s"\nextern int only_so_that_this_is_not_empty;\n' $$h | \
		$(CC) $(BASE_CFLAGS) $(WARN) -Werror -fsyntax-only -x c - || exit 1; done; echo "headers compile alone"

lint: $(GEN)
	$(Q)tests/checks/lint.sh $(BUILD)

format:
	$(Q)clang-format -i $(C_FILES)
	$(Q)black -q -l 100 $$(git ls-files '*.py')
format-check:
	$(Q)clang-format --dry-run -Werror $(C_FILES) && echo "C is formatted"
	$(Q)black -q -l 100 --check $$(git ls-files '*.py') && echo "Python is formatted"

# Cross-compiles for arm64 against a Debian tree of that architecture and runs the unit tests under
# qemu-user. The tree is made once, below build/.
ARM64_ROOT := build/arm64-root
ARM64_LIBS := libc6-dev libcurl4-gnutls-dev libyaml-dev libjansson-dev libpowercap-dev \
	libprotobuf-c-dev libmicrohttpd-dev libgnutls28-dev libsqlite3-dev libcmocka-dev
comma := ,
empty :=
space := $(empty) $(empty)
$(ARM64_ROOT)/.done:
	$(call say,ROOT,$(ARM64_ROOT))
	$(Q)rm -rf $(ARM64_ROOT) && mkdir -p build && mmdebstrap --quiet --architectures=arm64 \
		--variant=extract --include=$(subst $(space),$(comma),$(ARM64_LIBS)) \
		$$(. /etc/os-release && echo $$VERSION_CODENAME) $(ARM64_ROOT) && touch $@
ARM64_MAKE = env PKG_CONFIG_SYSROOT_DIR=$(CURDIR)/$(ARM64_ROOT) \
	PKG_CONFIG_LIBDIR=$(CURDIR)/$(ARM64_ROOT)/usr/lib/aarch64-linux-gnu/pkgconfig:$(CURDIR)/$(ARM64_ROOT)/usr/share/pkgconfig \
	$(MAKE) --no-print-directory MODE=release-arm64 CC="aarch64-linux-gnu-gcc --sysroot=$(CURDIR)/$(ARM64_ROOT)" \
	AR=aarch64-linux-gnu-ar
check-arm64: $(ARM64_ROOT)/.done
	$(Q)$(ARM64_MAKE) all tests
	$(Q)HUDDLE_EMULATED=1 HUDDLE_SIM_PART=4 tests/run.py --build build/release-arm64 --only programs --timeout 1200 \
		--wrapper "qemu-aarch64-static -L $(CURDIR)/$(ARM64_ROOT)"

# Further parts of the build, each beside what it builds (tests/lab/lab.mk, deploy/examples/...).
include $(wildcard tests/*/*.mk deploy/*/*.mk deploy/examples/*/*.mk)

# --- install ------------------------------------------------------------------------------------
BINDIR := $(PREFIX)/bin
SBINDIR := $(PREFIX)/sbin
MANDIR := $(PREFIX)/share/man
UNITDIR ?= $(if $(filter /usr,$(PREFIX)),/lib/systemd/system,$(PREFIX)/lib/systemd/system)
INSTALL ?= install
EXAMPLES := $(PREFIX)/share/doc/huddle/examples
ALERTS := $(PREFIX)/share/doc/huddle/prometheus
# Where both daemons look by default, whatever PREFIX is; secrets: no listing of the folder, each
# file is as readable as its owner makes it.
SITE_DIRS := /etc/huddle/runtimes.d /etc/huddle/drivers /etc/huddle/grid /usr/libexec/huddle
SECRETS_DIR := /etc/huddle/secrets

.PHONY: install uninstall
install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) $(DESTDIR)$(UNITDIR) \
		$(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(EXAMPLES) $(DESTDIR)$(ALERTS)
	for d in $(SITE_DIRS) $(SECRETS_DIR); do [ -d $(DESTDIR)$$d ] || \
		$(INSTALL) -d -m $$([ $$d = $(SECRETS_DIR) ] && echo 711 || echo 755) $(DESTDIR)$$d || \
		echo "install: without $$d: make it as root where the daemons run"; done
	$(INSTALL) -m 755 $(BUILD)/huddlectl $(DESTDIR)$(BINDIR)/huddlectl
	ln -sf huddlectl $(DESTDIR)$(BINDIR)/kubectl-huddle
	$(INSTALL) -m 755 $(BUILD)/huddle-agent $(BUILD)/huddle-controller $(DESTDIR)$(SBINDIR)/
	for u in deploy/systemd/*.service; do sed 's|@SBINDIR@|$(SBINDIR)|g' $$u \
		>$(DESTDIR)$(UNITDIR)/$$(basename $$u) || exit 1; done
	$(INSTALL) -m 644 $(BUILD)/huddlectl.1 $(DESTDIR)$(MANDIR)/man1/
	$(INSTALL) -m 644 $(BUILD)/huddle.yaml.5 $(DESTDIR)$(MANDIR)/man5/
	$(INSTALL) -m 644 deploy/man/huddle-agent.8 deploy/man/huddle-controller.8 $(DESTDIR)$(MANDIR)/man8/
	$(INSTALL) -m 644 deploy/examples/*.yaml $(DESTDIR)$(EXAMPLES)/
	$(INSTALL) -m 644 deploy/prometheus/*.yaml $(DESTDIR)$(ALERTS)/
	for d in demo runtimes.d kubernetes/classifier kubernetes/kserve kubernetes/llamacpp kubernetes/triton \
		kubernetes/vllm; do $(INSTALL) -d $(DESTDIR)$(EXAMPLES)/$$d && \
		$(INSTALL) -m 644 deploy/examples/$$d/*.yaml $(DESTDIR)$(EXAMPLES)/$$d/ || exit 1; done

uninstall:
	rm -f $(DESTDIR)$(BINDIR)/huddlectl $(DESTDIR)$(BINDIR)/kubectl-huddle \
		$(DESTDIR)$(SBINDIR)/huddle-agent $(DESTDIR)$(SBINDIR)/huddle-controller \
		$(patsubst deploy/systemd/%,$(DESTDIR)$(UNITDIR)/%,$(wildcard deploy/systemd/*.service)) \
		$(DESTDIR)$(MANDIR)/man1/huddlectl.1 $(DESTDIR)$(MANDIR)/man5/huddle.yaml.5 \
		$(DESTDIR)$(MANDIR)/man8/huddle-agent.8 $(DESTDIR)$(MANDIR)/man8/huddle-controller.8
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/huddle
	for d in $(SITE_DIRS) $(SECRETS_DIR) /etc/huddle; do \
		rmdir $(DESTDIR)$$d 2>/dev/null || true; done # what a person put there stays

# Installs into DESTDIR and checks that what is there is complete.
.PHONY: check-install
check-install: install
	$(Q)tests/checks/install.sh $(DESTDIR) $(PREFIX)

.PHONY: dist
dist:
	git archive --prefix=huddle-$(VERSION)/ -o huddle-$(VERSION).tar.gz HEAD

.PHONY: help
help:
	@echo 'huddle $(VERSION): serve models on the fewest powered nodes'
	@echo
	@echo '  make demo            install what is missing, build, and watch a rack serve a day in two minutes'
	@echo '  make test            install what is missing, build, and run all tests'
	@echo '  make test-quick      all tests but those on a real Kubernetes (make test-kubernetes: those alone;'
	@echo '                      make test-moves MOVES=200: so many moves under traffic)'
	@echo '  make all             build huddle-agent, huddle-controller, huddlectl into build/$(MODE)/'
	@echo '  make install         PREFIX=$(PREFIX) DESTDIR=$(DESTDIR); uninstall takes it away'
	@echo '  make images          container images into build/images/ (images-arm64: by a cross build)'
	@echo '  make deps            install what building, demo and tests need (deps-check: the checks too)'
	@echo '  make unit            unit and simulation tests only'
	@echo '  make check-asan check-valgrind check-layers check-headers check-determinism check-arm64 check-images check-install lint format-check'
	@echo '  make fuzz            every parser under libFuzzer, FUZZ_SECONDS=15 each'
	@echo '  make bench           bench-agent bench-ingest bench-state bench-scale bench-simulate, and those on data where HUDDLE_DATA is set'
	@echo '  make report          measure what is not saved yet and write the table in the README'
	@echo '  make crds            write deploy/kubernetes/crds from the tables of fields and rules'
	@echo '  make format dist clean'
	@echo
	@echo '  MODE=release|debug|asan  CC=gcc|clang  V=1 shows the commands  CI=1 makes warnings errors'

# Each bench-X stands beside its program in tests/bench; the last ones need HUDDLE_DATA.
.PHONY: bench bench-programs
bench-programs: $(addprefix $(BUILD)/bench/,forecast fortnight ingest openb packing planetlab requests scale state)
bench: bench-agent bench-ingest bench-state bench-scale bench-simulate $(if $(HUDDLE_DATA),bench-forecast bench-packing bench-openb bench-planetlab bench-fortnight bench-requests)

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
