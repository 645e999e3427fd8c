# What single unit tests need besides themselves.
$(BUILD)/test/power_test: | $(BUILD)/lab-power
