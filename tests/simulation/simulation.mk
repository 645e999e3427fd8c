# The deterministic world is shared by the simulation tests that name it. Objects come before the
# libraries that they use.
$(BUILD)/test/controller_test: $(call obj,tests/simulation/controller_test.c \
	tests/simulation/world.c tests/simulation/door.c tests/simulation/planner.c) \
	$(LIB_CLI) $(LIB_AGENT) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(TEST_LIBS))
