# tsnet: `make demo` shows the main job, `make test` proves it. `make help` lists everything.
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# A namespace of its own for whatever touches a kernel: even a bug cannot reach the machine's network.
ISOLATED := unshare --net --mount --propagation private
PACKAGES := iptables iproute2 nftables libnftables1 iputils-ping
# The runtimes that the tests attach to; their services are not started (see install).
TEST_PACKAGES := $(PACKAGES) curl conntrack procps util-linux strace docker.io docker-compose podman conmon runc crun aardvark-dns \
	containerd busybox-static \
	dnsmasq-base bind9-dnsutils dbus firewalld openssl etcd-server etcd-client \
	libzookeeper-java default-jre-headless containernetworking-plugins

# The peers of the benchmark, and what it looks with.
BENCH_PACKAGES := containernetworking-plugins netavark docker.io containerd runc busybox-static conntrack dnsmasq-base \
	etcd-server curl

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

# A second docker CLI for the tests of the API, newer than this release's.
.tools/docker: test/support/fetch-docker-cli.sh
	@echo "fetching the docker CLI of Debian 13"
	@test/support/fetch-docker-cli.sh $@
	@touch $@

node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.PHONY: build
build: node_modules/.installed dist/types/public/driver.d.ts ## Bundles dist/
	node build.js

# What authors of drivers compile against.
dist/types/public/driver.d.ts: node_modules/.installed tsconfig.build.json $(wildcard src/public/*.ts src/plan/*.ts src/model/*.ts)
	tsc -p tsconfig.build.json
	@touch $@

.PHONY: demo
demo: packages build ## Shows the main job, narrated, in throw-away namespaces
	@$(ISOLATED) node test/support/demo.js

.PHONY: test
test: test-packages .tools/docker node_modules/.installed ## Proves everything: format, lint, types, dead code, unit, build, kernel
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
kernel-test: test-packages .tools/docker build ## The tests in real namespaces (FILES="test/kernel/x.test.ts" for some; TSNET_MODE=daemon through a daemon)
	$(ISOLATED) vitest run --project kernel $(FILES)

.PHONY: bench
bench: packages node_modules/.installed ## Measures, side by side with what is installed (ONLY=attach,publish for some, JSON=file for the numbers)
	@node build.js --bench
	@node dist/bench.js $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON))

.PHONY: sim
sim: packages node_modules/.installed ## Simulates a cluster of hosts on one etcd (ARGS="--hosts 500 --endpoints 100000")
	$(call install,etcd-server)
	@node build.js --bench
	@$(ISOLATED) node dist/sim.js $(ARGS)

.PHONY: bench-deps
bench-deps: packages ## Installs what the benchmark compares tsnet with
	$(call install,$(BENCH_PACKAGES))

.PHONY: clean
clean: ## Removes what was built and installed
	rm -rf dist node_modules coverage .tools
