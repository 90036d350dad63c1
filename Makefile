# PharmTwin: the commands of a day. `make help` lists them.
#   make demo                      the synthetic study, from a bare clone to the report
#   PYTHON=python3.12 make test    another interpreter (3.11, 3.12 or 3.13)

SHELL := /bin/sh
CORES ?= 2
PYTEST_ARGS ?=

# without a wish, an environment that is there is kept; else python3
VENV := .venv
ifeq ($(origin PYTHON),undefined)
PYTHON := $(if $(wildcard $(VENV)/bin/python),$(VENV)/bin/python,python3)
endif

# one thread a process: Snakemake counts cores, and equal inputs give equal bytes
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export PYTHONHASHSEED := 0

# the stamp names the lock and the Python version: setup does nothing until one of them changes
FINGERPRINT := $(shell $(PYTHON) -c "import hashlib, sys; h = hashlib.sha256(open('requirements.lock', 'rb').read()).hexdigest(); print('%s-py%d.%d' % ((h[:16],) + sys.version_info[:2]))" 2>/dev/null)
STAMP := $(VENV)/.lock-$(or $(FINGERPRINT),none)

# the programs of the environment come first on the path of a recipe
RUN := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

# everything is a wheel but one small package of pure Python
WHEELS := --only-binary :all: --no-binary connection-pool

.DEFAULT_GOAL := help
.PHONY: help setup demo population slurm slurm-plugin kill-tests qualification test lint reference property peers reads nonmem bench calibration browser lock update-genes audit fuzz fuzz-tools clean python-in-range

help:
	@echo "make setup      Python environment in $(VENV) from requirements.lock (every file checked by its hash)"
	@echo "make demo       setup, then the shipped synthetic study; CORES=$(CORES)"
	@echo "make qualification  every published study predicted and judged; reference tables below DATA=folder (docs/qualification.md)"
	@echo "make test       setup, then the tests (unit, contract, workflow); PYTEST_ARGS='-k word'"
	@echo "make lint       style, types, workflow"
	@echo "make reference  tests against other programs and the reference data beside the checkout"
	@echo "make property   2,000 random models through both engines"
	@echo "make bench      measurements of speed and size"
	@echo "make calibration  synthetic twins: coverage, agreement with NUTS, SBC (a day; CASES=... TWINS=1000 NUTS=50 SBC=200)"
	@echo "make population N synthetic people, three drugs, one week: exposures with intervals; N=$(N) (docs/exposures.md)"
	@echo "make slurm      the shipped study on a real SLURM of two nodes, one lost on the way; root, Debian; STUDY=small is shorter"
	@echo "make kill-tests runs killed at random moments, full disk, read-only results, two runs at once"
	@echo "make browser    every page of the demo report in headless Chromium: requests, figures, links, sizes, pictures"
	@echo "make lock       resolve requirements.in anew, rebuild envs/"
	@echo "make update-genes  gene tables from their open sources: fetched, or below SOURCE=folder (docs/gene-tables.md)"
	@echo "make audit      known vulnerabilities of the locked packages: pip-audit if installed, else an offline list"
	@echo "make fuzz       every parser of user files under a coverage-guided fuzzer (Linux); SECONDS=180 a parser, two at once"
	@echo "make reads      adds WhatsHap, for read-backed phasing (paths.alignments)"
	@echo "make nonmem     adds pharmpy, for NONMEM control streams (pharmtwin import-nonmem; docs/nonmem.md)"
	@echo "make slurm-plugin  adds Snakemake's executor for SLURM (docs/cluster-admin.md)"
	@echo "make clean      remove the environment, caches and the results of the demo (other results stay)"

python-in-range:
	@why=$$($(PYTHON) -c "import sys" 2>&1) || { \
	  echo "make: no usable Python called '$(PYTHON)'. Install Python 3.11, 3.12 or 3.13, or name it: PYTHON=/path/to/python3.12 make ..." >&2; \
	  echo "$$why" >&2; exit 1; }
	@$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else 'make: %s is Python %d.%d, but PharmTwin needs 3.11, 3.12 or 3.13. Name another one: PYTHON=python3.12 make ...' % ((sys.executable,) + v))"

setup: python-in-range $(STAMP)

$(STAMP): | python-in-range
	@set -e; \
	want=$$($(PYTHON) -c "import sys; print('%d.%d' % sys.version_info[:2])"); \
	have=$$($(VENV)/bin/python -c "import sys; print('%d.%d' % sys.version_info[:2])" 2>/dev/null || echo none); \
	uv=$$(command -v uv || true); \
	if [ "$$want" != "$$have" ]; then \
	  echo "setup: new environment $(VENV), Python $$want$${uv:+, by uv}"; \
	  base=$$($(PYTHON) -c "import os, sys; print(getattr(sys, '_base_executable', None) or os.path.realpath(sys.executable))"); \
	  rm -rf $(VENV); \
	  if [ -n "$$uv" ]; then "$$uv" venv --quiet --python "$$base" $(VENV); else "$$base" -m venv $(VENV); fi; \
	fi; \
	rm -f $(VENV)/.lock-*; \
	if [ -n "$$uv" ]; then \
	  "$$uv" pip sync --quiet --compile-bytecode --python $(VENV)/bin/python --require-hashes $(WHEELS) requirements.lock; \
	  "$$uv" pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .; \
	else \
	  $(VENV)/bin/python -m pip --version >/dev/null 2>&1 || $(VENV)/bin/python -m ensurepip --upgrade >/dev/null; \
	  echo "setup: installing the locked packages with pip (a few minutes; uv on the path is faster)"; \
	  $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes $(WHEELS) -r requirements.lock; \
	  $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .; \
	fi; \
	touch $@; \
	echo "setup: ready ($(VENV))"

demo: setup
	$(RUN) snakemake --cores $(CORES)
	@echo
	@echo "Synthetic study finished. The report: results/demo/report/index.html"

DATA ?= ../shared/data/pbpk
qualification: setup
	@test -d "$(DATA)" || { echo "make: no folder $(DATA) of reference tables; name it: make qualification DATA=folder" >&2; exit 1; }
	$(RUN) snakemake qualification --cores $(CORES) --config qualification='{data: "$(DATA)"}'

# the whole runs beside the others, one process each; 5: PYTEST_ARGS chose none of these
test: setup
	@mkdir -p .cache; \
	$(RUN) python -m pytest tests/workflow $(PYTEST_ARGS) > .cache/workflow-tests.log 2>&1 & workflow=$$!; \
	trap 'kill $$workflow 2>/dev/null' INT TERM; \
	$(RUN) python -m pytest tests/unit tests/contract tests/fuzz $(PYTEST_ARGS); others=$$?; \
	echo "tests of whole runs:"; wait $$workflow; runs=$$?; cat .cache/workflow-tests.log; \
	case "$$others $$runs" in "0 0"|"0 5"|"5 0") ;; *) exit 1;; esac

lint: setup
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) snakefmt --check Snakefile rules
	$(RUN) snakemake --lint

reference: peers
	$(RUN) python -m pytest tests/reference $(PYTEST_ARGS)

bench: peers
	$(RUN) python -m pytest tests/bench -s $(PYTEST_ARGS)
	$(RUN) python tests/bench/bench_engines.py
	$(RUN) python tests/bench/bench_intake.py
	$(RUN) python tests/bench/bench_sensitivity.py
	@if [ -d ../shared/data/pgx ]; then $(RUN) python tests/bench/bench_genome.py ../shared/data/pgx; fi

property: setup
	$(RUN) python -m pytest tests/property $(PYTEST_ARGS)

CASES ?= one_compartment amikacin whole_body
TWINS ?= 1000
NUTS ?= 50
SBC ?= 200
calibration: setup
	$(RUN) python scripts/maintenance/calibrate_twins.py --case $(CASES) --twins $(TWINS) --nuts $(NUTS) --sbc $(SBC) --out results/calibration

# root only; STUDY=small is the short one of the workflow tests
STUDY ?= demo
slurm: setup
	@command -v slurmctld >/dev/null && command -v munged >/dev/null || { \
	  [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null || { echo "make slurm: needs root, and slurm-wlm and munge (Debian)" >&2; exit 1; }; \
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends slurm-wlm munge; }
	$(RUN) PHARMTWIN_SLURM_STUDY=$(STUDY) python -m pytest tests/cluster -rs $(PYTEST_ARGS)

kill-tests: setup
	$(RUN) python -m pytest tests/kill -m kill $(PYTEST_ARGS)

# a synthetic population: N people, three drugs, one week, all exposures with intervals (docs/exposures.md)
N ?= 10000
POPULATION := .cache/population_$(N)
population: setup
	@test -f $(POPULATION)/config.yaml || { mkdir -p $(POPULATION); $(RUN) python scripts/maintenance/make_population_study.py --n $(N) --out $(POPULATION); }
	$(RUN) snakemake exposures --configfile $(POPULATION)/config.yaml --cores $(CORES)

browser: setup
	@test -f results/demo/report/index.html || { echo "make: no report yet; run 'make demo' first" >&2; exit 1; }
	@command -v chromium >/dev/null || { echo "make: chromium is not on the path" >&2; exit 1; }
	$(RUN) python scripts/maintenance/check_report.py results/demo/report results/browser

# optional extras, each with its own lock on top of requirements.lock; csscompressor has no wheel
EXTRA_WHEELS := --only-binary :all: --no-binary csscompressor

peers reads nonmem fuzz-tools slurm-plugin: setup
	@if command -v uv >/dev/null; then \
	  uv pip install --quiet --python $(VENV)/bin/python --require-hashes $(EXTRA_WHEELS) -r requirements-$(subst fuzz-tools,fuzz,$(@:-plugin=)).lock; \
	else \
	  $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes $(EXTRA_WHEELS) -r requirements-$(subst fuzz-tools,fuzz,$(@:-plugin=)).lock; \
	fi

lock:
	uv pip compile requirements.in --universal --python-version 3.11 --generate-hashes --no-header -o requirements.lock
	uv pip compile requirements-peers.in --universal --python-version 3.11 --generate-hashes --no-header -o requirements-peers.lock
	uv pip compile requirements-reads.in --universal --python-version 3.11 --generate-hashes --no-header -o requirements-reads.lock
	uv pip compile requirements-nonmem.in --universal --python-version 3.11 --generate-hashes --no-header -o requirements-nonmem.lock
	uv pip compile requirements-fuzz.in --universal --python-version 3.11 --generate-hashes --no-header -o requirements-fuzz.lock
	uv pip compile requirements-slurm.in --universal --python-version 3.11 --generate-hashes --no-header -o requirements-slurm.lock
	$(MAKE) setup
	$(RUN) python scripts/maintenance/build_envs.py

# SOURCE empty: the sources are fetched into .cache/gene-sources (needs the internet)
SOURCE ?=
update-genes: setup
	$(RUN) python scripts/maintenance/build_gene_tables.py $(if $(SOURCE),--data "$(SOURCE)")

audit: setup
	@if command -v pip-audit >/dev/null; then \
	  for lock in requirements*.lock; do echo "$$lock"; pip-audit --require-hashes --disable-pip -r $$lock || exit 1; done; \
	else $(RUN) python scripts/maintenance/audit.py; fi

SECONDS ?= 180
NAMES ?=
fuzz: fuzz-tools
	$(RUN) python -m tests.fuzz.run --seconds $(SECONDS) --at-once 2 $(NAMES)

clean:
	rm -rf $(VENV) results/demo results/browser results/fuzz .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src scripts tests -name __pycache__ -type d -prune -exec rm -rf {} +
