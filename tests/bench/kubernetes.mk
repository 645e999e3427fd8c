# make bench-kubernetes: what huddle-controller costs on 5,000 nodes and 100,000 pods of Kubernetes.
.PHONY: bench-kubernetes
bench-kubernetes: $(BUILD)/huddle-controller
	$(Q)HUDDLE_BUILD=$(BUILD) tests/bench/kubernetes.py $(KUBERNETES_ARGS)
