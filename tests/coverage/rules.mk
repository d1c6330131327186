# What the tests reach, measured by gcc and counted by gcovr; all objects of their own.

COVERAGE ?= all
COVERAGE_BUILD ?= build-coverage
# Workers are threads, and programs that run at once add to the same counters.
COVERAGE_CFLAGS := -O0 -g --coverage -fprofile-update=atomic -fprofile-abs-path

.PHONY: coverage

coverage: ## lines and branches that the tests reach; COVERAGE=unit: the unit tests
	@$(MAKE) --no-print-directory BUILD=$(COVERAGE_BUILD) CFLAGS='$(COVERAGE_CFLAGS)' all $(TESTS:%=$(COVERAGE_BUILD)/unit/%)
	@tests/coverage/run.sh $(COVERAGE_BUILD) $(COVERAGE)
