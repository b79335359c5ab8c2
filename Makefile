# Everything runs in .venv, which any target makes or renews by itself.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(wildcard agentgraph tests benchmarks diagrams examples known_models)

.DELETE_ON_ERROR:
.PHONY: setup demo test check bench bench-quick bench-peers diagrams names docs format lint types layers coverage

setup: .venv/.dev

demo: .venv/.run
	$(BIN)/agentgraph demo

test: .venv/.dev
	$(BIN)/python -m pytest -n auto

check: lint types layers coverage docs

# Everything, beside what bench-peers has installed; writes the figures, and the pages and plots that show them.
bench: .venv/.dev
	$(BIN)/python -m benchmarks --publish

# Ours against its floors alone.
bench-quick: .venv/.dev
	$(BIN)/python -m benchmarks.quick

# An environment for each library that `python -m benchmarks.peers` measures.
bench-peers: .venv/.dev
	$(BIN)/python -m benchmarks.peers --install

diagrams: .venv/.dev
	$(BIN)/python -m diagrams

names: .venv/.dev
	$(BIN)/python known_models/write.py

docs: .venv/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: .venv/.dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

lint: .venv/.dev
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)

types: .venv/.dev
	$(BIN)/mypy $(SOURCES)
	$(BIN)/pyright $(SOURCES)

layers: .venv/.dev
	$(BIN)/lint-imports

coverage: .venv/.dev
	$(BIN)/python -m pytest -n auto --cov

# Stamps: .run holds what `agentgraph` needs to run, .dev the tools besides, .docs what builds the manual. All are renewed
# when pyproject.toml changes.
.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/.run: pyproject.toml | .venv/bin/python
	@echo "installing agentgraph into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli]'
	@touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	@echo "installing agentgraph and its development tools into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,dev]'
	@touch $@ .venv/.run

.venv/.docs: pyproject.toml | .venv/bin/python
	@echo "installing what builds the manual into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@
