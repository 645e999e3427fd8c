# The deterministic world that each simulation test runs in.
$(patsubst tests/simulation/%.c,$(BUILD)/test/%,$(SIM_SRC)): $(call obj,$(addprefix tests/simulation/,\
	world.c host.c disk.c door.c planner.c))
