# `make run` needs make, git and Python 3.11 with venv. Everything else is installed into .venv from locked versions.

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev
WORKERS ?= 2
LOCKED := --generate-hashes --no-emit-index-url --no-header --quiet --upgrade
LEGS ?= browser parser promtool apache chaos
EVERY_LEG := browser or parser or promtool or apache or chaos
space := $(subst ,, )
CLEAN_FILES := .run build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results

.PHONY: run test test-all chaos fuzz bench lint types lock clean env dev

run: $(RUN_STAMP)  ## start everything, Ctrl-C stops it
	@$(BIN)/python -m deploy.local

env: $(RUN_STAMP)  ## only the environment that `run` needs
dev: $(DEV_STAMP)  ## the environment of the tests and linters

test: $(DEV_STAMP)  ## what needs only Python: embedded servers, started by the tests
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not ($(EVERY_LEG))" $(PYTEST_ARGS)

test-all: $(DEV_STAMP)  ## the rest: browser, AsyncAPI's parser, promtool, Apache Kafka, a bounded chaos run
	@deploy/prerequisites.sh $(LEGS)
	$(BIN)/pytest -m "$(subst $(space), or ,$(strip $(LEGS)))" $(PYTEST_ARGS)

chaos: $(DEV_STAMP)  ## the long one: 20,000 messages, a kill every 4 s; SEED=… repeats a plan, CHAOS=ci a short one
	$(BIN)/python -m deploy.chaos $(if $(SEED),--seed $(SEED))

fuzz: $(DEV_STAMP)  ## the long one: closure over 50,000 orders, 5,000 courses, 20,000 stays, 5,000 messages by grammar, ten minutes by coverage
	FUZZ_EXAMPLES=$(or $(EXAMPLES),50000) $(BIN)/pytest tests/unit/transitions/test_convergence.py --timeout 0
	FUZZ_EXAMPLES=$(or $(EXAMPLES),20000) $(BIN)/pytest tests/unit/intake/test_movements.py tests/unit/intake/test_convergence.py --timeout 0
	FUZZ_EXAMPLES=$(or $(EXAMPLES),5000) $(BIN)/pytest tests/fuzz/test_grammar.py --timeout 0
	@deploy/prerequisites.sh parser
	FUZZ_SECONDS=600 $(BIN)/pytest tests/fuzz/test_coverage.py

bench: $(DEV_STAMP)  ## figures beside their floors, into docs/benchmarks.md
	$(BIN)/python -m deploy.bench

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(DEV_STAMP)
	$(BIN)/mypy

lock: $(DEV_STAMP)  ## compile requirements/*.in with hashes, without index addresses
	$(BIN)/uv pip compile $(LOCKED) requirements/run.in -o requirements/run.txt
	$(BIN)/uv pip compile $(LOCKED) requirements/dev.in -c requirements/run.txt -o requirements/dev.txt
	$(BIN)/uv pip compile $(LOCKED) requirements/fuzz.in -o requirements/fuzz.txt

clean:  ## data, logs and caches; the environment stays
	@if [ -f .run/stack.json ]; then echo "Handoff runs here: stop it first (Ctrl-C, or .venv/bin/handoff down)" >&2; exit 1; fi
	rm -rf $(CLEAN_FILES)

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) is missing; install Python 3.11, or give PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) lacks venv; on Debian: apt-get install python3.11-venv" >&2; exit 1; }
	@echo "Creating $(VENV) …"
	@$(PYTHON) -m venv $(VENV)

$(RUN_STAMP): requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python deploy/install.py requirements/run.txt
	@touch $@

$(DEV_STAMP): requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	@$(BIN)/python deploy/install.py requirements/dev.txt
	@touch $@ $(RUN_STAMP)
