# make bench-fortnight: a fortnight of LLM demand on 64 nodes, from the data below HUDDLE_DATA, beside
# always-on, a reactive autoscaler, clairvoyant and the bound. FORTNIGHT_ARGS: see fortnight.c.
$(BUILD)/bench/fortnight: $(addprefix $(BUILD)/obj/tests/bench/,fortnight.o number.o fortnight_arena.o \
		fortnight_demand.o fortnight_sketch.o fortnight_tables.o) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) $(LIB_YAML) $(LIB_PROTOBUF_C) -lm)

.PHONY: bench-fortnight
bench-fortnight: $(BUILD)/bench/fortnight
	$(Q)$(BUILD)/bench/fortnight $(FORTNIGHT_ARGS) $(HUDDLE_DATA)
