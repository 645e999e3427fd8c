# Manual pages made from the tables that the programs themselves read (controller/cli/manual.c). A cross build
# says how to run what it made: EMULATOR="qemu-aarch64-static -L ...".
MANUALS := $(BUILD)/huddlectl.1 $(BUILD)/huddle.yaml.5

$(MANUALS): $(BUILD)/huddlectl
	$(call say,MAN,$@)
	$(Q)$(EMULATOR) $< manual $(@F) >$@

.PHONY: manuals
manuals: $(MANUALS)
install: $(MANUALS)
