# Two commands on a fresh machine: `make run` and `make test`. `make help` lists the others.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := .requirements.lock
JOBS ?= 3
STAMP := $(VENV)/.installed
FRONTEND := app/web/dashboard/frontend
ASSETS := app/web/dashboard/static/manifest.json

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow test-clients test-browser screenshots chromium lint format check bench bench-sample docs lock clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

setup: $(STAMP) $(ASSETS)  ## create .venv with the locked dependencies, build the dashboard

$(STAMP): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import sys; sys.exit("hookledger needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement $(LOCK)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Node.js and npm are those of the Python package. The server runs without this, the dashboard unstyled.
$(ASSETS): $(STAMP) $(shell find $(FRONTEND)/source $(FRONTEND)/*.* -type f)
	@$(BIN)/python $(FRONTEND)/build.py || echo 'The dashboard is not built; the server works without it.'

run: setup  ## serve the sample hooks on http://127.0.0.1:8080; with TLS=1 on https
	$(BIN)/hookledger serve --quickstart $(if $(TLS),--local-tls)

test: setup chromium  ## run all tests but the slow ones, JOBS=3 files at a time
	$(BIN)/pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

test-slow: setup  ## run the long versions too: 30 kills during a sync, long soaks
	$(BIN)/pytest --run-slow

test-clients: setup  ## try every version of Auth0's Deploy CLI and SDKs on a server
	$(BIN)/pytest --all-clients tests/clients

test-browser: setup chromium  ## try every page of the dashboard in Chromium
	$(BIN)/pytest --run-slow tests/browser

screenshots: setup chromium  ## write docs/images: a picture of each page of the dashboard
	$(BIN)/pytest --write-screenshots tests/browser/test_screenshots.py

# Without Debian, or without the right to install, the tests in a browser are skipped and say so.
chromium:
	@command -v chromium chromium-browser google-chrome >/dev/null \
		|| { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium fonts-liberation; } >/dev/null 2>&1 \
		|| echo 'There is no Chromium, and it cannot be installed; tests in a browser are skipped.'

lint: setup  ## format, style, types and layers, checked
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup  ## write the formatting and the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test  ## what CI runs

bench: setup  ## measure, and write docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks

bench-sample: setup  ## measure a little, in half a minute, and only print it
	$(BIN)/python -m tests.benchmarks --sample

docs: setup  ## write the command line reference from the commands themselves
	$(BIN)/typer app.cli.main utils docs --name hookledger --title 'Command line reference' --output docs/cli-reference.md
	@sed -i -e '/^\x08$$/d' -e 's/^Examples:$$/**Examples**:\n/' -e 's/^  hookledger /    hookledger /' docs/cli-reference.md

lock: setup  ## resolve the dependencies again and write the lock file
	rm -rf $(VENV)/lock && $(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/pip install --quiet --upgrade 'pip>=25.1'
	$(VENV)/lock/bin/pip install --quiet --group dev .
	$(VENV)/lock/bin/pip freeze --exclude hookledger > $(LOCK)
	rm -rf $(VENV)/lock

clean:  ## remove the virtual environment, what was built, and the server's data
	rm -rf $(VENV) .cache var app/web/dashboard/static $(FRONTEND)/node_modules
