# make report: writes the README's table of measured results from build/bench/*.json and the demo's report.
# What is not saved yet is measured first: REPORT="forecast scale ..." names what (all by default; "" :
# nothing), FRESH=1 measures it again. A missed target is no reason not to report.
REPORT ?= agent ingest state scale kubernetes simulate $(if $(wildcard $(HUDDLE_DATA)),forecast packing openb planetlab fortnight requests)
FRESH ?=
bench_json = build/bench/$(1).json
.PHONY: report
report:
	$(Q)$(if $(FRESH),rm -f $(foreach b,$(REPORT),$(call bench_json,$(b))))
	$(Q)$(if $(strip $(REPORT)),$(MAKE) --no-print-directory $(foreach b,$(REPORT),$(call bench_json,$(b))))
	$(Q)tests/bench/report.py

# The variable by which bench-X takes arguments, from its name.
args_of = $(shell printf '%s_ARGS' $(1) | tr a-z A-Z)
build/bench/%.json:
	$(call say,BENCH,$@)
	$(Q)mkdir -p build/bench && { $(MAKE) --no-print-directory -s bench-$* '$(call args_of,$*)=-o json' \
		|| true; } | sed -n '/^[[{]/,$$p' >$@.new # what is built first says so before
	$(Q)python3 -c 'import json,sys; json.load(sys.stdin)' <$@.new && mv $@.new $@
