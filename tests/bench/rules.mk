.PHONY: bench

bench: all ## how fast a Redis is restored, beside a floor measured in the same run
	@tests/bench/run.sh restore.py
