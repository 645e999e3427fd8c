# make bench-simulate: what a year of 1,000 nodes in steps of five minutes costs huddlectl simulate.
# SIMULATE_ARGS: see tests/bench/simulate.py.
.PHONY: bench-simulate
bench-simulate: $(BUILD)/huddlectl
	$(Q)tests/bench/simulate.py $(SIMULATE_ARGS) --build $(BUILD)
