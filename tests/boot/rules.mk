# Whole machines.

SUITE ?= bookworm
export SUITE

.PHONY: check-boot check-fresh

check-boot: ## the packages on a Debian that systemd boots, in a container (root); SUITE=trixie: Debian 13
	@tests/boot/run.sh

check-fresh: ## the README's two commands on a minimal Debian (root; half an hour); FRESH=demo: the first of them
	@tests/boot/fresh.sh $(FRESH)
