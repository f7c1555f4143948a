# Copydesk. `make help` lists what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTHON := $(BIN)/python

# Everything the installation prints goes to standard error: `make -s demo ONCE=1 JSON=1`
# leaves one line of JSON on standard output.
define install
	@{ sum=$$(cat requirements/bootstrap.txt requirements/$(1).txt | cksum | cut -d' ' -f1); \
	stamp=.venv/.$(1)-$$sum; \
	if [ ! -e "$$stamp" ] && [ ! -e ".venv/.dev-$$(cat requirements/bootstrap.txt requirements/dev.txt | cksum | cut -d' ' -f1)" ]; then \
		$(MAKE) --no-print-directory $(PYTHON) && \
		if $(PYTHON) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt \
			&& $(BIN)/uv pip install -q --python $(PYTHON) --require-hashes -r requirements/$(1).txt; then :; \
		else echo "uv did not work here; installing with pip"; \
			$(PYTHON) -m pip install -q --disable-pip-version-check --require-hashes -r requirements/$(1).txt; \
		fi && touch "$$stamp"; \
	fi; } >&2
endef

.PHONY: help
help: ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(PYTHON):
	@for name in python3.11 python3.12 python3.13 python3; do \
		if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "making .venv with $$name" >&2; \
			$$name -m venv .venv && exit 0; \
			echo "$$name cannot make virtual environments; on Debian install python3-venv" >&2; exit 1; \
		fi; \
	done; echo "Python 3.11 or later is needed" >&2; exit 1

.PHONY: install
install: ## Make .venv with everything pinned, for work on the code
	$(call install,dev)

.PHONY: install-base
install-base:
	$(call install,base)

.PHONY: demo
demo: install-base ## The whole product on this machine (ONCE=1 JSON=1 PORT=8000 args=...)
	@COPYDESK_ENV=demo $(PYTHON) manage.py demo $(if $(ONCE),--once) $(if $(JSON),--json) $(if $(PORT),--port $(PORT)) $(args)

.PHONY: test
test: install ## All tests, on SQLite and on MariaDB with Redis (FAST=1: what needs no service; args=...)
	@$(PYTHON) -m tests.run $(if $(FAST),--fast) $(args)

.PHONY: lint
lint: install ## Style, types and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: install ## Put the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: check
check: lint ## Lint, then the fast tests
	@$(MAKE) --no-print-directory test FAST=1

.PHONY: lock
lock: install ## Pin the requirements again, from the .in files
	@for name in bootstrap base mysql production dev; do \
		$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --no-annotate requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done
