# The two commands of a newcomer are `make repro` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
PYTEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PRECIOUS: $(VENV)/.installed-%
.PHONY: help install repro sample report zoo app throughput test test-fast coverage chaos lint bench readme api store format clean

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
.dvc/plots_page.html: $(VENV)/.installed $(wildcard text2image/pages/*.py text2image/pages/charts/*)
	$(BIN)/python -m text2image.pages.charts

install: $(VENV)/.installed .dvc/plots_page.html ## Create .venv with the pinned dependencies

repro: install ## Run the pipeline; only what changed runs again
	t2i repro

sample: install ## Make the sample and say how well its near-duplicates are found
	t2i repro sample/dvc.yaml

report: install ## Write report/ on what was found; REVS=A..B compares two revisions
	t2i report $(if $(REVS),'$(REVS)')

app: install $(VENV)/.installed-app ## Open the search page (APP_ARGS="--port 8000 --by Ann")
	t2i app $(APP_ARGS)

# The built-in model is one that the pipeline makes.
zoo: install ## Compare the models of zoo.models in params.yaml, as the experiment `zoo`
	t2i repro --quiet builtin_model
	t2i zoo

throughput: install ## Measure how fast systems are on this machine (SYSTEMS="builtin words" for some)
	t2i throughput $(SYSTEMS)

test: install $(VENV)/.installed-test ## Run all tests, examples in docstrings included
	pytest $(PYTEST_ARGS)

test-fast: install $(VENV)/.installed-test ## Run the tests that take no pipeline, browser or simulation, within a minute
	pytest $(PYTEST_ARGS) --dist loadfile -m 'not (slow or pipeline or browser)'

# Counting lines makes the tests' own processes take half as long again.
coverage: install $(VENV)/.installed-test ## Run all tests and list the lines that none of them runs
	pytest $(PYTEST_ARGS) --cov --cov-report=term-missing:skip-covered

chaos: install $(VENV)/.installed-test ## Kill the pipeline KILLS times (default 100, SEED=N as before), and see that `make repro` mends each
	T2I_CHAOS=$(or $(KILLS),100) T2I_CHAOS_SEED=$(or $(SEED),0) pytest -s --timeout 0 tests/pipeline/test_chaos.py

# Types of the extras, too, which the tests have.
lint: install $(VENV)/.installed-test $(VENV)/.installed-lint ## Check style and types
	ruff check .
	ruff format --check .
	mypy

bench: install $(VENV)/.installed-bench ## Measure against other tools; writes benchmarks/README.md (BENCH="retrieval" for a part)
	python -m benchmarks $(BENCH)

readme: install ## Rewrite the figures and pictures in README.md from the last run on the sample and the last bench
	python -m docs.readme

api: install $(VENV)/.installed-test $(VENV)/.installed-docs ## Write a page of every module's docstrings to site/
	python -W ignore -m pdoc --docformat google --no-include-undocumented --output-directory site text2image

store: install ## List the stored embeddings and labels, and what uses them
	t2i store

format: install $(VENV)/.installed-lint ## Format the code
	ruff check --fix .
	ruff format .

clean: ## Remove the environment and the cache of embeddings and labels
	rm -rf $(VENV) .cache
