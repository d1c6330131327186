# Chaos: faults under load, on a real Kafka and a real Redis. CHAOS holds options; tests/chaos/run.sh --help says which.

CHAOS ?=

.PHONY: chaos chaos-short check-verdict

chaos: all ## 200 faults under load, then the check of every reply; CHAOS='--seed N --faults N --only KIND'
	@tests/chaos/run.sh $(CHAOS)

chaos-short: all check-verdict ## 20 faults under load, as check wants them
	@tests/chaos/run.sh --short --faults 20 $(CHAOS)

check-verdict: ## the checker of the chaos test: it passes an honest history and no spoiled one
	@tests/system/run.sh -q ../chaos/test_verdict.py
