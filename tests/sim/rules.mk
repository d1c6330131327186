# The simulation: accountd's own objects on servers in memory. What stands in for a part of accountd, or of hiredis,
# comes first; time, threads and randomness are the linker's to exchange.

SIM := $(BUILD)/sim
SIM_SEEDS ?= 10000
SIM_JOBS ?= $(shell nproc)
SIM_OBJECTS := $(patsubst tests/sim/%.c,$(BUILD)/sim-objects/%.o,\
	$(filter-out tests/sim/test_%.c,$(sort $(wildcard tests/sim/*.c))))
SIM_LUA := $(shell pkg-config --exists lua5.1 2>/dev/null && echo lua5.1 || echo lua-5.1)
SIM_WRAP := clock_gettime nanosleep getrandom gethostname pthread_create pthread_join acd_log acd_log_fields

.PHONY: check-sim check-checker check-mutations

check-sim: check-checker $(SIM) ## seeded simulation: all of the worker on servers in memory
	@tests/sim/check.sh $(SIM) $(SIM_SEEDS) $(SIM_JOBS)

check-checker: $(BUILD)/test_checker ## the judge of simulated runs: right histories pass, each wrong one is told
	@$<

check-mutations: ## takes each rule of the protocol out of the sources: some seed must break
	@tests/sim/mutations.py

$(SIM): $(SIM_OBJECTS) $(LIB)
	@echo "  LD $@"
	@$(CC) $(FLAGS) $(LDFLAGS) $(SIM_WRAP:%=-Wl,--wrap=%) -Wl,-z,now -o $@ $^ $(LIBS) \
		$(shell pkg-config --libs $(SIM_LUA)) -lm

$(BUILD)/sim-objects/%.o: tests/sim/%.c $(BUILD)/flags | $(FUNCTIONS)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(FLAGS) -Itests/sim $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(SIM_LUA))) -MMD -MP -c -o $@ $<

$(BUILD)/test_checker: $(BUILD)/sim-objects/test_checker.o \
		$(filter $(BUILD)/sim-objects/checker%.o $(BUILD)/sim-objects/generate.o,$(SIM_OBJECTS)) $(LIB)
	@echo "  LD $@"
	@$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lcmocka
