# What can be done here; `make` alone lists it. The set-up that a target needs is in scripts/setup.

.DEFAULT_GOAL := help
.PHONY: help run build test lint lint-rust lint-deny lint-files test-page test-rust test-browser fmt audit install clean bench \
	bench-long

CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
BINARY := $(TARGET)/release/hostcast
SCRIPTS := examples/follow.sh scripts/setup scripts/check-architecture .ci/run
MANUALS := docs/man/hostcast.1 docs/man/hostcast.toml.5
# make install PREFIX=/usr DESTDIR=/tmp/package
PREFIX ?= /usr/local
DESTDIR ?=

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build, then show this host at http://127.0.0.1:7117/ (ARGS="--interval 250ms" adds flags)
	$(BINARY) serve $(ARGS)

build: ## Build the release binary
	@scripts/setup build
	$(CARGO) build --release --locked

test: ## Install what the tests need, then run every check and every test
	@scripts/setup test
	$(MAKE) --no-print-directory lint test-page test-rust test-browser

lint: lint-rust lint-deny lint-files ## Check the format, the code, the documentation, the licences and the scripts

lint-rust:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked --quiet -- -D warnings
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

test-browser: ## Run the dashboard in a browser
	@if [ -d tests/browser ]; then \
		cd tests/browser && npm ci --no-audit --no-fund --loglevel=error && npm test --silent; \
	fi

fmt: ## Format the code
	$(CARGO) fmt --all

# Not a part of `make test`: the list of advisories is fetched from a git host, and a test must not fail because
# that cannot be reached, nor because someone has found a flaw in a dependency overnight.
audit: ## Ask whether a dependency has a known flaw (needs the network)
	$(CARGO) deny --workspace --locked check advisories

install: ## Install what `make build` has built under PREFIX, and the configuration in /etc
	@test -x $(BINARY) || { echo "make install: nothing is built yet; first run: make build" >&2; exit 1; }
	install -D -m 755 $(BINARY) $(DESTDIR)$(PREFIX)/bin/hostcast
	install -D -m 644 docs/man/hostcast.1 $(DESTDIR)$(PREFIX)/share/man/man1/hostcast.1
	install -D -m 644 docs/man/hostcast.toml.5 $(DESTDIR)$(PREFIX)/share/man/man5/hostcast.toml.5
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hostcast/config config/record.toml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hostcast README.md ARCHITECTURE.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/hostcast/docs docs/*.md docs/*.png
	test -e $(DESTDIR)/etc/hostcast/config.toml || \
		install -D -m 644 config/config.toml $(DESTDIR)/etc/hostcast/config.toml

clean: ## Remove everything that was built
	rm -rf $(TARGET)/page
	$(CARGO) clean

bench: ## Measure against the floors
bench-long: ## Watch the daemon's memory for an hour
-include benches/bench.mk
