# What there is to do: `make help`. Paths are relative, so the folder's name may hold spaces.
# Each step leaves a stamp or its product; a second `make setup` does nothing.

PYTHON ?= python3
ARGS ?=
PYTEST_ARGS ?=
JOBS ?= 2

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PAGE := src/noroshi/service/static/index.html
PLACES := src/noroshi/geo/data/places.bin
PAGE_SOURCES := $(shell find web -name node_modules -prune -o -type f -print 2>/dev/null)
KERNELS := $(wildcard src/noroshi/tracking/*.py src/noroshi/tracking/kernels/*.py)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev places web warm run test types-and-page tests bench soak docs reference lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile
	@echo '  ARGS="--seed 7" goes on to noroshi; PYTHON=python3.12 chooses the interpreter'

setup: ## .venv with the product, the place table, the page, compiled kernels
	@$(MAKE) -s --no-print-directory -j2 $(STAMPS)/warm $(PLACES) $(PAGE)

# Compiling takes a minute and a half of one core: meanwhile the other fetches, packs and builds.
setup-dev:
	@$(MAKE) -s --no-print-directory -j2 $(STAMPS)/warm $(PLACES) $(STAMPS)/dev $(PAGE)

places: $(PLACES) ## the table of populated places

web: $(PAGE) ## the page

warm: $(STAMPS)/warm ## the compiled kernels of the tracker

run: setup ## the flight of 2022-10-04 through three nations' nodes, live on a map
	@$(BIN)/noroshi demo $(ARGS)

test: setup-dev ## style, types, the page's own tests, all tests (JOBS files of them at a time)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@$(MAKE) --no-print-directory -j2 types-and-page tests

# Beside the tests: some of them wait for clocks and sockets. The longest files are begun first, see tests/conftest.py.
types-and-page:
	$(BIN)/mypy
	cd web && npm test

tests:
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

bench: setup-dev ## every benchmark beside its peer (ARGS="tracking --quick")
	@$(BIN)/noroshi bench $(ARGS)

soak: setup-dev ## the long seeded runs, NOROSHI_SOAK_S seconds of them (600)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
	  $(BIN)/python -m pip install -q --no-deps --only-binary :all: atheris==2.3.0 2>/dev/null || \
	  echo 'soak: there is no wheel of atheris for this machine; fuzzing is not steered by coverage'
	$(BIN)/python -m pytest -m soak --timeout=0 $(PYTEST_ARGS)

docs: $(STAMPS)/dev ## the manual, in build/docs
	@$(BIN)/sphinx-build -W --keep-going -q -b html docs build/docs
	@echo 'The manual is at build/docs/index.html'

reference: $(STAMPS)/dev ## docs/manual/reference.md again, from the packages
	@$(BIN)/python tools/build_reference.py

lock: $(STAMPS)/dev ## the three requirements*.lock again, from pyproject.toml
	@$(BIN)/python tools/lock.py

clean: ## away with all that was made
	rm -rf $(VENV) build dist web/node_modules src/noroshi/service/static $(PLACES)
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'noroshi needs Python 3.11 or newer, and "$(PYTHON)" is not that.' \
	       'Name one that is: make setup PYTHON=python3.12' >&2; exit 1; }
	@echo 'setup: virtual environment in $(VENV)'
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/packages: requirements-build.lock $(STAMPS)/venv
	@echo 'setup: Python packages (about 350 MB to fetch the first time)'
	@$(BIN)/python -m pip install -qq --progress-bar off --require-hashes -r requirements-build.lock
	@touch $@

# No build isolation: the build tools are in the lock, with their hashes, like all else.
$(STAMPS)/product: pyproject.toml $(STAMPS)/packages
	@$(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/product
	@echo 'setup: tools for development'
	@$(BIN)/python -m pip install -qq --progress-bar off --require-hashes -r requirements-dev.lock
	@touch $@

$(STAMPS)/warm: $(KERNELS) $(STAMPS)/product
	@echo 'setup: compiling the kernels of the tracker'
	@$(BIN)/python -c 'from noroshi.tracking import warm; warm()'
	@touch $@

$(PLACES): $(wildcard tools/*place* tools/*.tsv) $(STAMPS)/product
	@echo 'setup: table of populated places'
	@mkdir -p src/noroshi/geo/data
	@$(BIN)/python tools/build_places.py $@
	@touch $@

web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	@command -v npm >/dev/null 2>&1 && command -v node >/dev/null 2>&1 || { \
	  echo 'The page is built with Node 20 or newer and npm, which are not here. Install them' \
	       '(Debian, Ubuntu: apt-get install nodejs npm) and run make again.' >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node, 10) >= 20 ? 0 : 1)' || { \
	  echo "The page needs Node 20 or newer to build; this is $$(node --version)." >&2; exit 1; }
	@echo 'setup: packages of the page'
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(PAGE): web/node_modules/.package-lock.json $(PAGE_SOURCES)
	@echo 'setup: building the page'
	@cd web && npm run --silent build
	@touch $@
