# Everything a developer or CI runs. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# tests wait for servers more than for processors
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
STAMP := $(VENV)/.installed

.PHONY: help install demo test check fix bench soak protos serve clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("sheetgrpc needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ": try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,dev]'
	@touch $(STAMP)

install: $(STAMP)  ## make .venv with everything the other targets use

demo: $(STAMP)  ## load real fund data through a server on a temporary database
	$(BIN)/sheetgrpc demo

test: $(STAMP)  ## run the tests
	$(BIN)/python -m pytest -m 'not soak' -q -n $(WORKERS) --dist loadfile $(ARGS)

soak: $(STAMP)  ## run the long fault tests
	$(BIN)/python -m pytest -m soak -q --timeout 1800 $(ARGS)

check: $(STAMP)  ## format, lint, types, layers, protos, stale files, deploy/
	$(BIN)/ruff format --check src tests clients protos deploy
	$(BIN)/ruff check src tests clients protos deploy
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/yamllint --strict deploy
	$(BIN)/python protos/generate.py --check

fix: $(STAMP)  ## format, and mend what the linter can
	$(BIN)/ruff format src tests clients protos deploy
	$(BIN)/ruff check --fix src tests clients protos deploy

bench: $(STAMP)  ## measure, beside baselines of the same run; writes bench.json
	$(BIN)/python -m tests.bench $(ARGS)

protos: $(STAMP)  ## generate the stubs in src/sheetgrpc/v1 from protos/
	$(BIN)/python protos/generate.py

serve: $(STAMP)  ## run a server on sheetgrpc.db
	$(BIN)/sheetgrpc serve $(ARGS)

clean:  ## remove what the other targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache bench.json
