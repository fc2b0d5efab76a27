PYTHON ?= python3.11
BIN := .venv/bin
BUILT := .venv/.built
CORE := $(shell find src -type f) Cargo.toml Cargo.lock pyproject.toml

.PHONY: run test lint generated accuracy counts recount kernels clean

run: $(BUILT)  ## weigh the claims and show the reference scenario
	$(BIN)/tapeout claims && $(BIN)/tapeout evaluate --reference

test: $(BUILT)  ## all tests, Rust and Python
	if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --locked; else cargo test --locked; fi && $(BIN)/python -m pytest

lint: $(BUILT)  ## formatters, linters, types, generated files
	.ci/lint

generated: $(BUILT)  ## the files that follow from the declarations
	$(BIN)/python tools/surface.py && $(BIN)/python tools/docs.py

accuracy: $(BUILT)  ## docs/accuracy.md from the measurements in FOLDER
	$(BIN)/python -m accuracy $(FOLDER) --page docs/accuracy.md

counts: $(BUILT)  ## instructions of every kernel, against tests/instructions.toml
	$(BIN)/python benches/counts.py

recount: $(BUILT)  ## rewrites tests/instructions.toml
	$(BIN)/python benches/counts.py --write

kernels: $(BUILT)  ## what limits every kernel on this machine: rewrites docs/kernels.md
	$(BIN)/python benches/kernels.py

clean:  ## everything that was built
	rm -rf .venv target python/tapeout/*.so .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(BIN)/.locked: requirements-dev.lock
	$(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $< && touch $@

$(BUILT): $(BIN)/.locked $(CORE)
	VIRTUAL_ENV=$(CURDIR)/.venv $(BIN)/maturin develop --release --locked --quiet && touch $@
