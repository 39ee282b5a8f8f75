# make demo: set up and run the main job.  make test: set up and run the whole test suite.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
CLEW := $(VENV)/bin/clew
METHODS := greedy,self_consistency,best_of_n,best_of_n?scorer=verifier,pass_until

.PHONY: demo test lint format bench clean

demo: $(VENV)/.demo
	$(CLEW) pull smollm2-135m
	rm -f runs/demo.db runs/demo.db-wal runs/demo.db-shm
	$(CLEW) compare words --model smollm2-135m --methods '$(METHODS)' --count 20 --budgets 150,300,600 --out runs/demo.db

test: $(VENV)/.dev
	$(CLEW) pull smollm2-135m
	$(PY) -m pytest

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/.dev
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.dev
	$(PY) -m benchmarks.engine
	$(PY) -m benchmarks.http

# The engine's native build takes minutes the first time; the wheel is kept in the user's cache and used again.
$(VENV)/.engine: tools/engine_wheel.py
	$(PYTHON) -m venv $(VENV)
	$(PY) tools/engine_wheel.py
	touch $@

$(VENV)/.demo: $(VENV)/.engine pyproject.toml
	$(PY) -m pip install --disable-pip-version-check -e '.[engine,report]'
	touch $@

$(VENV)/.dev: $(VENV)/.engine pyproject.toml
	$(PY) -m pip install --disable-pip-version-check -e '.[all,dev]'
	touch $@

clean:
	rm -rf $(VENV) build dist src/*.egg-info
