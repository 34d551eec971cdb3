# tsnet: `make demo` shows the main job, `make test` proves it. `make help` lists everything.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# A namespace of its own for whatever touches a kernel: even a bug cannot reach the machine's network.
ISOLATED := unshare --net --mount --propagation private
PACKAGES := iptables iproute2 nftables libnftables1 iputils-ping
# The runtimes that the tests attach to; their services are not started (see install).
TEST_PACKAGES := $(PACKAGES) conntrack procps util-linux strace docker.io podman conmon runc containerd busybox-static

.DEFAULT_GOAL := help
.PHONY: help
help: ## Lists the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# apt only for what is missing, so that a second run needs no network. policy-rc.d keeps packages from starting services.
define install
	@missing=""; for package in $(1); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then echo "installing$$missing"; \
	  policy=/usr/sbin/policy-rc.d; ours=""; \
	  if [ ! -e $$policy ]; then printf '#!/bin/sh\nexit 101\n' >$$policy; chmod +x $$policy; ours=yes; fi; \
	  apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing >/dev/null; \
	  status=$$?; [ -z "$$ours" ] || rm -f $$policy; exit $$status; fi
endef

.PHONY: packages
packages: ## Installs the Debian packages that tsnet itself needs
	$(call install,$(PACKAGES))

.PHONY: test-packages
test-packages:
	$(call install,$(TEST_PACKAGES))

node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: build
build: node_modules/.installed ## Bundles dist/
	node build.js

.PHONY: demo
demo: packages build ## Shows the main job, narrated, in throw-away namespaces
	@$(ISOLATED) node test/support/demo.js

.PHONY: test
test: test-packages node_modules/.installed ## Proves everything: format, lint, types, dead code, unit, build, kernel
	node test/support/run-all.js

.PHONY: check
check: node_modules/.installed ## The quick part of the tests: needs no privileges
	prettier --check --log-level warn .
	tsc -p .
	eslint .
	knip
	vitest run --project unit

.PHONY: format
format: node_modules/.installed ## Formats the source
	prettier --write --log-level warn .

.PHONY: kernel-test
kernel-test: test-packages build ## The tests in real namespaces (FILES="test/kernel/x.test.ts" for some)
	$(ISOLATED) vitest run --project kernel $(FILES)

.PHONY: bench
bench: test-packages node_modules/.installed ## Measures, side by side, in a namespace of its own (JSON=file writes the numbers too)
	@node build.js --bench
	@env -u NODE_EXTRA_CA_CERTS $(ISOLATED) node dist/bench.js $(if $(JSON),--json $(JSON))

.PHONY: clean
clean: ## Removes what was built and installed
	rm -rf dist node_modules coverage
