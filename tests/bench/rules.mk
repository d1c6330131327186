# Measuring: how fast, beside what Kafka and Redis themselves allow. All of it uses servers of its own.

BENCH := $(BUILD)/bench
BENCH_PROGRAMS := $(addprefix $(BENCH)/,echo fill floor load roundtrip sweep)

.PHONY: bench bench-smoke check-bench bench-programs bench-go

bench: bench-programs ## throughput, latency, resources, restore and bulk, beside floors of the same run (35 minutes)
	@tests/bench/run.sh throughput.py
	@tests/bench/run.sh throughput.py --mix edit5m zipf batch --contenders floor accountd-json
	@tests/bench/run.sh throughput.py --contenders floor accountd-json --mix edit --threads 1 2 4 --rounds 1
	@tests/bench/run.sh throughput.py --contenders floor accountd-json --mix edit --processes 1 2 --rounds 1
	@tests/bench/run.sh throughput.py --contenders floor accountd-json --mix edit --partitions 16 64 --rounds 1
	@tests/bench/run.sh latency.py
	@tests/bench/run.sh resources.py
	@tests/bench/run.sh restore.py
	@tests/bench/run.sh bulk.py

bench-smoke: all $(BENCH_PROGRAMS) ## a minute of it: fails when accountd is grossly slow beside the floor
	@tests/bench/run.sh smoke.py

check-bench: ## every benchmark once, with small amounts, by the commands of docs/performance.md
	@tests/bench/block.sh

bench-programs: all $(BENCH_PROGRAMS) bench-go

# The worker that one would write by hand. Without Go, or with one that is too old, it is left out.
bench-go:
	@mkdir -p $(BENCH)
	@rm -f $(BENCH)/go-worker
	@! command -v go >/dev/null || (cd tests/bench/go-worker && go build -o $(abspath $(BENCH))/go-worker .) || \
		echo 'the Go worker cannot be built here'

$(BENCH)/%.o: tests/bench/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(FLAGS) -MMD -MP -c -o $@ $<

$(BENCH)/%: $(BENCH)/%.o $(BENCH)/commands.o $(BENCH)/kafka.o
	@echo "  LD $@"
	@$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS) -lm
