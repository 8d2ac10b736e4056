# The targets that measure; included by the Makefile.

.PHONY: bench bench-long

# Three tables against their floors, in under four minutes past the build.
bench:
	cargo bench --bench tick --bench stream --bench daemon

# An hour at 1 s: the resident memory after five minutes and at the end, and the number of ticks.
bench-long:
	HOSTCAST_BENCH_MINUTES=60 cargo bench --bench daemon
