# Two commands do everything: `make demo` and `make test`. Each makes the virtual environment it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WHEEL_SOURCES := pyproject.toml README.md LICENSE $(shell find src -type f -not -path '*/__pycache__/*')

# So many tests at once: many of them wait most of the time.
BESIDE := -n 4 --dist worksteal

# What drives Devices and Edges in its own process; and what does so in others.
DRIVEN := tests/device tests/edge tests/engine tests/evaluation tests/wire tests/testing \
  tests/lab/boards/test_hidden.py tests/lab/boards/test_emulate_option.py \
  tests/test_real_time.py
STARTED := tests/doctor/test_link.py tests/lab/rivals/test_rival.py tests/lab/figures/test_live.py tests/demo tests/test_front_door.py

.PHONY: demo live test quickstart delays delay-busy check fix docs conformance auditors rivals mutants page train-smoke \
  cluster cluster-demo chaos soak fuzz aarch64 site clean

demo: $(VENV)/.models
	$(BIN)/edgent demo

# A camera, a device, an edge and the page at http://127.0.0.1:8080, until Ctrl-C.
live: $(VENV)/.tests
	$(BIN)/python benchmarks/live.py

test: $(VENV)/.tests
	$(BIN)/python -m pytest -q $(BESIDE) --ignore=tests/conformance

# The documented quickstart from `pip install` on: on each machine the wheel goes into an empty environment.
quickstart: $(VENV)/.tests
	EDGENT_WHEEL=$(abspath $(wildcard dist/*.whl)) $(BIN)/python -m pytest -q tests/cli/answers/test_quickstart.py

# `make test` on slower machines: each run of an engine is delayed; and beside processes that keep every core busy.
delays: delay-4ms delay-20ms delay-80ms delay-busy

delay-busy: $(VENV)/.tests
	$(BIN)/python tests/timing/beside_load.py $(BIN)/python -m pytest -q $(DRIVEN) $(STARTED)

delay-%: $(VENV)/.tests
	$(BIN)/python -m pytest -q $(BESIDE) --engine-delay $* $(DRIVEN)

check: $(VENV)/.check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_docs.py -k mypy

fix: $(VENV)/.check
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.tests
	$(BIN)/python -m pytest -q tests/test_docs.py tests/benchmarks/test_pages.py

# Real topologies of the onnx wheel divided, its recorded tests, the second engine, and a stock client of the protocol.
conformance: $(VENV)/.tests .venv-stock/.installed .venv-openvino/.installed
	$(BIN)/python -m pytest -q tests/conformance
	PYTHONPATH=$(abspath .venv-openvino) $(BIN)/python -m pytest -q tests/engine/test_openvino.py tests/engine/test_engine.py
	EDGENT_STOCK_PYTHON=$(abspath .venv-stock/bin/python) $(BIN)/python -m pytest -q tests/conformance/test_stock_client.py

# Others' auditors on an edge: testssl.sh (Debian's package), malformed frames by h2, load by processes of tritonclient.
auditors: $(VENV)/.installed .venv-auditors/.installed
	$(BIN)/python benchmarks/auditors.py --stock $(abspath .venv-auditors/bin/python)

# Edgent beside what a user would do instead: fails where it is worse in a cell. Timings: on a machine with nothing else to do.
rivals: $(VENV)/.installed
	$(BIN)/python benchmarks/rivals.py

# Faults planted in what decides, one at a time: the tests must notice. About ten minutes on two cores with nothing else to do.
mutants: .venv-mutants/.installed
	.venv-mutants/bin/python -m pytest -q tests/benchmarks/test_mutants.py
	.venv-mutants/bin/python benchmarks/mutants.py --json build/mutants.json

# What is promised in docs/promises.md, with faults on purpose: fifteen minutes, and as root with a full disk among them.
# In CI a part of each: REAL=1500 SIMULATED=10000, INPUTS=60000.
REAL := 10000
SIMULATED := 100000
INPUTS := 1000000
chaos: $(VENV)/.tests
	$(BIN)/python benchmarks/chaos.py --real $(REAL) --simulated $(SIMULATED)

# Half an hour of requests at a steady rate, with a fault every ten seconds: nothing may grow.
soak: $(VENV)/.tests
	$(BIN)/python benchmarks/chaos.py --soak 30

# Every decoder and reader, given what was honest once: half an hour.
fuzz: $(VENV)/.tests
	$(BIN)/python benchmarks/fuzz.py --inputs $(INPUTS)

# The device from wheels on an ARM processor that qemu plays, alone and with an edge (Debian's qemu-user-static).
aarch64: $(VENV)/.tests
	$(BIN)/python benchmarks/aarch64.py --wheel $(wildcard dist/*.whl)

# The live page in a real Chromium, and a real Prometheus at its port (Debian's packages chromium and prometheus).
page: $(VENV)/.browser
	$(BIN)/python -m pytest -q tests/dashboard

# Training, on a few images, in an environment of its own: PyTorch is large.
train-smoke: .venv-train/.installed
	.venv-train/bin/python -m pytest -q tests/training tests/cli/training

# Ray Serve behind the edge's door, with three nodes on this machine: tests, and what a kill of a part of it costs.
cluster: .venv-ray/.installed
	.venv-ray/bin/python -m pytest -q tests/cluster

cluster-demo: .venv-ray/.installed
	.venv-ray/bin/python benchmarks/cluster.py

# The documentation as a site in build/site, with the API from the docstrings; warnings are errors.
site: .venv-docs/.installed
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build -q

clean:
	rm -rf .venv .venv-* build dist

# The built wheel is what is installed, and so what is tested. (Dependency groups came with pip 25.1.)
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check "pip>=25.1" build

$(VENV)/.installed: $(VENV)/bin/python $(WHEEL_SOURCES)
	rm -rf dist && $(BIN)/python -m build -q --wheel --outdir dist .
	$(BIN)/python -m pip install -q --disable-pip-version-check dist/*.whl
	$(BIN)/python -m pip install -q --disable-pip-version-check --force-reinstall --no-deps dist/*.whl
	touch $@

# The demo's networks and pictures are a package of their own, built from the checkout.
$(VENV)/.models: $(VENV)/.installed $(shell find packages/edgent-models -type f 2>/dev/null)
	$(BIN)/python -m pip install -q --disable-pip-version-check packages/edgent-models
	touch $@

$(VENV)/.tests: $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check --group test
	touch $@

$(VENV)/.check: $(VENV)/.tests
	$(BIN)/python -m pip install -q --disable-pip-version-check --group check
	touch $@

$(VENV)/.browser: $(VENV)/.tests
	$(BIN)/python -m pip install -q --disable-pip-version-check --group browser
	touch $@

.venv-ray/.installed: $(VENV)/.installed
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install -q --disable-pip-version-check "pip>=25.1"
	.venv-ray/bin/python -m pip install -q --disable-pip-version-check "$$(echo dist/*.whl)[ray]" --group test
	touch $@

.venv-stock/.installed:
	$(PYTHON) -m venv .venv-stock
	.venv-stock/bin/python -m pip install -q --disable-pip-version-check "tritonclient[grpc]" numpy
	touch $@

.venv-auditors/.installed:
	$(PYTHON) -m venv .venv-auditors
	.venv-auditors/bin/python -m pip install -q --disable-pip-version-check h2 "tritonclient[grpc]" numpy
	touch $@

# The extra beside the environment, so that `make test` stays without it.
.venv-openvino/.installed: $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --target .venv-openvino openvino openvino-telemetry
	touch $@

.venv-mutants/.installed: $(VENV)/.installed
	$(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/python -m pip install -q --disable-pip-version-check "pip>=25.1"
	.venv-mutants/bin/python -m pip install -q --disable-pip-version-check dist/*.whl --group test --group mutants
	touch $@

.venv-docs/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install -q --disable-pip-version-check "pip>=25.1"
	.venv-docs/bin/python -m pip install -q --disable-pip-version-check --group docs
	touch $@

.venv-train/.installed: $(VENV)/.installed
	$(PYTHON) -m venv .venv-train
	.venv-train/bin/python -m pip install -q --disable-pip-version-check "pip>=25.1" torch==2.13.0
	.venv-train/bin/python -m pip install -q --disable-pip-version-check dist/*.whl --group test
	touch $@
