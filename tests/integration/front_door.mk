# The program through which tests/integration/test_front_door.py drives a front door.
integration-programs: $(BUILD)/lab/front_door_driver
$(BUILD)/lab/front_door_driver: $(BUILD)/obj/tests/integration/front_door_driver.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_JANSSON) -lm)
