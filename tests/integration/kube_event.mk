# The program through which tests tell Events.
kubernetes-images integration-programs: $(BUILD)/lab/kube_event_driver
$(BUILD)/lab/kube_event_driver: $(BUILD)/obj/tests/integration/kube_event_driver.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_JANSSON) $(LIB_YAML) $(LIB_GNUTLS) -lm)
