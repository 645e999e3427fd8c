# make bench-openb: the GPU arena (Alibaba's trace) through the planner's choice of node and device, on
# the lists of HUDDLE_DATA or on OPENB="NODES.csv PODS.csv ...". OPENB_ARGS: see tests/bench/openb.c.
OPENB_DATA = $(HUDDLE_DATA)/openb
$(BUILD)/bench/openb: $(addprefix $(BUILD)/obj/tests/bench/,openb.o cost.o number.o openb_trace.o openb_peers.o openb_fgd.o openb_moves.o) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) $(LIB_YAML) $(LIB_PROTOBUF_C) -lm)

.PHONY: bench-openb
bench-openb: $(BUILD)/bench/openb
	$(Q)$(BUILD)/bench/openb $(OPENB_ARGS) $(if $(OPENB),$(OPENB),$(OPENB_DATA)/openb_node_list_gpu_node.csv \
		$(addprefix $(OPENB_DATA)/openb_pod_list_,default.csv cpu100.csv gpushare40.csv multigpu30.csv gpuspec20.csv))
