# How to measure; included by the Makefile. docs/performance.md tells how to read the tables.

.PHONY: bench bench-fanout bench-storm bench-stalled bench-compression bench-memory bench-record bench-long bench-dashboard
CARGO ?= cargo

# Under four minutes past the build.
bench:
	$(CARGO) bench --locked --bench tick --bench stream --bench daemon

bench-fanout: ## Measure the cost of 1 to 10,000 subscribers beside a floor that only writes, and nchan where it is installed
	$(CARGO) bench --locked --bench crowd -- fanout

bench-storm: ## Measure 10,000 subscribers that come at once and want all of history
	$(CARGO) bench --locked --bench crowd -- storm

bench-stalled: ## Measure what 4,000 subscribers notice of 1,000 that have stopped reading
	$(CARGO) bench --locked --bench crowd -- stalled

bench-compression: ## Measure what compression saves in bytes and costs in CPU
	$(CARGO) bench --locked --bench crowd -- compression

bench-memory: ## Measure what crowds that have left leave behind in the daemon's memory
	$(CARGO) bench --locked --bench crowd -- memory

bench-record: ## Measure one recorder: 1,000 hosts, how many one core follows, bytes on disk, how fast it is read
	$(CARGO) bench --locked --bench record

# Resident memory after five minutes and at the end, the CPU between, and how many ticks there were.
bench-long:
	HOSTCAST_BENCH_MINUTES=60 $(CARGO) bench --locked --bench daemon

# Half an hour. HOSTCAST_BENCH_HEAP=120 watches the heap for the two hours that the goal is about.
bench-dashboard:
	$(CARGO) build --release --locked --bin hostcast --example simulated_host
	cd tests/browser && npm ci --no-audit --no-fund --loglevel=error && \
		HOSTCAST_BIN=$(abspath $(TARGET))/release/hostcast npm run --silent bench
