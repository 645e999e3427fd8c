# make check-determinism: the same forecasts and plans, to the bit, from gcc and clang, -O0 and -O3.
DETERMINISM_SRC = tests/checks/determinism.c tests/bench/scale_world.c $(wildcard controller/forecast/*.c \
	controller/placement/*.c) $(addprefix controller/,energy/node_curve.c energy/intensity.c \
	state/snapshot.c state/replica_template.c) proto/field.c \
	$(addprefix proto/base/,random.c array.c err.c clock.c zone.c)
# What is not called is not linked: these modules alone, without what they stand beside.
$(BUILD)/check/determinism: $(call obj,$(DETERMINISM_SRC))
	$(call say,LINK,$@)
	$(call link,-Wl$(comma)--gc-sections -lm)

DETERMINISM_WAYS := gcc-O0 gcc-O3 clang-O0 clang-O3
.PHONY: check-determinism
check-determinism:
	$(Q)for way in $(DETERMINISM_WAYS); do $(MAKE) --no-print-directory -s MODE=release-$$way \
		CC=$${way%-*} CFLAGS="-$${way#*-} -ffunction-sections" build/release-$$way/check/determinism || exit 1; done
	$(Q)tests/checks/determinism.sh $(foreach w,$(DETERMINISM_WAYS),build/release-$(w)/check/determinism)
