# The program that tests/integration/test_powercap.py points at its trees.
integration-programs: $(BUILD)/lab/powercap_look
$(BUILD)/lab/powercap_look: $(BUILD)/obj/tests/lab/powercap_look.o $(LIB_AGENT) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_POWERCAP) $(LIB_JANSSON) -lm -ldl)
