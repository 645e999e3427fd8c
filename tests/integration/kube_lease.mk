# The program with which tests compete for a Lease.
kubernetes-images integration-programs: $(BUILD)/lab/kube_lease_driver
$(BUILD)/lab/kube_lease_driver: $(BUILD)/obj/tests/integration/kube_lease_driver.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_JANSSON) $(LIB_YAML) $(LIB_GNUTLS) -lm)
