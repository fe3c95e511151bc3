# Careline's commands. `make help` lists them; each one sets up what it needs and a second run costs nothing.
#
#   PYTHON=/path/to/python3.12   the interpreter to build .venv with (default: the first suitable one found)
#   ARGS="..."                   further arguments for `demo` (careline), `test` (pytest), `bench-reads` and `bench-runs`

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --quiet --require-hashes
UV_VERSION := 0.13.9
ARGS ?=

# A stamp is newer than its lock exactly when the environment holds what the lock says.
RUNTIME := $(VENV)/.stamp-runtime
DEV := $(VENV)/.stamp-dev

.PHONY: help demo test faults faults-named bench-import bench-live bench-reads bench-runs bench-segments lint lock schema explorer release-schema clean

help: ## say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(RUNTIME) ## start Careline with demonstration data in one process (ARGS="..." is passed on)
	$(BIN)/python -m api demo $(ARGS)

test: $(DEV) ## run every test, with a real PostgreSQL and a real Valkey (ARGS="-k name")
	$(BIN)/python -m pytest -n auto --maxprocesses 4 $(ARGS)

# SEED=n the same again; SECONDS=240 for each mode; MODE=distributed, embedded or both
faults: $(DEV) ## kill, freeze, cut and restart everything under load, and reckon (SEED=n SECONDS=240 MODE=both)
	SEED=$(SEED) SECONDS=$(SECONDS) MODE=$(MODE) $(BIN)/python -m tests.faults

faults-named: $(DEV) ## each named fault by itself, with its target (ARGS="-k f05")
	CARELINE_FAULTS_NAMED=1 $(BIN)/python -m pytest tests/faults $(ARGS)

bench-import: $(DEV) ## time imports by the file, with their floor and memory (ARGS="--orders 100000 --customers 50000")
	$(BIN)/python -m bench.imports $(ARGS)

bench-reads: $(DEV) ## time queries by plan, by graphql-core and at the least (ARGS="--customers 20000 --rounds 1")
	$(BIN)/python -m bench.reads $(ARGS)

bench-runs: $(DEV) ## time machine work beside plain Dramatiq (ARGS="--quick", or --parts idle,flood)
	$(BIN)/python -m bench.runs $(ARGS)

bench-live: $(DEV) ## time one event to many subscribers beside bare websockets (ARGS="--rounds 20 --subscribers 100 1000")
	$(BIN)/python -m bench.live $(ARGS)

bench-segments: $(DEV) ## time placing everybody beside the mere reading of it (ARGS="--customers 50000", or --sqlite)
	$(BIN)/python -m bench.segments $(ARGS)

lint: $(DEV) ## ruff check, ruff format --check and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy -p tests.servers
	$(BIN)/mypy -p bench

schema: $(RUNTIME) ## write schema.graphql from the code, and say what in it breaks or may surprise clients
	$(BIN)/python -m api schema > schema.graphql.new || { rm -f schema.graphql.new; exit 1; }
	mv schema.graphql.new schema.graphql
	@$(BIN)/python -m tests.contract.releasing --compare

EXPLORER := api/explorer/source
explorer: ## make GraphiQL's files, api/explorer/built, anew from api/explorer/source (needs Node and npm)
	@set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; cp $(EXPLORER)/* "$$folder"; \
	(cd "$$folder" && npm ci --ignore-scripts --no-audit --no-fund && node build.mjs "$(CURDIR)/api/explorer/built")

# Refuses what breaks the release before, unless FORCE="why": that is kept in tests/contract/releases.json.
release-schema: schema ## keep schema.graphql as what is released: from then on nothing of it may break unannounced
	$(BIN)/python -m tests.contract.releasing

# Versions already in the locks are kept unless a .in file contradicts them; LOCK_ARGS=--upgrade moves them all.
lock: | $(BIN)/python ## resolve the .in files into the three hash-pinned locks, Python 3.11 and later
	$(BIN)/python -m pip install --disable-pip-version-check --quiet uv==$(UV_VERSION)
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" $(LOCK_ARGS) \
		requirements.in --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" $(LOCK_ARGS) --constraint requirements.lock \
		requirements-otel.in --output-file requirements-otel.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" $(LOCK_ARGS) --constraint requirements.lock \
		--constraint requirements-otel.lock requirements-dev.in --output-file requirements-dev.lock

clean: ## remove caches and the JavaScript packages (.venv stays)
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis tests/clients/node_modules

# --- the environment ---

$(RUNTIME): requirements.lock | $(BIN)/python
	@echo "Installing what Careline needs into $(VENV) ..."
	$(PIP_INSTALL) -r requirements.lock
	@touch $@

$(DEV): requirements-dev.lock requirements-otel.lock $(RUNTIME)
	@echo "Installing what the tests and checks need into $(VENV) ..."
	$(PIP_INSTALL) -r requirements.lock -r requirements-otel.lock -r requirements-dev.lock
	@touch $@

# Plain python3 first; a version newer than the tested 3.13 is a last resort, and PYTHON= always decides.
$(BIN)/python:
	@set -e; found=; \
	suits() { "$$1" -c "import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, $$2)))" 2>/dev/null; }; \
	if [ -n "$(PYTHON)" ]; then \
		if suits "$(PYTHON)" 99; then found="$(PYTHON)"; \
		else echo "PYTHON=$(PYTHON) is not a Python 3.11 or later." >&2; exit 1; fi; \
	fi; \
	for newest in 13 99; do for name in python3 python3.13 python3.12 python3.11 python; do \
		if [ -z "$$found" ] && suits "$$name" $$newest; then found=$$name; fi; \
	done; done; \
	if [ -z "$$found" ]; then \
		echo "Careline needs Python 3.11 or later and found none on PATH. Install one, or name it:" >&2; \
		echo "    make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	echo "Creating $(VENV) with $$("$$found" --version) ..."; \
	"$$found" -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "$$found could not create a virtual environment (on Debian and Ubuntu: install python3-venv)." >&2; exit 1; }
