# The commands of this repository. Each sets up what it needs first and skips what is there already.

PYTHON ?= python3.11
PROJECTS ?= numpy opencv-python-headless
ARGS ?=

BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-check test unit lint format docs bench chaos clean

help: ## Say what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## Install what is missing: Debian packages, .venv
	@infra/setup/system.sh
	@PYTHON=$(PYTHON) infra/setup/venv.sh

demo: ## Build PROJECTS from source, install them, make a slim image, run it, report
	@began=$$(date +%s.%N); $(MAKE) --no-print-directory setup && \
	exec $(BIN)/python -m examples.demo.demo --began $$began $(ARGS) $(PROJECTS)

demo-check: ## The same, and numpy's own tests on the wheel that was built
	@$(MAKE) --no-print-directory demo ARGS="--numpy-tests $(ARGS)"

test: ## Lint, then every test; ARGS goes to pytest
	@infra/setup/system.sh --tests
	@PYTHON=$(PYTHON) infra/setup/venv.sh
	@$(MAKE) --no-print-directory lint
	@tests/run.sh $(ARGS)

unit: setup ## Only the tests that need no server and no container
	$(BIN)/python -m pytest tests/unit $(ARGS)

lint: setup ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mypy examples/demo/*.py bench/*.py bench/*/*.py docs/generate.py

format: setup ## Let ruff lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## Write the reference pages that come from the code
	$(BIN)/python docs/generate.py

bench: setup ## Measure: jobs, the index, builds and images beside their peers, and the overhead over a compile by hand
	@infra/setup/system.sh --bench
	$(BIN)/python -m bench.jobs.jobs
	$(BIN)/python -m bench.index.index
	$(BIN)/python -m bench.builds.builds
	$(BIN)/python -m bench.images.images
	$(BIN)/python -m bench.overhead.overhead $(ARGS)

chaos: setup ## Break every part of a real stack as often as it takes to believe in it: an hour or more
	@infra/setup/system.sh --tests
	$(BIN)/python -m pytest tests/chaos --chaos-full $(ARGS)

clean: ## Remove .venv, .demo and caches; containers and images stay
	rm -rf .venv .demo .bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
