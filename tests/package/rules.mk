# What is installed, and whether it says and does what the programs do.

.PHONY: check-install

check-install: all ## man pages, completions and units; install and uninstall
	@tests/package/check_help.py $(BUILD)
	@tests/package/check_install.sh
	@tests/package/check_units.sh
