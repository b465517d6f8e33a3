# Everything that people and CI run. `make` alone lists the targets.
# A fresh machine needs Python 3.11 or newer (with venv) and make; packages come from pip's index.

VENV ?= .venv
BIN := $(VENV)/bin
OUT := demo-output
# The first of these that is new enough; name another one with `make PYTHON=/path/to/python3.12 …`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The pictures of examples/ that have a mask beside them.
SCENES := $(filter-out %.mask.png,$(wildcard examples/*.jpg examples/*.png examples/*.webp))

.PHONY: help demo gallery setup test check bench format clean web web-check
.DEFAULT_GOAL := help

help:
	@echo "make demo    remove an object from each picture in examples/, into $(OUT)/"
	@echo "make gallery the same, into docs/gallery/, with four more"
	@echo "make test    run the whole test suite"
	@echo "make check   ruff, mypy, import-linter, codespell"
	@echo "make bench   time Lacuna against the rivals installed here (minutes)"
	@echo "make web     build the editor's page into the package; wants Node 20.19 or newer"
	@echo "make web-check  check and test the page, and that what is committed is what web/ builds"
	@echo "make setup   only make $(VENV) with the test tools"
	@echo "make format  let ruff rewrite what it can"
	@echo "make clean   remove what make made, $(VENV) included"

# --- environments: a stamp says what $(VENV) holds, so that nothing is installed twice ---------------------

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "Lacuna needs Python 3.11 or newer, and none was found (python3 is \
	$$(python3 --version 2>&1)). Install one, or: make PYTHON=/path/to/python3.12 …" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Lacuna needs Python 3.11 \
	or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.core: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) install --quiet --constraint constraints.txt --editable ".[test]"
	@touch $@ $(VENV)/.core

setup: $(VENV)/.test

# --- what people run ---------------------------------------------------------------------------------------

demo: $(VENV)/.core
	@mkdir -p $(OUT)
	@set -e; for picture in $(SCENES); do \
		name=$$(basename $$picture); stem=$${name%.*}; \
		set -- inpaint $$picture --mask examples/$$stem.mask.png; \
		set -- "$$@" -o $(OUT)/$$name --sheet $(OUT)/$$stem.sheet.jpg; \
		echo; echo "lacuna $$*"; $(BIN)/lacuna "$$@" --overwrite; \
	done
	@echo; echo "Before, mask and after side by side: $(OUT)/*.sheet.jpg"

# The pictures of the documentation. Look at them before they are committed.
gallery: demo  # wants the peers of docs/peers.md for the last one
	@cp $(OUT)/*.sheet.jpg docs/gallery/
	$(BIN)/lacuna outpaint examples/spoon.jpg --left 20% --right 20% --quality 85 \
		-o docs/gallery/spoon.wide.jpg --overwrite
	$(BIN)/lacuna outpaint examples/whiskers.webp --aspect 1:1 --quality 85 \
		-o docs/gallery/whiskers.square.jpg --overwrite
	$(BIN)/lacuna inpaint examples/whiskers.webp --mask docs/gallery/eye.mask.png -o $(OUT)/eye.webp \
		--sheet docs/gallery/eye.sheet.jpg --overwrite
	$(BIN)/lacuna compare examples/tripod.png --mask examples/tripod.mask.png --method patchmatch \
		--method biharmonic --method telea --method opencv-shiftmap --method gmic \
		-o docs/gallery/compare.sheet.webp --overwrite

test: $(VENV)/.test
	$(BIN)/python -m pytest

check: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

bench: $(VENV)/.test
	$(BIN)/python -m benchmarks

# --- the editor's page: TypeScript in web/, its bundle in the package, so that an installation needs no Node ----

STATIC := src/lacuna/web/static

web/node_modules/.made: web/package-lock.json
	npm --prefix web ci --no-fund --no-audit
	@touch $@

web: web/node_modules/.made
	npm --prefix web run build

web-check: web/node_modules/.made
	npm --prefix web run check
	npm --prefix web test
	@fresh=$$(mktemp -d) && LACUNA_WEB_OUT=$$fresh npm --prefix web run build && \
	{ diff -r $$fresh $(STATIC) || { echo "$(STATIC) is not what web/ builds: make web, and commit it" >&2; exit 1; }; } && \
	rm -r $$fresh

format: $(VENV)/.test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) $(OUT) bench-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
