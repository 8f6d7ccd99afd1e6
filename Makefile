# The chores. Everything sets itself up: nothing but Python 3.11+, make and a package index is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test check lint types imports contracts bench clean

run: $(READY)
	$(BIN)/knooppunt serve --prepare

test: $(READY)
	$(BIN)/python -m pytest

check: lint types imports test

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

contracts: $(READY)
	$(BIN)/knooppunt openapi export openapi

bench: $(READY)
	$(BIN)/python -m bench

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Knooppunt needs Python 3.11 or newer"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) .knooppunt
