# How to measure; included by the Makefile. docs/performance.md tells how to read the tables.

.PHONY: bench bench-fanout bench-long bench-record
CARGO ?= cargo

# Under four minutes past the build.
bench:
	$(CARGO) bench --locked --bench tick --bench stream --bench daemon

bench-fanout: ## Measure the cost of 1 to 10,000 subscribers against a floor that only writes
	$(CARGO) bench --locked --bench fanout

bench-record: ## Measure one recorder of 1,000 hosts: CPU, memory, bytes on disk, reading
	$(CARGO) bench --locked --bench record

# Resident memory after five minutes and at the end, the CPU between, and how many ticks there were.
bench-long:
	HOSTCAST_BENCH_MINUTES=60 $(CARGO) bench --locked --bench daemon
