# The GPU library that tests/unit/gpu_test.c opens, and one that is no GPU library.
NVML_STAND_IN := $(BUILD)/lab/libnvidia-ml-stand-in.so $(BUILD)/lab/libempty.so
$(BUILD)/test/gpu_test: | $(NVML_STAND_IN)
$(BUILD)/lab/libnvidia-ml-stand-in.so: tests/lab/nvml_stand_in.c
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(ALL_CFLAGS) $(WARN) -fPIC -shared -o $@ $<
$(BUILD)/lab/libempty.so:
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D) && echo 'extern int nothing; int nothing;' | \
		$(CC) $(ALL_CFLAGS) -fPIC -shared -o $@ -x c -
