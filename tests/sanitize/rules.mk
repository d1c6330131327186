# The programs under the sanitizers: the unit tests, and a part of the system tests on a build of its own.

# ThreadSanitizer must see the threads and locks of librdkafka (see c11_threads.c).
ifeq ($(SANITIZE),thread)
LDFLAGS += -rdynamic
$(BUILD)/accountd $(BUILD)/accountctl $(TESTS:%=$(BUILD)/unit/%): $(BUILD)/sanitize/c11_threads.o
endif

.PHONY: check-asan-system check-tsan

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
