# Whole machines.

SUITE ?= bookworm
export SUITE

.PHONY: check-boot

check-boot: ## the packages on a Debian that systemd boots, in a container (root); SUITE=trixie: Debian 13
	@tests/boot/run.sh
