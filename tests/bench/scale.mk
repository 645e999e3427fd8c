# make bench-scale: what a plan for SCALE="NODES REPLICAS" costs, first and after a change, and how it
# grows from 100 nodes on. SCALE_ARGS: see tests/bench/scale.c.
SCALE ?= 10000 100000
$(BUILD)/bench/scale: $(addprefix $(BUILD)/obj/tests/bench/,scale.o cost.o number.o scale_world.o scale_plot.o chart.o) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) $(LIB_YAML) $(LIB_PROTOBUF_C) -lm)

.PHONY: bench-scale
bench-scale: $(BUILD)/bench/scale
	$(Q)$(BUILD)/bench/scale $(SCALE_ARGS) --svg build/bench/scale.svg $(SCALE)
