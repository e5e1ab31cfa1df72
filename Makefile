# Everything a newcomer needs, from a checkout with git, make and Python 3.11 or newer with pip.
# Each target sets up what it needs in .venv, once.

.DEFAULT_GOAL := help
.PHONY: help demo dev serve test check lint type unit format docs env setup tools clean

ARGS ?=
WORKERS ?=

# The newest Python on the path that is new enough, really runs (pyenv's shims may not) and has pip. Of several of that
# name the fastest: how one was compiled makes a fifth of all that is done with it. Each says the ms of CPU that it needs.
PACE := import sys, pip, argparse, inspect, time, timeit; sys.version_info < (3, 11) and sys.exit(1); \
	text = inspect.getsource(argparse); do = lambda: compile(text, "", "exec"); \
	print(round(1000 * min(timeit.repeat(do, timer=time.process_time, repeat=5, number=1))))
PYTHON ?= $(shell IFS=:; for name in python3.13 python3.12 python3.11 python3; do \
	python=$$(for folder in $$PATH; do test -x "$$folder/$$name" || continue; \
		pace=$$("$$folder/$$name" -c '$(PACE)' 2>/dev/null) && echo "$$pace $$folder/$$name"; \
		done | sort -n -s | sed -n '1s/^[0-9]* //p'); \
	test -z "$$python" || { echo "$$python"; exit; }; \
	done)

# Tests that take seconds: the pure parts, and the main path on both backends of `make unit`.
QUICK := $(addprefix tests/,oauth oauth_token discovery identity gateways callback memory_store core mcp flow/test_main_path.py)

VENV := .venv
BIN := $(VENV)/bin
PYPROJECTS := pyproject.toml core/pyproject.toml $(wildcard plugins/*/pyproject.toml) \
	$(wildcard examples/*/pyproject.toml)
# What tests of plugins need, and no gateway.
KIT := ./plugins/testing
PLUGINS := $(filter-out $(KIT),$(patsubst %/pyproject.toml,./%,$(wildcard plugins/*/pyproject.toml)))
EXTRAS_sql_store := [postgres,mysql]
EXTRAS_edge := [nginx]
EXTRAS_metrics := [tracing]
EXTRAS_authorization_server := [keyring]
RUNTIME := -e ./core $(foreach plugin,$(PLUGINS),-e $(plugin)$(EXTRAS_$(notdir $(plugin))))
EXAMPLES := $(foreach example,$(patsubst %/pyproject.toml,./%,$(wildcard examples/*/pyproject.toml)),-e $(example))
# uv does not read pip's settings: a package mirror that only pip was told about is passed on.
INSTALL = index=$${UV_DEFAULT_INDEX:-$$($(PYTHON) -m pip config get global.index-url 2>/dev/null)}; \
	test -z "$$index" || export UV_DEFAULT_INDEX="$$index"; \
	UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip install --quiet --python $(BIN)/python

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: env ## a demo provider, MCP server and gateway on this machine (ARGS=--once: without a person)
	$(BIN)/latchpin demo $(ARGS)

dev: env ## the gateway with one worker and debug log, on port 4444
	LOG_LEVEL=$${LOG_LEVEL:-DEBUG} $(BIN)/latchpin serve --workers 1 $(ARGS)

serve: env ## the gateway as .env says (WORKERS=4: with four processes)
	$(BIN)/latchpin serve $(if $(WORKERS),--workers $(WORKERS)) $(ARGS)

test: $(VENV)/.tox-installed ## everything: tox over all interpreters and backends (ARGS="-e py311-redis": a part)
	@$(BIN)/python tests/matrix.py $(ARGS)

# Side by side, where this make can keep their outputs apart.
check: $(VENV)/.tools-installed ## the quick part: style, types, tests on memory and SQLite
	@$(MAKE) --no-print-directory $(if $(filter output-sync,$(.FEATURES)),--jobs=3 --output-sync=target) lint type unit

lint: $(VENV)/.tools-installed ## style
	$(BIN)/ruff check
	$(BIN)/ruff format --check

type: $(VENV)/.tools-installed ## types
	$(BIN)/mypy

unit: $(VENV)/.tools-installed ## quick tests on memory and SQLite
	$(BIN)/pytest --quiet -n auto --backends=memory,sqlite -m "not slow" $(QUICK) $(ARGS)

format: $(VENV)/.tools-installed ## put every file into the house's style
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

env: .env ## make .env, with a secret of its own, if there is none
setup: $(VENV)/.installed ## install the gateway with all plugins into .venv
tools: $(VENV)/.tools-installed ## and what development needs

clean: ## remove .venv and .tox
	rm -rf $(VENV) .tox

.env: | $(VENV)/.installed
	@$(BIN)/python -c 'import pathlib, secrets; from latchpin_admin_cli.env_example import create_env_file; \
	create_env_file(pathlib.Path(".env.example").read_text(), pathlib.Path(".env"), secret=secrets.token_urlsafe(48))'
	@echo "made .env with a secret of its own"

docs: $(VENV)/.tools-installed ## write the generated parts of the documentation, and .env.example, anew
	$(BIN)/python -m tests.docs.write

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Latchpin needs Python 3.11 or newer with pip; none was found" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check install --quiet 'uv>=0.8'
	@touch $@

$(VENV)/.installed: $(VENV)/.created $(PYPROJECTS)
	@echo "installing the gateway with its plugins"
	@$(INSTALL) $(RUNTIME)
	@touch $@

$(VENV)/.tools-installed: $(VENV)/.installed $(PYPROJECTS)
	@echo "installing what development needs"
	@$(INSTALL) $(RUNTIME) -e $(KIT) $(EXAMPLES) --group test --group lint --group type --group servers
	@touch $@

$(VENV)/.tox-installed: $(VENV)/.created $(PYPROJECTS)
	@echo "installing tox"
	@$(INSTALL) 'tox>=4.32' 'tox-uv>=1.29' 'hatchling>=1.27' 'editables>=0.5'
	@touch $@
