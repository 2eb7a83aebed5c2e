# Each target works as the first command in a fresh clone: it prepares what it needs.
.PHONY: help install dev programs mise clients demo test try-again lint check bench nightly docs clean

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
PYTEST_ARGS ?=
# `make test COVERAGE=1` also measures; the numbers are judged by .ci/run
RUN := $(if $(COVERAGE),$(PY) -m coverage run -m,$(PY) -m)

help:
	@echo "make demo      real npm and pip work in sandboxes, one refused host, the change set"
	@echo "make install   .venv/bin/cleanroom, with its C programs built"
	@echo "make test      every test, as the user you are"
	@echo "make lint      format, lint, import contracts, types, unused code, spelling"
	@echo "make check     the whole gate, as CI runs it (.ci/run)"
	@echo "make bench     measurements beside their peers, into bench/results/"
	@echo "make nightly   long fuzzing and churn"
	@echo "make docs      write the generated pages again"

# --- the environment ----------------------------------------------------------------------

$(PY):
	@tools/check-system
	@echo "making $(VENV) with $$(tools/find-python)"
	@"$$(tools/find-python)" -m venv $(VENV)

$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml setup.py | $(PY)
	@tools/check-system
	@$(PIP) install --require-hashes -r requirements-build.lock -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(PIP) uninstall --yes setuptools  # only the build needs it, and its .pth slows every start
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.runtime
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

programs:
	@$(MAKE) --no-print-directory -C native
	@$(MAKE) --no-print-directory -C agent

# The real mise, for the tests: an npm package, pinned by its hash.
mise: build/mise/.ready

build/mise/.ready: tools/mise/package.json tools/mise/package-lock.json
	@mkdir -p build/mise
	@cp tools/mise/package.json tools/mise/package-lock.json build/mise/
	@cd build/mise && [ "$$(uname -m)" != x86_64 ] || for try in 1 2 3; do \
	  npm ci --silent --ignore-scripts --no-audit --no-fund && break; [ $$try -lt 3 ] && sleep 2; done
	@touch $@

# Other package managers for the tests. What cannot be fetched, the tests say that the machine lacks.
clients: build/clients/day/.ready

build/clients/%/.ready: tools/clients/install tools/clients/%/package.json tools/clients/%/package-lock.json $(wildcard tools/clients/*/*.lock) | $(VENV)/.runtime
	@PIP="$(PIP)" tools/clients/install $*

install: $(VENV)/.runtime programs
	@echo "cleanroom is at $(VENV)/bin/cleanroom; to type just its name: export PATH=\"$(CURDIR)/$(VENV)/bin:\$$PATH\""

dev: $(VENV)/.runtime $(VENV)/.dev programs

# --- what people run ----------------------------------------------------------------------

demo: install
	@$(PY) examples/demo.py

test: dev
	@tools/check-system test
	@$(MAKE) --no-print-directory mise  # here no test's time limit counts
	-@$(MAKE) --no-print-directory clients
	$(RUN) pytest $(PYTEST_ARGS)

try-again: # after a run that failed: does each failed test pass five times by itself?
	@tools/try-again

lint: dev
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/lint-imports --no-cache
	$(VENV)/bin/mypy
	$(VENV)/bin/deptry src
	$(VENV)/bin/vulture
	$(VENV)/bin/codespell src tests docs examples bench tools native agent *.md
	$(PY) tools/write_docs.py --check

check:
	.ci/run

bench: install
	@tools/check-system bench
	$(PY) -m bench

nightly: dev build/clients/day/.ready build/clients/night/.ready build/clients/agents/.ready
	CLEANROOM_NIGHTLY=1 $(PY) -m pytest -m "" --timeout=3600 tests

docs: dev
	$(PY) tools/write_docs.py

clean:
	rm -rf build dist $(VENV) src/cleanroom/bin .mypy_cache .ruff_cache .pytest_cache .coverage*
	-@$(MAKE) --no-print-directory -C native clean
	-@$(MAKE) --no-print-directory -C agent clean
