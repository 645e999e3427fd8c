# make bench-ingest: reports a second on one core, beside a bare libmicrohttpd echo.
$(BUILD)/bench/ingest: $(addprefix $(BUILD)/obj/tests/bench/,ingest.o number.o fleet.o sender.o echo.o) \
		$(BUILD)/obj/tests/lab/load_http.o $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_MICROHTTPD) $(LIB_GNUTLS) $(LIB_CURL) $(LIB_PROTOBUF_C) $(LIB_JANSSON) $(LIB_YAML) -lm)

.PHONY: bench-ingest
bench-ingest: $(BUILD)/bench/ingest $(BUILD)/huddle-controller
	$(Q)$(BUILD)/bench/ingest $(INGEST_ARGS) -c $(BUILD)/huddle-controller
