# voltrace: two commands on a fresh machine: `make demo` and `make test`. Needs Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo

.DEFAULT_GOAL := help
.PHONY: help demo test check format clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

$(VENV)/.installed: pyproject.toml setup.py $(wildcard voltrace/*/*.pyx voltrace/*/*.pxd)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "voltrace needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@$(BIN)/python -m compileall -q voltrace
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@

$(VENV)/.dev: $(VENV)/.test
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

demo: $(VENV)/.installed ## simulate a small cloud, trace and check it and the real logs, write a report
	@$(BIN)/python -m voltrace.cli.demo $(DEMO)

test: $(VENV)/.test ## run every test (browser tests where a Chromium is found)
	@$(BIN)/python -m pytest -n auto

check: $(VENV)/.dev ## format, lint, types, tests
	$(BIN)/ruff format --check voltrace tests
	$(BIN)/ruff check voltrace tests
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto

format: $(VENV)/.dev ## format the code
	$(BIN)/ruff format voltrace tests
	$(BIN)/ruff check --fix voltrace tests

clean: ## remove what was built
	rm -rf $(VENV) $(DEMO) build dist *.egg-info
