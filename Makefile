# Everything runs in a virtual environment of its own, made on the first call.
#   make test PYTHON=python3.12        choose the interpreter (3.10 or later)
#   make qm9 MINUTES=30 OUT=runs/long  train longer, elsewhere
#   make test WORKERS=0                all tests in one process, as a debugger needs them

SHELL := bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help qm9 test lint docs clean

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The environment of pip install is as good as its inputs: change one and it is installed again.
INPUTS := pyproject.toml constraints.txt

MINUTES ?= 5
OUT ?= runs/qm9
SEED ?= 0
CREATION ?= top_n
PRIOR ?= rectified_flow

# A process for every core, up to 8: each takes more than 1 GB. Not `auto`, which counts physical
# cores: of the two virtual ones of a small machine it would use one.
WORKERS ?= logical

say = @printf '\n==> %s\n'

# Shows pip's large downloads and its errors, keeps the rest in a log.
define install
	@set -o pipefail; \
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
	    -c constraints.txt -e ".[$(EXTRAS)]" 2>&1 | tee $(VENV)/install.log | awk ' \
	        $$NF == "GB)" || ($$NF == "MB)" && substr($$(NF - 1), 2) + 0 >= 10) \
	            { sub(/.*\//, "", $$(NF - 2)); sub(/-.*/, "", $$(NF - 2)); \
	              print "    downloading " $$(NF - 2) " " $$(NF - 1) " " $$NF; fflush() } \
	        /^Installing collected/ { print "    installing " NF - 3 " packages"; fflush() } \
	        /^ERROR|^error:|Retrying/ { print "    " $$0; fflush() }' \
	|| { printf '\npip failed. The end of %s:\n' $(VENV)/install.log; \
	     tail -n 25 $(VENV)/install.log; exit 1; }
endef

help: ## this list (the default)
	@printf 'Targets of make:\n'
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@printf 'Variables: PYTHON=%s VENV=%s; of test: WORKERS=%s;\n' \
	    '$(PYTHON)' '$(VENV)' '$(WORKERS)'
	@printf '  of qm9: MINUTES=%s OUT=%s SEED=%s CREATION=%s PRIOR=%s\n' \
	    '$(MINUTES)' '$(OUT)' '$(SEED)' '$(CREATION)' '$(PRIOR)'

qm9: $(VENV)/.all ## train on QM9, sample 10,000 molecules, print the metrics (about 10 minutes)
	$(say) "1/4 Training on all of QM9 for $(MINUTES) minutes (the first time, 1 minute more to read the data)"
	$(BIN)/pyg-topn train qm9 --creation $(CREATION) --prior $(PRIOR) --minutes $(MINUTES) --seed $(SEED) --out $(OUT) --resume
	$(say) "2/4 Sampling 10,000 molecules in one pass (seconds)"
	$(BIN)/pyg-topn sample $(OUT)/model -n 10000 --seed 0 -o $(OUT)/molecules.smi
	$(say) "3/4 Drawing 64 molecules (seconds)"
	$(BIN)/pyg-topn sample $(OUT)/model -n 64 --seed 1 -o $(OUT)/molecules.png
	$(say) "4/4 Comparing the 10,000 molecules with QM9 (about 2 minutes)"
	$(BIN)/pyg-topn evaluate $(OUT)/molecules.smi --reference qm9 \
	    --label '$(CREATION), prior $(PRIOR), one pass of the decoder' --json $(OUT)/report.json --plot $(OUT)/histograms.png
	$(say) "Done. The table is printed above; the files are:"
	@printf '    %-26s %s\n' '$(OUT)/molecules.png' 'a picture of 64 new molecules' \
	    '$(OUT)/molecules.smi' '10,000 generated molecules as SMILES' \
	    '$(OUT)/model' 'the trained model: pyg_topn.load("$(OUT)/model")' \
	    '$(OUT)/histograms.png' 'sizes and properties, generated against data' \
	    '$(OUT)/training_curves.png' 'training curves; logs and checkpoints beside it'

test: lint ## lint, then all tests with coverage (some minutes)
	$(say) "pytest with coverage; warnings are errors (some minutes)"
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/python -m pytest -q --durations=15 \
	    -n $(WORKERS) --maxprocesses 8 --dist worksteal \
	    --cov --cov-report=term --cov-report=xml
	$(say) "All tests pass. Coverage by line: coverage.xml"

lint: $(VENV)/.dev ## ruff (lint and format), mypy, import-linter (about 1 minute)
	$(say) "ruff: lint and format (seconds)"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(say) "mypy: types of the whole package (up to 1 minute the first time)"
	$(BIN)/mypy
	$(say) "import-linter: imports go one way (seconds)"
	$(BIN)/lint-imports

docs: $(VENV)/.docs ## HTML documentation, warnings are errors (about 1 minute)
	$(say) "sphinx: HTML documentation (about 1 minute)"
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	$(say) "The documentation is in docs/_build/html/index.html"

clean: ## remove caches and builds; keeps the environment, data/ and runs/
	rm -rf build dist docs/_build docs/api/generated .coverage coverage.xml \
	    .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(wildcard pyg_topn tests examples benchmarks scripts docs) -name __pycache__ -prune -exec rm -rf {} +
	$(say) "Kept $(VENV), data and runs; remove them by hand if you no longer need them."

$(VENV)/.python:
	$(say) "A virtual environment in $(VENV) (seconds)"
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(v < (3, 10) and \
	    f"Expected Python 3.10 or later (got {v[0]}.{v[1]}). Choose one: make PYTHON=python3.12 ...")'
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.all: EXTRAS := all
$(VENV)/.all: $(VENV)/.python $(INPUTS)
	$(say) "Installing the package and all its extras (1 to 3 minutes and the downloads, PyTorch above all)"
	$(install)
	@touch $@

# [dev] and [docs] hold [all].
$(VENV)/.dev: EXTRAS := dev
$(VENV)/.dev: $(VENV)/.python $(INPUTS)
	$(say) "Installing the package and the tools of development (1 to 3 minutes and the downloads)"
	$(install)
	@touch $(VENV)/.all $@

$(VENV)/.docs: EXTRAS := all,docs
$(VENV)/.docs: $(VENV)/.python $(INPUTS)
	$(say) "Installing the package and Sphinx (1 to 3 minutes and the downloads)"
	$(install)
	@touch $(VENV)/.all $@
