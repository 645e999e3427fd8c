# Fuzzing of every parser: `make fuzz FUZZ_SECONDS=15`. A target is tests/fuzz/X_fuzz.c; its seeds are in
# tests/fuzz/corpus/X/. Clang's libFuzzer, in a build folder of its own.
OPT_fuzz := -O1 -g -fno-omit-frame-pointer
CHECK_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
CHECK_LINK_fuzz := -fsanitize=fuzzer,address,undefined
FUZZ_SECONDS ?= 15
FUZZ_ONLY ?=
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZERS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(if $(FUZZ_ONLY),\
	$(foreach f,$(FUZZ_SRC),$(if $(findstring $(FUZZ_ONLY),$(f)),$(f))),$(FUZZ_SRC)))

.PHONY: fuzz fuzzers
fuzz:
	$(Q)$(MAKE) --no-print-directory MODE=fuzz CC=clang fuzzers
	$(Q)tests/fuzz/run.py --build build/fuzz --seconds $(FUZZ_SECONDS) --only '$(FUZZ_ONLY)'
fuzzers: $(FUZZERS)
$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIB_CLI) $(LIB_AGENT) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(TEST_LIBS))
