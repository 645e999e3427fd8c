# OpenStack's Redfish emulator (sushy-tools), a Python package, in a folder of its own below the cache that
# the Kubernetes programs have. Where it cannot be had its tests are skipped with the reason; with CI=true
# this fails.
.PHONY: sushy
integration-programs: sushy
sushy:
	$(Q)python3 -m pip --version >/dev/null 2>&1 || tests/checks/deps.sh python3-pip
	$(Q)python3 -m tests.lab.sushy --optional
