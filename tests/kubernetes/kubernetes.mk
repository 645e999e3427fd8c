# A real Kubernetes for the tests. Its programs are built once and kept outside of the checkout.
DEPS_KUBERNETES := libseccomp-dev nftables python3-venv

.PHONY: kubernetes-programs test-kubernetes test-moves
# Without the Go modules' proxy the tests are skipped with the reason; with CI=true this fails.
kubernetes-programs:
	$(Q)tests/kubernetes/build.py --optional

test-kubernetes: deps
	$(Q)tests/checks/deps.sh $(DEPS_KUBERNETES) $(DEPS_CONTAINER)
	$(Q)$(MAKE) --no-print-directory all lab kubernetes-images kubernetes-programs images
	$(Q)tests/run.py --build $(BUILD) --only kubernetes

# MOVES of each recipe on real nodes under traffic, where `make test` makes some.
MOVES ?= 200
test-moves: deps
	$(Q)tests/checks/deps.sh $(DEPS_KUBERNETES) $(DEPS_CONTAINER)
	$(Q)$(MAKE) --no-print-directory all lab kubernetes-images kubernetes-programs images
	$(Q)HUDDLE_MOVES=$(MOVES) python3 -m tests.lab.enter python3 -m pytest -q -s -p no:cacheprovider \
		tests/kubernetes/test_move_real.py -k lose_no_request

# The program through which test_client.py drives huddle's own client.
kubernetes-images integration-programs: $(BUILD)/lab/kube_client_driver
$(BUILD)/lab/kube_client_driver: $(BUILD)/obj/tests/kubernetes/client_driver.o $(LIB_CONTROLLER) $(LIB_PROTO)
	$(call say,LINK,$@)
	$(call link,$(LIB_CURL) $(LIB_JANSSON) $(LIB_YAML) -lm)

# What runs in the pods of the tests: static, so that an image is one file.
.PHONY: kubernetes-images
kubernetes-images: $(BUILD)/kubernetes/pause $(BUILD)/kubernetes/pod_server
	@:
integration-programs: kubernetes-images
$(BUILD)/kubernetes/%: tests/kubernetes/%.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 -D_GNU_SOURCE -O2 -static -pthread $(WARN) -o $@ $<
