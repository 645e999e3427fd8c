# A real Kubernetes for the tests. Its programs are built once and kept outside of the checkout.
DEPS_KUBERNETES := libseccomp-dev nftables python3-venv

.PHONY: kubernetes-programs test-kubernetes
# Without the Go modules' proxy the tests are skipped with the reason; with CI=true this fails.
kubernetes-programs:
	$(Q)tests/kubernetes/build.py --optional

test-kubernetes: deps
	$(Q)tests/checks/deps.sh $(DEPS_KUBERNETES)
	$(Q)$(MAKE) --no-print-directory all lab kubernetes-programs
	$(Q)tests/run.py --build $(BUILD) --only kubernetes
