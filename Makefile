# Everything runs in .venv, made from nothing; only Python 3.11+, pip, git and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help run test lint bench docs pictures clean
.DEFAULT_GOAL := help

help: ## Show what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

run: $(VENV)/demo.stamp ## Chat with both models in your browser
	$(BIN)/twofold demo

test: $(VENV)/test.stamp ## Run all tests
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/test.stamp $(VENV)/lint.stamp ## Check style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/test.stamp ## Measure the default pair on this machine
	$(BIN)/python -m benchmarks.throughput

clean: ## Remove .venv; models and database stay where they are
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Twofold needs Python 3.11 or newer; run: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/%.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing what $* needs; the first time takes a few minutes"
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@

docs: $(VENV)/test.stamp ## Write the generated parts of the docs
	$(BIN)/python -m tests.project.readme

pictures: $(VENV)/test.stamp $(VENV)/demo.stamp ## Take the pictures in the docs anew (needs Chromium)
	$(BIN)/python -m tests.browser.pictures
