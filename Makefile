# The two commands of a newcomer are `make repro` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export PATH := $(abspath $(BIN)):$(PATH)
PYTEST_ARGS ?= -n 2

.DEFAULT_GOAL := help
.PRECIOUS: $(VENV)/.installed-%
.PHONY: help install repro sample report zoo app throughput test test-fast coverage chaos lint bench readme api store format clean install-locked lock sbom licences

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

# All extras, and what builds the packages that come as sources, first: nothing is fetched but files of these hashes.
LOCK ?= requirements.lock
EXTRAS := app bench docs finetune index lint ocr ray release rerank test
pip_locked = $(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation

install-locked: ## Create .venv anew, of the very files whose hashes requirements.lock names, all extras included
	$(PYTHON) -m venv --clear $(VENV)
	sed -n '/^setuptools==/,/[^\\]$$/p' $(LOCK) > $(VENV)/build.lock
	$(pip_locked) --require-hashes --requirement $(VENV)/build.lock
	$(pip_locked) --require-hashes --use-pep517 --requirement $(LOCK)
	$(pip_locked) --editable .
	touch $(VENV)/.installed $(EXTRAS:%=$(VENV)/.installed-%)

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

chaos: install $(VENV)/.installed-test ## Kill runs KILLS times (100), fuzz what is read (CASES=2000) and press the pages for a minute (SEED=N for the same again)
	T2I_CHAOS=$(or $(KILLS),100) T2I_CHAOS_SEED=$(SEED) pytest -s --timeout 0 tests/pipeline/test_chaos.py
	T2I_CHAOS=$(or $(KILLS),100) T2I_CHAOS_SEED=$(SEED) pytest -s --timeout 0 tests/labels/openai/test_ledger.py::test_the_budget_holds_over_kills
	T2I_CHAOS=$(or $(CASES),2000) T2I_CHAOS_SEED=$(SEED) pytest -s --timeout 0 tests/fuzzing tests/labels/openai/test_fuzz.py
	T2I_CHAOS=$(or $(CASES),2000) T2I_CHAOS_SEED=$(SEED) pytest -s --timeout 0 tests/base/test_damaged_store.py::test_no_flipped_bit_gives_a_wrong_value
	T2I_CHAOS=1 T2I_CHAOS_SEED=$(SEED) pytest -s --timeout 0 tests/pages/test_load.py

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

lock: $(VENV)/.installed-release ## Write requirements.lock: the hashes of the versions in constraints.txt, for every system
	uv pip compile pyproject.toml --all-extras --universal --generate-hashes --constraint constraints.txt --quiet \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate --output-file requirements.lock

sbom: $(VENV)/.installed-release ## Write dist/sbom.cdx.json, a software bill of materials (CycloneDX) of requirements.lock
	mkdir -p dist
	cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --output-file dist/sbom.cdx.json

licences: $(VENV)/.installed-release ## List the licences of all that is installed, and what is known where a package names none
	pip-licenses --from=mixed --format=markdown
	@sed -n '/^## Licence/,$$p' README.md

store: install ## List the stored embeddings and labels, and what uses them
	t2i store

format: install $(VENV)/.installed-lint ## Format the code
	ruff check --fix .
	ruff format .

clean: ## Remove the environment and the cache of embeddings and labels
	rm -rf $(VENV) .cache
