# The CustomResourceDefinitions, from the tables that the programs themselves read; a unit test
# (crd_test) fails when they are not what these would be.
CRDS := servedmodels powerpools powerpolicies nodepowers

.PHONY: crds
crds: $(BUILD)/huddlectl
	$(Q)for k in $(CRDS); do $(EMULATOR) $< install crds $$k --dry-run=client -o yaml \
		>deploy/kubernetes/crds/huddle.energy_$$k.yaml || exit 1; done
