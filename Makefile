# `make demo` and `make test` need nothing installed but Python 3.11 or later. Tests that need Node.js
# (Telegram's servers, played by an npm package) are skipped without it, and fail where CI is set.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: install check test demo simulate clean

install: $(STAMP)

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[embedded]" --group dev
	touch $@

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Several at once, each with a broker and a store of its own: most of them wait most of the time.
WORKERS ?= 4
test: check
	$(BIN)/pytest -n $(WORKERS) --dist loadfile

# The integration tests on Apache Kafka, fetched once with Maven; FANFOLD_KAFKA_OPTIONAL=1 where it may be missing.
.PHONY: test-kafka
test-kafka: install
	$(BIN)/python -m tests.kafka

# Reference pages that are made from the code: settings, metrics, the catalogue of events.
.PHONY: docs
docs: install
	$(BIN)/python -m workers.reference

# Everything started, traffic sent, every number checked, everything stopped.
demo: install
	$(BIN)/python -m workers.demo

# The production files against the schemas and tools of those who read them. Where promtool
# is not installed, `make promtool` takes it out of Debian's package into .venv.
.PHONY: check-deploy promtool
DEPLOY_STAMP := .venv/.deploy-installed
$(DEPLOY_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group deploy
	touch $@

PROMETHEUS := .venv/prometheus
check-deploy: $(DEPLOY_STAMP)
	PROMTOOL="$$(command -v promtool || ls $(CURDIR)/$(PROMETHEUS)/usr/bin/promtool 2>/dev/null)" $(BIN)/pytest tests/deploy

promtool: install
	mkdir -p $(PROMETHEUS)
	cd $(PROMETHEUS) && (apt-get download prometheus || (apt-get update && apt-get download prometheus))
	dpkg -x $(PROMETHEUS)/*.deb $(PROMETHEUS)
	$(PROMETHEUS)/usr/bin/promtool --version

# Exactly once in simulated worlds (WORLD=folder|rater for one): SEEDS=100000 for a long run, SEED=123 for one run again.
SEEDS ?= 20000
simulate: install
	$(foreach world,$(or $(WORLD),folder rater),$(BIN)/python -m tests.simulation --world $(world) \
		$(if $(SEED),--seed $(SEED),--seeds $(SEEDS)) && ) true

# Exactly once with real processes under SIGKILL. EVENTS=, SEED=, BROKER=apache|tansu (only Apache Kafka may be killed),
# CALLS= of metered products meanwhile (a fifth of EVENTS).
EVENTS ?= 50000
.PHONY: chaos
chaos: install
	$(BIN)/python -m tests.chaos --events $(EVENTS) $(if $(SEED),--seed $(SEED)) $(if $(BROKER),--broker $(BROKER)) \
		$(if $(CALLS),--calls $(CALLS))

# Claims about speed, each a command that prints ratios within one run.
BENCH_STAMP := .venv/.bench-installed
$(BENCH_STAMP): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group bench
	touch $@

.PHONY: bench-folder
bench-folder: $(BENCH_STAMP)
	$(BIN)/python -m bench.folder
	$(BIN)/python -m bench.folder --backlog 1000000

.PHONY: bench-callbacks
bench-callbacks: install
	$(BIN)/python -m bench.callbacks

.PHONY: bench-visible
bench-visible: install
	$(BIN)/python -m bench.visible

.PHONY: bench-gateway
bench-gateway: $(BENCH_STAMP)
	$(BIN)/python -m bench.gateway

# Webhooks a second against bare posts; then what receivers that hang cost the others (two minutes more).
.PHONY: bench-push
bench-push: $(BENCH_STAMP)
	$(BIN)/python -m bench.push
	$(BIN)/python -m bench.push --hanging

# Calls rated, kept and added up: against bare inserts and a peer; as the store fills (RECORDS=3000000 for long); by HTTP.
RECORDS ?= 500000
.PHONY: bench-usage
bench-usage: $(BENCH_STAMP)
	$(BIN)/python -m bench.usage
	$(BIN)/python -m bench.usage --ingest
	$(BIN)/python -m bench.usage --grow $(RECORDS)

.PHONY: bench-queries
bench-queries: install
	$(BIN)/python -m bench.queries

# IM messages, HTTP to counted, beside the bare path; STORED=: how many are in the store before (a million: minutes to write).
STORED ?= 10000 1000000
.PHONY: bench-messages
bench-messages: $(BENCH_STAMP)
	$(BIN)/python -m bench.messages --stored $(STORED)

.PHONY: bench-start
bench-start: install
	$(BIN)/python -m bench.start --apache

clean:
	rm -rf .venv build dist var *.egg-info
