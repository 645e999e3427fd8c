# make bench-state: what the controller's core keeps in memory for 10,000 nodes and 100,000 replicas.
$(BUILD)/bench/state: $(addprefix $(BUILD)/obj/tests/bench/,state.o cost.o number.o fleet.o) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) $(LIB_PROTOBUF_C) $(LIB_YAML) -lm)

.PHONY: bench-state
bench-state: $(BUILD)/bench/state
	$(Q)$(BUILD)/bench/state $(STATE_ARGS)
