# Thin: each target is a line or two. Needs Python >= 3.11, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test reliability check tables bench

demo: $(VENV)/app  ## open the app with the shipped checkpoints; HOST and PORT are honoured
	$(BIN)/python app.py

test: $(VENV)/dev  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile

reliability: $(VENV)/dev  ## bad inputs, fuzzing and faults in full, of which `make test` runs a slice; an hour or so
	IMAGEGEN_FULL=1 $(BIN)/python -m pytest tests/reliability

check: $(VENV)/dev  ## style, types, and README tables against the cards
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	$(BIN)/python scripts/readme_tables.py --check

bench: $(VENV)/dev  ## every benchmark, as one table; some five minutes
	$(BIN)/python benchmarks/all.py

tables: $(VENV)/dev  ## write the README's tables anew from the cards
	$(BIN)/python scripts/readme_tables.py

train-%: $(VENV)/app  ## make train-gan-mnist: the small recipe; MNIST and CelebA are downloaded, other data need `train --data`
	$(BIN)/python -m imagegen train $*

$(VENV)/app: requirements.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/dev: requirements-dev.txt $(VENV)/app
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	touch $@
