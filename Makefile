# tsnet: `make demo` shows the main job, `make test` proves it. `make help` lists everything.
SHELL := /bin/bash
PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# A namespace of its own for whatever touches a kernel: even a bug cannot reach the machine's network.
ISOLATED := unshare --net --mount --propagation private
PACKAGES := iptables iproute2 nftables libnftables1 iputils-ping conntrack

.PHONY: help
help: ## Lists the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

node_modules/.installed: package.json package-lock.json
	npm ci --no-audit --no-fund
	@touch $@

.PHONY: kernel-test
kernel-test: node_modules/.installed build ## The tests in real namespaces (FILES="test/kernel/x.test.ts" for some)
	$(ISOLATED) vitest run --project kernel $(FILES)
