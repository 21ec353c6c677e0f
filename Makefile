PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: demo test test-all test-browser mutations lint format docs audit clean

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
	$(BIN)/python docs/make_api.py

audit: .venv/installed
	$(BIN)/python -m pip install --quiet --editable '.[audit]'
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv demo build dist *.egg-info
