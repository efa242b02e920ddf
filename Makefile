# Everything runs in .venv, made from nothing; only Python 3.11+, pip, git and make are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Each takes up to 3 GB of memory, for the models.
JOBS ?= 2

.PHONY: help run test lint audit bench docs pictures faults soak fuzz clean
.DEFAULT_GOAL := help

help: ## Show what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

run: $(VENV)/demo.stamp ## Chat with both models in your browser
	$(BIN)/twofold demo

test: $(VENV)/test.stamp ## Run all tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(PYTEST)

lint: $(VENV)/test.stamp $(VENV)/lint.stamp ## Check style, types, import contracts, and that no secret is in here
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.project.scan

audit: $(VENV)/audit.stamp ## Ask for known vulnerabilities of what is installed
	$(BIN)/python -m tests.project.audit $(AUDIT)

bench: $(VENV)/test.stamp ## Measure the default pair on this machine
	$(BIN)/python -m benchmarks.throughput

faults: $(VENV)/test.stamp ## Try everything that goes wrong in months
	$(BIN)/python -m tests.faults $(WORDS)

fuzz: $(VENV)/test.stamp ## Throw 10,000 odd things at every entry
	$(BIN)/python -m tests.fuzz --examples $(or $(EXAMPLES),10000) $(ENTRIES)

soak: $(VENV)/test.stamp ## Live half an hour of a busy community in some minutes
	$(BIN)/python -m benchmarks.soak $(SOAK)

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
