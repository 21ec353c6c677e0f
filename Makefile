PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
SITE := docs/_build/html
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test test-all test-browser mutations lint format docs site audit clean

demo: .venv/installed
	$(BIN)/infomodels demo --out demo

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

test-all: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

# Part of test-all, too. Needs apt-get install chromium, and pip install -e '.[browser]'.
test-browser: .venv/installed
	$(BIN)/python -m pytest -rs tests/browser

mutations: .venv/installed
	$(BIN)/python tests/mutations/run.py

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: .venv/installed
	$(BIN)/python docs/make_gallery.py

# -E reads all pages again: a page that was read before would not repeat its warnings.
# The explorer's runtime is downloaded from npm; LITERT_DIR=node_modules where there is no network.
site: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[site]'
	$(BIN)/python -m sphinx -b html -E -W --keep-going -q docs $(SITE)
	$(BIN)/infomodels explore --out $(SITE)/explorer $(if $(LITERT_DIR),--wasm $(LITERT_DIR))
	$(BIN)/python docs/check_site.py $(SITE)

audit: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[audit]'
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv demo build dist *.egg-info docs/_build docs/reference
