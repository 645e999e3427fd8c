# make bench-planetlab [DAYS="FOLDER ..."]: consolidation under CloudSim 3.0.3's rules, on the days of
# HUDDLE_DATA. PLANETLAB_ARGS: see tests/bench/planetlab.c.
$(BUILD)/bench/planetlab: $(addprefix $(BUILD)/obj/tests/bench/,planetlab.o cost.o planetlab_arena.o planetlab_cloudsim.o planetlab_huddle.o planetlab_choice.o chart.o) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) -lm)

.PHONY: bench-planetlab
bench-planetlab: $(BUILD)/bench/planetlab
	$(Q)$(BUILD)/bench/planetlab $(PLANETLAB_ARGS) $(if $(findstring choose,$(PLANETLAB_ARGS)),,--svg build/bench/planetlab.svg) $(if $(DAYS),$(DAYS),$(wildcard $(HUDDLE_DATA)/planetlab/20*))
