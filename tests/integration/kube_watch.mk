# The program through which tests follow objects of an API server.
integration-programs: $(BUILD)/lab/kube_watch_driver
$(BUILD)/lab/kube_watch_driver: $(BUILD)/obj/tests/integration/kube_watch_driver.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_JANSSON) $(LIB_YAML) $(LIB_GNUTLS) -lm)
