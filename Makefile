# The two commands of a newcomer are `make repro` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
PYTEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PRECIOUS: $(VENV)/.installed-%
.PHONY: help install repro report zoo app test lint bench readme store format clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# Each runs again only when the dependencies changed: what the pipeline needs, and extras on top of it.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call pip_install,.)
	touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(call pip_install,.[$*])
	touch $@

pip_install = $(BIN)/python -m pip install --disable-pip-version-check --quiet \
	--editable '$(1)' --constraint constraints.txt

# What `dvc plots` draws with: templates of the charts, and a page that needs no network.
.dvc/plots_page.html: $(VENV)/.installed text2image/pages/theme.py $(wildcard text2image/pages/charts/*.py)
	$(BIN)/python -m text2image.pages.charts

install: $(VENV)/.installed .dvc/plots_page.html ## Create .venv with the pinned dependencies

repro: install ## Run the pipeline; only what changed runs again
	dvc repro

report: install ## Write report/ on what was found; REVS=A..B compares two revisions
	python -m text2image.commands.report $(if $(REVS),'$(REVS)')

app: install $(VENV)/.installed-app ## Open the search page (APP_ARGS="--port 8000 --by Ann")
	python -m text2image.commands.app $(APP_ARGS)

# The built-in model is one that the pipeline makes.
zoo: install ## Compare the models of zoo.models in params.yaml, as the experiment `zoo`
	dvc repro --quiet builtin_model
	python -m text2image.commands.zoo

test: install $(VENV)/.installed-test ## Run all tests
	pytest $(PYTEST_ARGS)

# Types of the extras, too, which the tests have.
lint: install $(VENV)/.installed-test $(VENV)/.installed-lint ## Check style and types
	ruff check .
	ruff format --check .
	mypy

bench: install $(VENV)/.installed-bench ## Measure against other tools; writes benchmarks/README.md (BENCH="retrieval" for a part)
	python -m benchmarks $(BENCH)

readme: install ## Rewrite the figures and pictures in README.md from the last run on the sample and the last bench
	python -m docs.readme

store: install ## List the stored embeddings and labels, and what uses them
	python -m text2image.commands.store

format: install $(VENV)/.installed-lint ## Format the code
	ruff check --fix .
	ruff format .

clean: ## Remove the environment and the cache of embeddings and labels
	rm -rf $(VENV) .cache
