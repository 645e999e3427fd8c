# The example model: `make classifier` builds trainer and server, `make weights` trains the demo's.
CLASSIFIER_DIR := deploy/examples/classifier
CLASSIFIER_OBJ := $(addprefix $(BUILD)/obj/$(CLASSIFIER_DIR)/,network.o network_file.o)
WEIGHTS := $(addprefix build/weights/,small.bin medium.bin large.bin)

.PHONY: classifier weights
classifier: $(BUILD)/classifier-train $(BUILD)/classifier-serve
weights: $(WEIGHTS)

# The inner loops are over independent units: -O3 vectorizes them and reorders no sum.
$(BUILD)/obj/$(CLASSIFIER_DIR)/%.o: CFLAGS += $(if $(filter release,$(MODE)),-O3)

$(BUILD)/classifier-train: $(addprefix $(BUILD)/obj/$(CLASSIFIER_DIR)/,train.o trainer.o task.o) \
		$(CLASSIFIER_OBJ) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,-lm)

$(BUILD)/classifier-serve: $(addprefix $(BUILD)/obj/$(CLASSIFIER_DIR)/,serve.o service.o \
		predict.o meters.o) $(CLASSIFIER_OBJ) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_MICROHTTPD) $(LIB_GNUTLS) $(LIB_JANSSON) -lm)

build/weights/small.bin: TRAINING := --width 128 --examples 20000 --epochs 4
build/weights/medium.bin: TRAINING := --width 1024 --examples 24000 --epochs 1
build/weights/large.bin: TRAINING := --width 4096 --examples 12000 --epochs 1
build/weights/%.bin: $(BUILD)/classifier-train
	$(call say,TRAIN,$@)
	$(Q)mkdir -p $(@D) && $(BUILD)/classifier-train $(TRAINING) --out $@
