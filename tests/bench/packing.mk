# make bench-packing: instances with known optima of HUDDLE_DATA through the planner's packing, or PACKING
# (files and folders). PACKING_ARGS: see tests/bench/packing.c.
$(BUILD)/bench/packing: $(addprefix $(BUILD)/obj/tests/bench/,packing.o cost.o packing_instance.o) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) $(LIB_YAML) $(LIB_PROTOBUF_C) -lm)

.PHONY: bench-packing
bench-packing: $(BUILD)/bench/packing
	$(Q)$(BUILD)/bench/packing $(PACKING_ARGS) $(if $(PACKING),$(PACKING),$(HUDDLE_DATA)/packing/bpp1d $(HUDDLE_DATA)/packing/vbp)
