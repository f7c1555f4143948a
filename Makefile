# Copydesk. `make help` lists what there is.

SHELL := /bin/sh
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTHON := $(BIN)/python

# Every process of the product and of the tests imports Django. Where no bytecode may be written
# beside the sources it is kept apart, or each of them would compile all of it anew: seconds.
ifdef PYTHONDONTWRITEBYTECODE
unexport PYTHONDONTWRITEBYTECODE
export PYTHONPYCACHEPREFIX := $(CURDIR)/.venv/.pycache
endif

# Everything the installation prints goes to standard error: `make -s demo ONCE=1 JSON=1`
# leaves one line of JSON on standard output. uv is many times faster than pip; it does not read
# pip's configuration, so it is told pip's index, and where it does not work pip does.
PIP := $(PYTHON) -m pip --disable-pip-version-check
stamp = .venv/.$(1)-$(shell cat requirements/bootstrap.txt requirements/$(1).txt | cksum | cut -d' ' -f1)
define install
	@if [ ! -e $(call stamp,$(1)) ] && [ ! -e $(call stamp,dev) ]; then { \
		$(MAKE) --no-print-directory $(PYTHON) || exit 1; \
		index=$$($(PIP) config get global.index-url 2>/dev/null || true); \
		index=$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$index}}; \
		if [ -n "$$index" ]; then export UV_DEFAULT_INDEX="$$index"; fi; \
		$(PIP) install -q --require-hashes -r requirements/bootstrap.txt \
			&& $(BIN)/uv pip install -q --python $(PYTHON) --require-hashes -r requirements/$(1).txt \
			|| { echo "uv did not work here; installing with pip"; \
				$(PIP) install -q --require-hashes -r requirements/$(1).txt; } \
			|| exit 1; \
		touch $(call stamp,$(1)); \
	} >&2; fi
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

.PHONY: test-long
test-long: install ## What make test leaves out: every page in a browser, more on MariaDB (args=...)
	@$(PYTHON) -m tests.run --long $(args)

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

.PHONY: chaos
chaos: install ## Deaths, outages and lies, judged by the exchange's ledger (SEED=1 SCENARIOS=C1,C7 SCALE=0.2)
	@$(PYTHON) -m tests.chaos --seed $(or $(SEED),0) --scale $(or $(SCALE),1) --scenarios "$(SCENARIOS)"

.PHONY: crowd
crowd: install ## Three hundred leaders watched by one process, and by two of which one dies (2.5 minutes)
	@$(PYTHON) -m pytest -q -m crowd tests/trading/sync

.PHONY: mutations
mutations: install ## Take each guard of the order protocol away, one at a time: a test must notice
	@$(PYTHON) -m tests.chaos.mutations

.PHONY: soak
soak: install ## Two days at the simulated exchange in five minutes: 50 random traders, faults (args=...)
	@$(PYTHON) -m tests.soak $(args)

.PHONY: check
check: lint ## Lint, then the fast tests
	@$(MAKE) --no-print-directory test FAST=1

.PHONY: messages
messages: install ## Take up new strings in locale/ and compile the translations (needs gettext)
	@COPYDESK_ENV=test $(PYTHON) manage.py makemessages
	@COPYDESK_ENV=test $(PYTHON) manage.py compilemessages --locale zh_Hans --ignore .venv --ignore var

.PHONY: lock
lock: install ## Pin the requirements again, from the .in files
	@for name in bootstrap base mysql production dev; do \
		$(BIN)/uv pip compile -q --python-version 3.11 --generate-hashes --no-header \
			--no-emit-index-url --no-annotate requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done
