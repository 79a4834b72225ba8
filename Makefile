# `make help` lists what there is. The work is done by scripts in tests/ci, so that it can be called without make too.

.DEFAULT_GOAL := help
SHELL := bash
.PHONY: help run window dist setup setup-checks test check bench yardstick soak distribution project screenshots proto proto-baseline clean
CHECKS := fmt tidy deny proto-compat clippy unit cross wine vm e2e desktop
.PHONY: $(CHECKS)

help: ## List the targets.
	@awk -F':.*## ' '/^[a-z][a-z0-9 -]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ── to see it ──

run: dist ## Set up, build, boot the VM, run a container by docker and by cove, show who is who, stop.
	@tests/ci/show.sh

window: dist setup-checks ## Build the window and the tray icon, and open them.
	@tests/ci/desktop.sh app && dist/bin/cove-desktop

dist: setup ## Build a runnable tree: dist/bin/{cove,coved}, dist/share/cove/{vmlinux,initramfs.cpio,...}.
	@tests/ci/dist.sh

setup: ## Install what building and running needs (Debian, Ubuntu); done once, then only looked at.
	@tests/ci/setup.sh run

# ── to work on it ──

check: ## The quick checks: formatting, rules, lints, unit tests. No VM.
	@tests/ci/checks.sh fmt tidy clippy unit

test: ## All checks, as CI runs them; the end-to-end tests boot a real VM.
	@tests/ci/checks.sh

setup-checks: setup ## Install what the checks need on top.
	@tests/ci/setup.sh checks

bench: dist ## Measure Cove beside dockerd in the same kind of VM, in one run.
	@tests/ci/bench.sh $(ARGS)

yardstick: dist ## Run the tests of docker-py and bollard against Cove.
	@tests/ci/yardstick.sh

soak: dist ## Start and remove 10,000 containers, load and remove 1,000 images, and look what is left of them.
	@tests/ci/soak.sh containers
	@tests/ci/soak.sh images

distribution: dist setup-checks ## Take a real Debian through all that is done with images.
	@tests/ci/distribution.sh

project: dist setup-checks ## Run a project of three tiers from Debian's packages, with its source on this computer.
	@tests/ci/project.sh

screenshots: dist setup-checks ## Every screen, light and dark, before a real machine, into docs/screenshots.
	@tests/ci/desktop.sh app screenshots

proto: ## Regenerate the code from proto/cove/v1.
	@. tests/ci/places.sh && COVE_UPDATE=1 cargo test -q -p cove-proto --test generated

proto-baseline: ## Let the API as it is now be what changes are compared with.
	@. tests/ci/places.sh && buf build proto --exclude-source-info -o proto/baseline.binpb

clean: ## Remove what was built here; downloads and tools outside the checkout stay.
	rm -rf dist target

# ── each check alone ──

fmt: ## Formatting.
tidy: ## Rules of the repository: dependencies, platforms, names.
deny: ## Licences and sources of dependencies.
proto-compat: ## cove.v1: lint, and no breaking change since the baseline.
clippy: ## Lints of the whole workspace; a warning is an error.
unit: ## Unit tests of every crate.
cross: ## The host half type-checked and linted for macOS and Windows.
wine: ## The Windows programs under Wine, with a stand-in for Hyper-V's service.
vm: ## The hypervisor's conformance suite, in QEMU.
e2e: ## End to end: the real docker in front, a real VM behind. ARGS=run:: for some of it.
desktop: ## The window: its page, and the real app before a real VM. ARGS=test_tray for some of it.
$(CHECKS):
	@ARGS="$(ARGS)" tests/ci/checks.sh $@
