# What single unit tests need besides themselves.
$(BUILD)/test/power_test: | $(BUILD)/lab-power

# What starts and watches processes is tested under valgrind 3.19 too.
$(patsubst %,$(BUILD)/test/%_test,kube_exec power power_program power_queue probe process process_adopt \
	process_log process_port replica_cgroup): $(BUILD)/obj/tests/unit/valgrind_stand_in.o

$(BUILD)/test/fortnight_test: $(addprefix $(BUILD)/obj/tests/bench/,fortnight_arena.o \
	fortnight_demand.o fortnight_sketch.o)

$(BUILD)/test/requests_test: $(REQUESTS_OBJECTS)
