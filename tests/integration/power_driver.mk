# The program with which tests ask a power driver.
integration-programs: $(BUILD)/lab/power_driver
$(BUILD)/lab/power_driver: $(BUILD)/obj/tests/integration/power_driver.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_JANSSON) $(LIB_YAML) $(LIB_GNUTLS) -lm)
