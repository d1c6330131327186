# Constant load for a while: whether anything grows that should not.

MINUTES ?= 30
RATE ?= 300

.PHONY: soak

soak: all ## MINUTES (30) of load, RATE (300) commands a second: memory, descriptors, latency flat
	@tests/soak/run.sh --minutes $(MINUTES) --rate $(RATE) $(if $(SEED),--seed $(SEED))
