# Greffier: `make demo` shows it, `make test` proves it, `make setup` prepares .venv/bin/greffier.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
PYTHON ?= python3
export PYTHON
export PATH := $(PATH):/usr/sbin:/sbin
BIN := .venv/bin
WORKERS ?= 2
UV := build/lock/bin/uv

.PHONY: help setup demo test lint bench bench-live bench-feeds bench-central bench-web faults fuzz fuzz-wire lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-13s %s\n", $$1, $$2}' Makefile

setup: .venv/.with-run ## prepare .venv with .venv/bin/greffier
	@echo '.venv/bin/greffier is ready'

demo: .venv/.with-run ## record a capture, seal, verify, search as the custodians
	@.ci/debian-packages demo
	@$(BIN)/python -m demo.run

test: .venv/.with-dev ## lint, types, arrows between rooms, all tests
	@.ci/debian-packages demo test
	@$(MAKE) lint
	@$(BIN)/python -m pytest -n $(WORKERS)

lint: .venv/.with-dev ## ruff, mypy, import-linter
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "run '$(BIN)/ruff format .'" >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo

bench: .venv/.with-run ## Greffier and its peers side by side on one core, then bytes a record and searches
	@.ci/debian-packages bench
	@$(BIN)/python -m bench
	@taskset -c $$(($$(nproc) - 1)) $(BIN)/python -m bench.search

bench-live: .venv/.with-run ## the same peers live: frames sent at given rates, what each loses and takes (root)
	@.ci/debian-packages bench
	@$(BIN)/python -m bench.live

bench-feeds: .venv/.with-run ## feeds decoded, recorded and received, beside nfcapd, nfacctd and rsyslog
	@.ci/debian-packages bench
	@$(BIN)/python -m bench.feeds

bench-central: .venv/.with-run ## a backlog that drains, and sites by the thousand at one central: SQLite, PostgreSQL
	@.ci/debian-packages bench
	@$(BIN)/python -m bench.central $(BENCH)

bench-web: .venv/.with-run ## every page of a box with a year of statistics, many requests in flight, one core
	@$(BIN)/python -m bench.web $(BENCH)

faults: .venv/.with-dev ## FAULTS=500 faults between a box and two centrals, then what lies where; SEED=N again (root)
	@.ci/debian-packages demo test
	@$(BIN)/python -m tests.system.campaign $(or $(FAULTS),500) $(SEED)

fuzz: .venv/.with-dev ## coverage-guided fuzzing until Ctrl-C; FUZZ=-max_total_time=60 bounds it
	@mkdir -p build/fuzz
	@$(BIN)/python -m tests.fuzz -artifact_prefix=build/fuzz/ $(FUZZ)

fuzz-wire: .venv/.with-dev ## INPUTS=10000000 damaged frames through the decoder, in batches
	@$(BIN)/python -m tests.fuzz.batches $(or $(INPUTS),10000000)

lock: ## choose newest versions again and write both lock files
	@$(PYTHON) -m venv build/lock && build/lock/bin/pip -qq install uv
	@rm -f requirements.lock requirements-dev.lock
	@$(UV) pip compile -q --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header \
		--group build pyproject.toml -o requirements.lock
	@$(UV) pip compile -q --universal --fork-strategy fewest --python-version 3.11 --generate-hashes --no-header \
		--group build --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove what make made
	@rm -rf .venv build bench/work *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.with-run: requirements.lock pyproject.toml
	@.ci/debian-packages run
	@.ci/environment requirements.lock
	@touch $@

# The second lock holds everything of the first, so that one installation serves both.
.venv/.with-dev: requirements-dev.lock requirements.lock pyproject.toml
	@.ci/debian-packages run
	@.ci/environment requirements-dev.lock
	@touch .venv/.with-run $@
