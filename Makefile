# Everything starts from a bare Python 3.11, a C++ compiler and make; the first target that runs makes .venv.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
OUT ?= runs/co2
WORKERS ?= 2
MINUTES ?= 60
STABLE ?= python3.12
NATIVE := $(shell find runtime/native -type f 2>/dev/null) runtime/CMakeLists.txt runtime/pyproject.toml

# Python compiles what is imported, once; pip would compile 23,000 files, of which a run imports a tenth.
QUICKLY := --quiet --disable-pip-version-check --no-compile

# The tests start hundreds of Python processes; where this is set, each would compile the whole package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: forecast test check style check-deep attack bench bench-full bench-studies docs install install-dev sanitize neon wheels clean

forecast: install ## the main job on the bundled series: table, forecast and report
	$(BIN)/seqloom forecast --out $(OUT)

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# What runs beside another command does not hear Ctrl-C by itself: the trap ends it.
# The native module compiles while the other packages, which it needs only to run, are fetched and unpacked.
$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt $(NATIVE)
	$(BIN)/python -m pip install $(QUICKLY) --no-deps -e ./runtime & native=$$!; trap "kill $$native" INT; \
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[app]'; others=$$?; wait $$native && exit $$others
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python pyproject.toml constraints.txt $(NATIVE)
	$(BIN)/python -m pip install $(QUICKLY) --no-deps -C cmake.define.SEQLOOM_WERROR=ON -e ./runtime & native=$$!; trap "kill $$native" INT; \
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[all,dev]'; others=$$?; wait $$native && exit $$others
	@touch $@ $(VENV)/.installed

# Types take one processor for minutes: those of the packages are looked at beside the tests, those of the tests by `make check`.
test: install-dev style ## what CI runs: style, types, layers, C++ tests, and the fast selection of tests
	@mkdir -p build
	$(BIN)/pyright src runtime/src bench handbook examples > build/types.txt 2>&1 & types=$$!; trap "kill $$types" INT; \
	$(BIN)/python runtime/native/tests/run.py --sanitize address,undefined \
	&& $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0 -m 'not deep' tests \
	&& $(BIN)/python -m pytest -q --doctest-modules -p no:cacheprovider src/seqloom runtime/src/seqloom_runtime; tests=$$?; \
	wait $$types; types=$$?; cat build/types.txt; exit $$((tests + types))

check: install-dev style ## style, types, import layers, C++ tests under sanitizers
	$(BIN)/pyright & types=$$!; $(BIN)/python runtime/native/tests/run.py --sanitize address,undefined; native=$$?; \
	wait $$types && exit $$native

style: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

sanitize: install-dev ## the C++ tests, and the Python tests of odd tensors, under every sanitizer
	$(BIN)/python runtime/native/tests/run.py --sanitize address,undefined
	$(BIN)/python runtime/native/tests/run.py --sanitize thread
	$(BIN)/python runtime/native/tests/run_module.py --sanitize address,undefined
	$(BIN)/python runtime/native/tests/run_module.py --sanitize thread

neon: install-dev ## the C++ tests built for 64-bit ARM, under qemu; skipped where the cross compiler or qemu lack
	$(BIN)/python runtime/native/tests/run.py --neon

check-deep: check sanitize neon ## the long sweeps
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --max-worker-restart 0 -o faulthandler_timeout=7200 tests

attack: install-dev ## hostile files and folders, kills, faults, odd tensors; for an hour, or as MINUTES says
	$(BIN)/python -m tests.attack --minutes $(MINUTES) --workers $(WORKERS)

bench: install-dev ## ours beside the peers, in interleaved rounds
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[bench]'
	$(BIN)/python -m bench.run

bench-studies: install-dev ## minutes per epoch of the studies' rows beside plain torch.nn, into docs/studies.md
	$(BIN)/python -m bench.study_speed

docs: $(VENV)/.installed-docs ## the documentation site in build/site: every example is run, the pages are built, the site is checked
	$(BIN)/python -m handbook.blocks
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/handbook/test_site.py
	@echo "open build/site/index.html"

$(VENV)/.installed-docs: $(VENV)/.installed-dev
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[docs]'
	@touch $@

# Made in a folder apart: auditwheel gives them the tag of the oldest Linux that they run on, and puts them into dist.
wheels: install-dev ## both distributions as wheels in dist: the runtime for this Python and, by STABLE, for all from 3.12 on
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[wheels]'
	rm -rf dist build/wheels
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w build/wheels ./runtime
	if $(STABLE) -c '' 2>/dev/null; then $(STABLE) -m pip wheel --quiet --disable-pip-version-check --no-deps -w build/wheels ./runtime; \
	else echo "no $(STABLE): no wheel of the stable ABI; name one: make wheels STABLE=/path/to/python3.12"; fi
	PATH="$(BIN):$$PATH" $(BIN)/python -m auditwheel repair -w dist build/wheels/*.whl
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps -w dist .
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/native/test_wheels.py

clean:
	rm -rf build dist runtime/build $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache

bench-full: install-dev ## the whole grid, resumable
	$(BIN)/python -m pip install $(QUICKLY) -c constraints.txt -e '.[bench]'
	$(BIN)/python -m bench.run --full --out build/bench-full.json
