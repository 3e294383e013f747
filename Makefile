# The two commands of a newcomer are `make repro` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
PYTEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PHONY: help install repro test lint readme format clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Runs again only when the dependencies changed.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet \
		--editable '.[test,lint]' --constraint constraints.txt
	touch $@

# `dvc plots` draws its charts without a network: the page holds the libraries that draw them.
.dvc/plots_page.html: $(VENV)/.installed stages/io/plots_page.py
	$(BIN)/python -m stages.io.plots_page

install: $(VENV)/.installed .dvc/plots_page.html ## Create .venv with the pinned dependencies

repro: install ## Run the pipeline; only what changed runs again
	dvc repro

test: install ## Run all tests
	pytest $(PYTEST_ARGS)

lint: install ## Check style and types
	ruff check .
	ruff format --check .
	mypy

readme: install ## Rewrite the figures and pictures in README.md from the last run on the sample
	python docs/readme.py

format: install ## Format the code
	ruff check --fix .
	ruff format .

clean: ## Remove the environment and the cache of embeddings and labels
	rm -rf $(VENV) .cache
