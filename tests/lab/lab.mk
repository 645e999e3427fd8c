# The lab: emulated power around real programs. `make demo` runs a day on a small rack.
LAB_OBJ := $(BUILD)/obj/tests/lab
LAB_PROGRAMS := $(addprefix $(BUILD)/,lab-meter lab-power lab-load)

.PHONY: lab
integration-programs: lab
lab: $(LAB_PROGRAMS) classifier weights

$(BUILD)/lab-meter: $(addprefix $(LAB_OBJ)/,meter.o curve.o cpu_source.o) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,)

$(BUILD)/lab-power: $(LAB_OBJ)/power.o $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON))

$(BUILD)/lab-load: $(addprefix $(LAB_OBJ)/,load.o load_model.o load_table.o load_http.o load_stats.o) \
		$(addprefix $(BUILD)/obj/deploy/examples/classifier/,predict.o network.o network_file.o) \
		$(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) -lm)

# make demo [STRATEGY=demand] [SECONDS=120] [COMPARE=no]: then, to compare, the same day with strategy demand.
STRATEGY ?= predictive
COMPARE ?= yes
SECONDS ?= 120
.PHONY: demo
demo: deps
	$(Q)$(MAKE) --no-print-directory all lab
	$(Q)HUDDLE_BUILD=$(abspath $(BUILD)) python3 -m tests.lab.demo --strategy $(STRATEGY) --seconds $(SECONDS) \
		$(if $(filter yes,$(COMPARE)),--compare)
