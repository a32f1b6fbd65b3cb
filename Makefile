# Everything a person or a CI machine does here. Needs python3 (3.11 or newer), git and make; no PostgreSQL.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test histories lint format bench bench-quick clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

install: $(READY) pooler ## a virtual environment in .venv with crmshift and all that its development needs

demo: $(READY) ## the whole story on a PostgreSQL of its own; options in ARGS, as in make demo ARGS=--keep
	@$(BIN)/crmshift demo $(ARGS)

test: $(READY) pooler ## all tests, on every PostgreSQL there is; make test ARGS='-k ledger' runs some
	$(BIN)/pytest -n 2 --dist worksteal --pg 18,16,15 $(ARGS)

NUMBER ?= 5000
histories: $(READY) ## random histories of many sessions, thousands of them; NUMBER=20000 for more
	CRMSHIFT_HISTORIES=$(NUMBER) $(BIN)/pytest -n 2 --dist worksteal --pg 18,16,15 tests/properties $(ARGS)

lint: $(READY) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) ## put the Python in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) ## measure everything, for docs/benchmarks.md: over an hour; ARGS=profile shows where the time of one write goes
	$(BIN)/python -m bench $(ARGS)

bench-quick: $(READY) ## the same at small scale: about two minutes
	$(BIN)/python -m bench --quick $(ARGS)

clean: ## remove what was built, and .venv
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Some tests go through PgBouncer, and are skipped without it: root gets it where apt-get has it, nobody is kept waiting for it.
pooler:
	@PATH="$$PATH:/usr/sbin"; command -v pgbouncer >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
	  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends pgbouncer; } \
	  >/dev/null 2>&1 </dev/null || true

$(READY): pyproject.toml | $(BIN)/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# A bare Debian has python3 without the module that makes virtual environments usable: root may add it, others are told.
$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo 'crmshift needs Python 3.11 or newer: make PYTHON=/path/to/python3 install' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y python3-venv; } || { \
	  echo 'This python3 makes no virtual environments: install its package first (apt-get install python3-venv).' >&2; \
	  exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
