# `make demo` and `make test` are all a newcomer needs; the rest is for development.
PYTHON ?= python3
CORPORA ?= ../shared/corpora
GOLD ?= ../shared/gold
# Clean text for the speed tables; without the corpora it comes from the seeds.
CLEAN = $(if $(wildcard $(CORPORA)),--corpora $(CORPORA))
BIN = .venv/bin
INSTALLED = .venv/.installed
# Some of the pinned versions have left Python 3.10 behind.
LOCK := $(shell $(PYTHON) -c 'import sys; print("requirements-dev%s.lock" % ("-3.10" * (sys.version_info < (3, 11))))')

.PHONY: demo test test-adapters lint quality bench bench-gpu lexicon lock

$(INSTALLED): pyproject.toml $(LOCK)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

demo: $(INSTALLED)
	$(BIN)/detrans explain seeds/001_d4d637be339d7832.txt

test: $(INSTALLED) lint
	$(BIN)/python -m pytest

# The adapters' libraries are too heavy for everybody's tests.
test-adapters: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(LOCK) "ray[data]" datasets datatrove
	$(BIN)/python -m pytest tests/test_adapters.py

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

quality: $(INSTALLED)
	$(BIN)/python -m benchmarks.quality --corpora $(CORPORA) --gold $(GOLD)

bench: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(LOCK) flashtext ftfy ctranslate2 matplotlib
	$(BIN)/python -m benchmarks.speed --device cpu --documents 10 --model small $(CLEAN)
	$(BIN)/python -m benchmarks.speed --device cpu --documents 10 $(CLEAN)

# On a CUDA machine, in an environment with a CUDA build of torch: make bench-gpu BIN=$$(dirname $$(which python))
bench-gpu:
	$(BIN)/python -m benchmarks.speed --device cuda --documents 2000 --model small $(CLEAN)
	$(BIN)/python -m benchmarks.speed --device cuda --documents 2000 $(CLEAN)
	$(BIN)/python -m benchmarks.quality

lexicon: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(LOCK) lemminflect scikit-learn scipy
	$(BIN)/python -m training.lexicon --corpora $(CORPORA)

lock: $(INSTALLED)
	$(BIN)/python -m pip freeze --exclude-editable | sed "s/+cpu//" > $(LOCK)
