# make bench-agent: what huddle-agent costs a node, beside prometheus-node-exporter, in one run.
BENCH_SECONDS ?= 30
.PHONY: bench-agent
bench-agent: $(BUILD)/huddle-agent
	$(Q)tests/checks/deps.sh prometheus-node-exporter
	$(Q)tests/bench/agent.py $(AGENT_ARGS) --build $(BUILD) --seconds $(BENCH_SECONDS)
