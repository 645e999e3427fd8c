# The program that tests/integration/test_power_cap.py points at its trees.
integration-programs: $(BUILD)/lab/power_cap_try
$(BUILD)/lab/power_cap_try: $(BUILD)/obj/tests/lab/power_cap_try.o $(LIB_AGENT) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_POWERCAP))
