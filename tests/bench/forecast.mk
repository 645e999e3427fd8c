# make bench-forecast: the forecaster on the recorded series of HUDDLE_DATA, or on SERIES (files and
# folders), beside its peers. FORECAST_ARGS: see tests/bench/forecast.c.
HUDDLE_DATA ?= ../shared/data
$(BUILD)/bench/forecast: $(patsubst %,$(BUILD)/obj/tests/bench/%.o,forecast cost forecast_arena forecast_pace forecast_set forecast_tables) $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) -lm)

.PHONY: bench-forecast
bench-forecast: $(BUILD)/bench/forecast
	$(Q)$(BUILD)/bench/forecast $(FORECAST_ARGS) $(if $(SERIES),$(SERIES),--targets $(HUDDLE_DATA)/series)
