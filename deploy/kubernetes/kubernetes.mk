# The CustomResourceDefinitions, from the tables that the programs themselves read; a unit test
# (crd_test) fails when they are not what these would be.
CRDS := servedmodels powerpools powerpolicies nodepowers

.PHONY: crds
crds: $(BUILD)/huddlectl
	$(Q)for k in $(CRDS); do $(EMULATOR) $< install crds $$k --dry-run=client -o yaml \
		>deploy/kubernetes/crds/huddle.energy_$$k.yaml || exit 1; done

# The alerts of deploy/prometheus as a PrometheusRule; test_alerts.py fails when it is not what this would be.
ALERT_FILES := deploy/prometheus/huddle.rules.yaml deploy/prometheus/huddle-kubernetes.rules.yaml
.PHONY: prometheus-rule
prometheus-rule:
	$(Q){ printf '%s\n' '# Made of ../../prometheus/*.rules.yaml by `make prometheus-rule`.' \
		'apiVersion: monitoring.coreos.com/v1' 'kind: PrometheusRule' 'metadata: {name: huddle}' 'spec:' '  groups:'; \
		sed -sn '/^groups:/,$$ { /^groups:/d; s/^..*/  &/; p }' $(ALERT_FILES); \
	} >deploy/kubernetes/prometheus-operator/rules.yaml
