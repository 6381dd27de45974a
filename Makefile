# Everything a contributor runs. `make help` lists it; CI runs `make test`.

PYTHON ?= python3
JOBS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
NODE := tests/e2e/node
MOCK := tests/compat/node
AGENTS := tests/compat/agents
FRAMEWORKS := tests/compat/frameworks
CHECKED := src tests bench
PURE := core/* wire/* routing/* shaping/* providers/* catalog/types.py
comma := ,
space := $(subst ,, )

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help setup setup-dev run test coverage lint format bench bench-data bench-compare bench-peers load chaos cluster compat lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | expand -t 16

setup: $(VENV)/.project  ## Install Dragoman into .venv, at locked versions
	@:

setup-dev: $(VENV)/.dev $(VENV)/.node $(VENV)/.mock $(VENV)/.project  ## Install what tests and checks need, too
	@:

run: setup  ## Start the gateway: make run [PORT=4000] [DATA=dir]
	@exec $(BIN)/dragoman serve $(if $(PORT),--port '$(PORT)') $(if $(DATA),--data '$(DATA)')

test: lint  ## Check and test everything (PYTEST="-k routing" narrows, JOBS=0 takes one process)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST)

coverage: setup-dev  ## Test with branch coverage: pure rooms 100 %, everything 95 %
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered --show-missing --fail-under=95
	@$(BIN)/coverage report --skip-covered --show-missing --fail-under=100 \
	    --include='$(subst $(space),$(comma),$(PURE:%=*/dragoman/%))'

lint: setup-dev  ## Check style, types and who imports whom
	@$(BIN)/ruff check --quiet $(CHECKED)
	@$(BIN)/ruff format --quiet --check $(CHECKED)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo --no-cache > $(VENV)/contracts.txt || { cat $(VENV)/contracts.txt; exit 1; }

format: setup-dev  ## Rewrite the code as the formatter wants it
	@$(BIN)/ruff check --quiet --fix $(CHECKED)
	@$(BIN)/ruff format --quiet $(CHECKED)

bench: setup  ## Measure CPU, latency and memory against the limits (BENCH="--quick", "--write", "--soak")
	@$(BIN)/python -m bench.run $(BENCH)

bench-data: setup-dev  ## Measure lists and reports over many generations: make bench-data [ROWS=10000000]
	@$(BIN)/python -m bench.data $(if $(ROWS),--rows '$(ROWS)') $(BENCH)

bench-compare: setup  ## Compare with another revision, by CPU and by instructions: make bench-compare BASE=main
	@$(BIN)/python -m bench.compare $(or $(BASE),HEAD) $(BENCH)

bench-peers: setup  ## Install LiteLLM and Portkey, which `make bench` then measures, too (needs npm)
	@$(BIN)/python -m bench.peers

load: setup  ## Let hostile clients loose on a gateway, honest ones beside them (LOAD="--only idle", "--write")
	@$(BIN)/python -m bench.siege.run $(LOAD)

chaos: setup-dev  ## Kill a gateway and its database under load, take them away, and check its books (CHAOS="--cycles 20 --only server-2")
	@$(BIN)/python -m tests.chaos.run $(CHAOS)

cluster: setup-dev  ## Run two nodes over PostgreSQL, Redis and nginx as processes (CLUSTER="--check" shows what holds, and ends)
	@$(BIN)/python -m bench.cluster.run $(CLUSTER)

compat: setup-dev $(VENV)/.agents $(VENV)/.frameworks  ## Ask every provider API in every client API, by official clients, frameworks and coding agents (COMPAT="--write", "--matrix")
	@$(BIN)/python -m tests.compat.run $(COMPAT)

lock: export PATH := $(CURDIR)/$(BIN):$(PATH)
lock:  ## Lock dependencies after a change of pyproject.toml (needs uv)
	@command -v uv > /dev/null || { echo 'make lock needs uv: https://docs.astral.sh/uv/'; exit 1; }
	@uv lock --quiet
	@uv export --locked --quiet --format requirements-txt --no-emit-project \
	    --no-default-groups --group build --output-file requirements/run.txt
	@uv export --locked --quiet --format requirements-txt --no-emit-project \
	    --no-default-groups --group build --group dev --output-file requirements/dev.txt

clean:  ## Remove everything that can be made again
	rm -rf $(VENV) $(NODE)/node_modules $(MOCK)/node_modules $(AGENTS)/node_modules bench/.peers dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*

$(BIN)/python:
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null || { \
	    echo 'Dragoman needs Python 3.11 or newer, with venv.'; \
	    echo 'Debian: apt install python3 python3-venv. Elsewhere: make PYTHON=/path/to/python3.11'; \
	    exit 1; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt | $(BIN)/python
	@echo 'Installing into $(VENV), which takes a moment only when requirements changed'
	@$(PIP) install --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

# The editable install follows the sources by itself; only its metadata can age.
$(VENV)/.project: pyproject.toml $(VENV)/.run
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

# Without npm, or without its registry, the tests that want Node say that they skip.
$(VENV)/.node: $(NODE)/package-lock.json | $(BIN)/python
	@if command -v npm > /dev/null && (cd $(NODE) && npm ci --no-audit --no-fund --ignore-scripts --silent); \
	    then touch $@; else echo 'The Node clients are not installed: tests that need them skip.'; fi

$(VENV)/.mock: $(MOCK)/package-lock.json | $(BIN)/python
	@if command -v npm > /dev/null && (cd $(MOCK) && npm ci --no-audit --no-fund --ignore-scripts --silent); \
	    then touch $@; else echo 'The mock server is not installed: the compatibility matrix skips.'; fi

# Claude Code and OpenCode are programs that a script of their packages puts into place.
# No lock: it would have to name the programs of all other systems.
$(VENV)/.agents: $(AGENTS)/package.json | $(BIN)/python
	@if command -v npm > /dev/null && (cd $(AGENTS) && \
	    npm install --no-package-lock --no-audit --no-fund --ignore-scripts --silent && \
	    node node_modules/@anthropic-ai/claude-code/install.cjs && \
	    (cd node_modules/opencode-ai && node postinstall.mjs)); \
	    then touch $@; else echo 'The coding agents are not installed: make compat leaves them out.'; fi

# They want other versions of shared dependencies than the project: a place of their own.
$(VENV)/.frameworks: $(FRAMEWORKS)/requirements.txt | $(BIN)/python
	@$(BIN)/python -m venv $(VENV)/frameworks
	@$(VENV)/frameworks/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	@touch $@
