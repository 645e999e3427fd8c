# huddle: build, test, demo and install. `make help` lists the targets.
#
#   make demo        install what is missing, build, and run a day of demand on a small rack
#   make test        install what is missing, build, and run every test
#   MODE=release|debug|asan|ubsan-free names the build folder build/$(MODE)/; CC, CFLAGS, LDFLAGS,
#   PREFIX, DESTDIR and V=1 are honoured.

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
	-ffp-contract=off -fPIE -fstack-protector-strong -pthread
OPT_release := -O2 -g -D_FORTIFY_SOURCE=2
OPT_debug := -O0 -g
OPT_asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
CFLAGS ?= $(OPT_$(firstword $(subst -, ,$(MODE))))
SAN_asan := -fsanitize=address,undefined
ALL_CFLAGS = $(BASE_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN_$(firstword $(subst -, ,$(MODE)))) $(LDFLAGS)

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
	api state energy forecast placement reconcile substrate power simulate,controller/$(d)/*.c)))
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

link = $(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(1)

$(BUILD)/huddle-agent: $(BUILD)/obj/agent/main.o $(LIB_AGENT) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_POWERCAP) $(LIB_PROTOBUF_C) $(LIB_JANSSON) $(LIB_YAML) $(LIB_MICROHTTPD) -lm -ldl)

$(BUILD)/huddle-controller: $(BUILD)/obj/controller/main.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_MICROHTTPD) $(LIB_GNUTLS) $(LIB_SQLITE) $(LIB_PROTOBUF_C) $(LIB_JANSSON) $(LIB_YAML) -lm)

$(BUILD)/huddlectl: $(BUILD)/obj/controller/cli/main.o $(LIB_CLI) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_JANSSON) $(LIB_YAML) $(LIB_PROTOBUF_C) -lm)

TEST_LIBS = $(LIB_CMOCKA) $(LIB_CURL) $(LIB_MICROHTTPD) $(LIB_GNUTLS) $(LIB_SQLITE) $(LIB_POWERCAP) \
	$(LIB_PROTOBUF_C) $(LIB_JANSSON) $(LIB_YAML) -lm -ldl
$(BUILD)/test/%: $(BUILD)/obj/tests/unit/%.o $(LIB_CLI) $(LIB_AGENT) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(TEST_LIBS))
$(BUILD)/test/%: $(BUILD)/obj/tests/simulation/%.o $(LIB_CLI) $(LIB_AGENT) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(TEST_LIBS))

# --- tests --------------------------------------------------------------------------------------
.PHONY: unit
unit: $(TESTS)
	$(Q)fail=0; for t in $(TESTS); do $$t >$$t.log 2>&1 || { fail=1; cat $$t.log; echo "FAILED $$t"; }; done; exit $$fail

# Further parts of the build, each beside what it builds (tests/lab/lab.mk, deploy/examples/...).
include $(wildcard tests/*/*.mk deploy/examples/*/*.mk)

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
