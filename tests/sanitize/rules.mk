# The programs under the sanitizers: the unit tests, the simulation, and a part of the system tests on a build of its own.

# ThreadSanitizer must see the threads and locks of librdkafka (see c11_threads.c).
ifeq ($(SANITIZE),thread)
LDFLAGS += -rdynamic
$(BUILD)/accountd $(BUILD)/accountctl $(TESTS:%=$(BUILD)/unit/%): $(BUILD)/sanitize/c11_threads.o
endif

.PHONY: check-asan-sim check-asan-system check-tsan

SIM_ASAN_SEEDS ?= 500

# Lives that end in the simulation leave their memory behind, as a killed process does. That stacks are exchanged is told
# to the sanitizer (schedule.c), which warns all the same.
check-asan-sim: # in a make of its own, like check-asan-unit
	@$(MAKE) --no-print-directory BUILD=build-asan WERROR=1 CFLAGS='-O1 -g' SANITIZE=address,undefined build-asan/sim
	@ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1 \
		tests/sim/check.sh build-asan/sim $(SIM_ASAN_SEEDS) $(SIM_JOBS) 2>build-asan/sim.txt || \
		{ grep -v 'ASan doesn.t fully support' build-asan/sim.txt; exit 1; }

check-asan-system: # in a make of its own, like check-asan-unit
	@$(MAKE) --no-print-directory BUILD=build-asan WERROR=1 CFLAGS='-O1 -g' SANITIZE=address,undefined \
		all build-asan/sanitize/planted
	@BUILD=build-asan tests/sanitize/run.sh address

check-tsan: ## unit tests and a part of the system tests under ThreadSanitizer
	@$(MAKE) --no-print-directory BUILD=build-tsan WERROR=1 CFLAGS='-O1 -g' SANITIZE=thread \
		all build-tsan/sanitize/planted
	@BUILD=build-tsan tests/sanitize/run.sh thread --run $(MAKE) --no-print-directory BUILD=build-tsan WERROR=1 \
		CFLAGS='-O1 -g' SANITIZE=thread check-unit
	@BUILD=build-tsan tests/sanitize/run.sh thread

$(BUILD)/sanitize/planted: $(BUILD)/sanitize/planted.o
	@$(CC) $(FLAGS) -o $@ $^

$(BUILD)/sanitize/%.o: tests/sanitize/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(FLAGS) -MMD -MP -c -o $@ $<
