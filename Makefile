# What can be done here; `make` alone lists it. The set-up that a target needs is in scripts/setup.

.DEFAULT_GOAL := help
.PHONY: help run build static test lint lint-rust lint-deny lint-files test-page test-rust test-model test-browser \
	test-system fuzz soak screenshots fmt audit install uninstall clean bench bench-long bench-dashboard

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET)/release/hostcast
# The licences of what is linked into the binary.
THIRD_PARTY := $(TARGET)/release/third-party.txt
SCRIPTS := examples/follow.sh scripts/setup scripts/check-architecture scripts/test-system .ci/run
MANUALS := docs/man/hostcast.1 docs/man/hostcast.toml.5 docs/man/hostcast.service.8
MUSL := $(shell uname -m)-unknown-linux-musl
UNITS := hostcast.service hostcast.socket hostcast-record.service
COMPLETIONS := share/bash-completion/completions/hostcast share/zsh/site-functions/_hostcast \
	share/fish/vendor_completions.d/hostcast.fish
# make install PREFIX=/usr DESTDIR=/tmp/package
PREFIX ?= /usr/local
DESTDIR ?=
# What the tests fetch or make once; outside of the repository, so that `make clean` and a new checkout leave it.
export HOSTCAST_TEST_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/hostcast-test

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build, then show this host at http://127.0.0.1:7117/ (ARGS="--interval 250ms" adds flags)
	$(BINARY) serve $(ARGS)

build: ## Build the release binary
	@scripts/setup build
	$(CARGO) build --release --locked
	@CARGO="$(CARGO)" node packaging/licences.mjs $(THIRD_PARTY)

static: ## Build a release binary that needs no library of the host
	@scripts/setup build
	@scripts/setup static
	$(CARGO) build --release --locked --target $(MUSL)
	@CARGO="$(CARGO)" node packaging/licences.mjs $(TARGET)/$(MUSL)/release/third-party.txt $(MUSL)
	@ls $(TARGET)/$(MUSL)/release/hostcast

test: ## Install what the tests need, then run every check and every test
	@scripts/setup test
	$(MAKE) --no-print-directory lint test-page test-rust test-model test-browser test-system

lint: lint-rust lint-deny lint-files ## Check the format, the code, the documentation, the licences and the scripts

lint-rust:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked --quiet -- -D warnings
	$(CARGO) clippy --workspace --all-targets --all-features --locked --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --document-private-items --locked --quiet

# Without the advisories: see audit.
lint-deny:
	$(CARGO) deny --workspace --locked check bans licenses sources

lint-files:
	shellcheck $(SCRIPTS)
	scripts/check-architecture
	mandoc -T lint -W warning $(MANUALS)

# In a copy, because packages that are installed within the source tree would end up in `cargo package`.
test-page: ## Check the types of the dashboard's scripts and run their tests
	mkdir -p $(TARGET)/page
	rm -rf $(TARGET)/page/src $(TARGET)/page/test
	cp -R dashboard/web/. $(TARGET)/page
	cd $(TARGET)/page && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	cd $(TARGET)/page && npm run --silent check && npm test --silent

test-rust: ## Run the unit tests and the integration tests
	$(CARGO) test --workspace --locked
	$(CARGO) test --locked --features parquet --test integration export::

test-browser: ## Run the dashboard in a browser
	@if [ -d tests/browser ]; then \
		cd tests/browser && npm ci --no-audit --no-fund --loglevel=error && \
		HOSTCAST_TEST_SERVERS=$(HOSTCAST_TEST_CACHE)/servers HOSTCAST_BIN=$(abspath $(TARGET))/debug/hostcast npm test --silent; \
	fi

test-system: ## Install the packages on a machine that systemd runs (as root on Debian)
	@scripts/test-system

test-model: ## Check every order in which publishing, joining and leaving can meet
	$(CARGO) test --locked --lib --features model model::

# The name of a target in fuzz/fuzz_targets, or all of them. What is found stands in fuzz/artifacts, and what is new and
# worth keeping in $(FUZZ)/corpus.
FUZZ_TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
FUZZ_SECONDS ?= 300
FUZZ := $(abspath $(TARGET))/fuzz

fuzz: ## Feed the parsers with whatever breaks them (FUZZ_SECONDS=300 for each; needs nightly and cargo-fuzz)
	@cargo fuzz --version >/dev/null 2>&1 || { echo "make fuzz: missing: cargo install --locked cargo-fuzz" >&2; exit 1; }
	@cargo +nightly --version >/dev/null 2>&1 || { echo "make fuzz: missing: rustup toolchain install nightly" >&2; exit 1; }
	@mkdir -p $(FUZZ)/corpus
	@for target in $(FUZZ_TARGETS); do \
		echo "make fuzz: $$target for $(FUZZ_SECONDS) s"; \
		mkdir -p $(FUZZ)/corpus/$$target; \
		cargo +nightly fuzz run --target-dir $(FUZZ)/target $$target $(FUZZ)/corpus/$$target fuzz/corpus/$$target -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -verbosity=0 -print_final_stats=1 || exit 1; \
	done

soak: build ## Have subscribers come, stall, break off and resume for SOAK_MINUTES=30; in the end all must be as before
	HOSTCAST_BIN=$(abspath $(BINARY)) $(CARGO) test --locked --test integration -- --ignored --nocapture soak::

screenshots: ## Take the dashboard's pictures into OUT (target/screenshots unless set); takes ten minutes
	$(CARGO) build --release --locked --bin hostcast --example simulated_host
	cd tests/browser && npm ci --no-audit --no-fund --loglevel=error && \
		HOSTCAST_BIN=$(abspath $(TARGET))/release/hostcast npm run --silent screenshots -- $(abspath $(or $(OUT),$(TARGET)/screenshots))

fmt: ## Format the code
	$(CARGO) fmt --all

# Not a part of `make test`: the list of advisories is fetched from a git host, and a test must not fail because
# that cannot be reached, nor because someone has found a flaw in a dependency overnight.
audit: ## Ask whether a dependency has a known flaw (needs the network)
	$(CARGO) deny --workspace --locked check advisories

install: ## Install what `make build` has built under PREFIX, and the configuration in /etc
	@[ -x $(BINARY) ] && [ -e $(THIRD_PARTY) ] || { echo "make install: nothing is built yet; first run: make build" >&2; exit 1; }
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/hostcast
	for manual in $(notdir $(MANUALS)); do \
		install -D -m 644 docs/man/$$manual $(DESTDIR)$(PREFIX)/share/man/man$${manual##*.}/$$manual || exit; \
	done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hostcast/config config/record.toml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hostcast README.md ARCHITECTURE.md CHANGELOG.md \
		LICENSE-MIT LICENSE-APACHE $(THIRD_PARTY)
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hostcast/docs docs/*.md docs/*.png docs/*.svg
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hostcast/proxy packaging/proxy/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hostcast/cloud packaging/cloud/*
	install -d $(addprefix $(DESTDIR)$(PREFIX)/,$(dir $(COMPLETIONS) lib/systemd/system/))
	$(BINARY) completions bash > $(DESTDIR)$(PREFIX)/$(word 1,$(COMPLETIONS))
	$(BINARY) completions zsh > $(DESTDIR)$(PREFIX)/$(word 2,$(COMPLETIONS))
	$(BINARY) completions fish > $(DESTDIR)$(PREFIX)/$(word 3,$(COMPLETIONS))
	for unit in $(UNITS); do \
		sed 's|/usr/bin/|$(PREFIX)/bin/|' systemd/$$unit > $(DESTDIR)$(PREFIX)/lib/systemd/system/$$unit || exit; \
	done
	install -D -m 644 systemd/hostcast.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/hostcast.conf
	test -e $(DESTDIR)/etc/hostcast/config.toml || \
		install -D -m 644 config/config.toml $(DESTDIR)/etc/hostcast/config.toml
	@[ -n "$(DESTDIR)" ] || echo "next: systemd-sysusers && systemctl daemon-reload && systemctl enable --now hostcast"

uninstall: ## Remove what `make install` has installed, but for /etc/hostcast and the state
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/hostcast lib/sysusers.d/hostcast.conf $(COMPLETIONS) \
		$(addprefix lib/systemd/system/,$(UNITS)) \
		$(foreach manual,$(notdir $(MANUALS)),share/man/man$(lastword $(subst ., ,$(manual)))/$(manual)))
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/hostcast

clean: ## Remove everything that was built
	rm -rf $(TARGET)/page
	$(CARGO) clean

bench: ## Measure against the floors
bench-long: ## Watch the daemon's memory for an hour
bench-dashboard: ## Measure what the dashboard costs a browser
-include benches/bench.mk
include packaging/package.mk
