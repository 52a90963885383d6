# Everything runs in a virtual environment of its own, made from the lock file.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format stubs lock train eval bench e2e clean

help: ## Say what there is.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

setup: $(VENV)/.ready ## Make the virtual environment.

demo: setup ## Decide a dozen prompts, for real, in under a minute.
	@$(BIN)/python examples/demo.py

test: setup ## Run every test.
	$(BIN)/pytest

bench: setup ## Measure the bars (needs h2load); ROUNDS=15 for more.
	$(BIN)/python -m benchmarks --rounds $(or $(ROUNDS),5)

lint: setup ## Check style, types, rooms, contract and stubs.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/python tools/stubs.py --check

format: setup ## Format the code and the contract.
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/buf format --write

stubs: setup ## Generate the Python stubs from the contract.
	$(BIN)/python tools/stubs.py

lock: setup ## Resolve the lock files anew.
	for name in dev server; do $(BIN)/pip-compile --quiet --strip-extras --generate-hashes \
	  --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --extra server --extra redis --output-file requirements/$$name.txt pyproject.toml requirements/$$name.in; done

clean: ## Remove what was built.
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
