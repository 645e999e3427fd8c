# make bench-requests: an hour of LLM requests one by one through the replicas that the simulator's policies
# had, beside what its fluid says, from the data below HUDDLE_DATA. REQUESTS_ARGS: see requests.c.
REQUESTS_OBJECTS = $(addprefix $(BUILD)/obj/tests/bench/,requests_arena.o requests_engine.o requests_lives.o \
	requests_player.o requests_trace.o fortnight_arena.o fortnight_demand.o fortnight_sketch.o)
$(BUILD)/bench/requests: $(addprefix $(BUILD)/obj/tests/bench/,requests.o number.o requests_tables.o) \
		$(REQUESTS_OBJECTS) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) $(LIB_YAML) $(LIB_PROTOBUF_C) -lm)

.PHONY: bench-requests
bench-requests: $(BUILD)/bench/requests
	$(Q)$(BUILD)/bench/requests $(REQUESTS_ARGS) $(HUDDLE_DATA)
