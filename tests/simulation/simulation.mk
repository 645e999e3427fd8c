# The deterministic world is shared by the simulation tests that name it.
$(BUILD)/test/controller_test: $(call obj,tests/simulation/world.c tests/simulation/host.c \
	tests/simulation/disk.c tests/simulation/door.c tests/simulation/planner.c)
$(BUILD)/test/rollout_test: $(call obj,tests/simulation/world.c tests/simulation/host.c \
	tests/simulation/disk.c tests/simulation/door.c tests/simulation/planner.c)
$(BUILD)/test/green_hours_test: $(call obj,tests/simulation/world.c tests/simulation/host.c \
	tests/simulation/disk.c tests/simulation/door.c tests/simulation/planner.c)
