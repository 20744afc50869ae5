# Every target with its purpose: make help
# ARGS goes to the command behind a target: make run ARGS="--seed 7", make test ARGS="-k ledger"
SHELL := /bin/sh
.DEFAULT_GOAL := help

ARGS ?=
URL ?= http://127.0.0.1:8000
DEV := .venv-dev/bin
CODE := tidegate tests $(wildcard benchmarks docs migrations)

.PHONY: help install run dev test check lint types contracts long bench smoke locks migrate clean .venv .venv-dev

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

install: .venv ## prepare .venv, which runs Tidegate and holds nothing else
	@echo "Ready: .venv/bin/tidegate"

run: .venv ## start Tidegate with paper money; Ctrl-C stops it
	@.venv/bin/tidegate up $(ARGS)

dev: .venv-dev ## the same, started anew whenever a source file changes
	@$(DEV)/tidegate up --reload $(ARGS)

test: .venv-dev ## the default test suite, at most 6 minutes on 2 cores
	@$(DEV)/pytest -n 2 $(ARGS)

check: lint types contracts ## what .ci/run runs: lint, types, contracts and the slow tests too
	@$(DEV)/pytest -n 2 -m "not long" $(ARGS)

lint: .venv-dev ## formatting and style
	@$(DEV)/ruff format --quiet --check .
	@$(DEV)/ruff check --quiet .

types: .venv-dev ## mypy, strict
	@$(DEV)/mypy $(CODE)

contracts: .venv-dev ## who may import whom
	@$(DEV)/lint-imports --no-logo

long: .venv-dev ## the tests that take an hour or a night
	@$(DEV)/pytest -m long $(ARGS)

bench: .venv-dev ## every benchmark, one JSON line each
	@set -e; for script in benchmarks/[a-z]*.py; do $(DEV)/python $$script; done

smoke: .venv ## ask a running Tidegate (URL) for a candle, signal, order, fill and transfer of one trace
	@.venv/bin/tidegate smoke $(URL) $(ARGS)

migrate: .venv ## bring the database to the newest schema, after a backup
	@.venv/bin/tidegate db upgrade $(ARGS)

locks: .venv-dev ## resolve requirements*.in anew into the hashed locks (ARGS=--upgrade for newer versions)
	@$(call compile,requirements-uv)
	@$(call compile,requirements)
	@$(call compile,requirements-dev,-c requirements.lock)

clean: ## remove both environments and every cache; what Tidegate has stored stays
	rm -rf .venv .venv-dev .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find tidegate tests benchmarks migrations -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.venv: .venv/.installed

.venv-dev: .venv-dev/.installed

.venv/.installed: requirements-uv.lock requirements.lock pyproject.toml deploy/install.sh
	@sh deploy/install.sh .venv requirements.lock
	@touch $@

.venv-dev/.installed: requirements-uv.lock requirements-dev.lock pyproject.toml deploy/install.sh
	@sh deploy/install.sh .venv-dev requirements-dev.lock
	@touch $@

# Universal and hashed; the header names the command, no index and no path of a machine.
define compile
$(DEV)/uv pip compile --quiet --system-certs --generate-hashes --universal --python-version 3.11 \
    --custom-compile-command "make locks" $(2) $(ARGS) $(1).in -o $(1).lock
endef
