# Container images (deploy/container/README.md): build/images/NAME-VERSION-ARCH.tar, of this machine's
# architecture, or of arm64 by a cross build.
DEPS_CONTAINER := umoci binutils tzdata
IMAGES := build/images
HOST_ARCH = $(shell dpkg --print-architecture)
# The moment of the newest commit: what an image is made from says when it was made.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

.PHONY: images images-arm64 check-images
images: all
	$(Q)tests/checks/deps.sh $(DEPS_CONTAINER)
	$(Q)deploy/container/images.sh / $(HOST_ARCH) strip $(BUILD) $(VERSION) $(SOURCE_DATE_EPOCH) $(IMAGES)

images-arm64: $(ARM64_ROOT)/.done
	$(Q)tests/checks/deps.sh $(DEPS_CONTAINER)
	$(Q)$(ARM64_MAKE) all
	$(Q)deploy/container/images.sh $(ARM64_ROOT) arm64 aarch64-linux-gnu-strip build/release-arm64 $(VERSION) \
		$(SOURCE_DATE_EPOCH) $(IMAGES)

# Small, the same bytes wherever they are built, and they run: of both architectures.
check-images: images images-arm64
	$(Q)tests/checks/images.sh $(VERSION) $(SOURCE_DATE_EPOCH) $(IMAGES) $(ARM64_ROOT)
