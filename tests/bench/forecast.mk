# make bench-forecast: the forecaster on the recorded series of HUDDLE_DATA, beside its peers.
HUDDLE_DATA ?= ../shared/data
$(BUILD)/bench/forecast: $(BUILD)/obj/tests/bench/forecast.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) -lm)

.PHONY: bench-forecast
bench-forecast: $(BUILD)/bench/forecast
	$(Q)$(BUILD)/bench/forecast $(if $(SERIES),$(SERIES),$(HUDDLE_DATA)/series)
