# `make help` lists the targets.
.DEFAULT_GOAL := help
.PHONY: help setup explore train test test-all test-faults test-browser lint format data figures sweep bench results lock locked clean density2d

PYTHON ?= python3
BIN := .venv/bin
PYTEST = $(BIN)/pytest --numprocesses=auto --maxprocesses=4 --dist=loadscope
CHECK_PYTHON := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

setup: .venv/installed ## make .venv and install what training needs

explore: .venv/installed-explore ## open a page of faces, or of a run: make explore CHECKPOINT=runs/digits/...
	$(BIN)/python experiments/explore.py $(if $(CHECKPOINT),checkpoint="$(CHECKPOINT)")

train: setup ## train Glow on real digits, evaluate it, draw its figures (2 minutes on 2 cores)
	$(BIN)/python experiments/train.py experiment=digits

test: lint ## lint, check the types, and run the quick tests (5 minutes)
	$(PYTEST) --junitxml=build/tests.xml

test-all: lint ## the same, and the slow tests (15 minutes); the report goes to build/tests.xml
	$(PYTEST) -m "not faults and not browser" --junitxml=build/tests.xml

test-faults: .venv/installed-dev ## kill runs, fill disks, break files, and see that nothing is lost (20 minutes)
	$(BIN)/pytest -m faults --junitxml=build/faults.xml

test-browser: .venv/installed-dev ## test the page in Chromium, if there is one (1 minute)
	$(BIN)/pytest -m browser --junitxml=build/browser.xml

lint: .venv/installed-dev ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/installed-dev ## fix and format the code with ruff
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

data: setup ## decode a data set, check and summarize it: make data DATA=cifar10
	$(BIN)/python experiments/prepare_data.py data=$(or $(DATA),digits)

figures: setup ## draw samples, interpolations and levels of a run: make figures RUN=runs/digits/...
	@test -n "$(RUN)" || { echo "which run? make figures RUN=runs/digits/..."; exit 2; }
	$(BIN)/python experiments/sample.py checkpoint="$(RUN)"
	$(BIN)/python experiments/interpolate.py checkpoint="$(RUN)"
	$(BIN)/python experiments/levels.py checkpoint="$(RUN)"
	$(BIN)/python experiments/out_of_distribution.py checkpoint="$(RUN)"

sweep: setup ## the permutations of the paper's figure 3 on the digits, two seeds (10 minutes)
	$(BIN)/python experiments/train.py -m experiment=digits \
		model/permutation=reverse,shuffle,invconv seed=0,1

density2d: .venv/installed-sweep ## train nine flows on six densities on the plane: a sheet and a table (9 minutes)
	$(BIN)/python experiments/density2d.py -m hydra/launcher=local threads=1 steps=300 animation_frames=0 \
		features=64 target=two_moons flow=linear,planar,radial,nice,real_nvp,maf,spline
	$(BIN)/python experiments/density2d.py -m hydra/launcher=local threads=1 steps=300 animation_frames=0 \
		target=two_moons,checkerboard,rings,pinwheel,eight_gaussians,two_spirals \
		flow=linear,planar,radial,nice,real_nvp,maf,iaf,spline,continuous

bench: .venv/installed-bench ## measure time and memory next to a peer, and how fast batches load (10 minutes)
	$(BIN)/python experiments/bench.py
	$(BIN)/python experiments/bench_data.py

results: setup ## write the tables of experiments/README.md from experiments/results
	$(BIN)/python experiments/results.py

locked: .venv/bin/pip ## install the versions of requirements.lock instead of the newest
	$(BIN)/pip install --require-hashes -r requirements.lock
	$(BIN)/pip install --no-deps --no-build-isolation -e .
	touch .venv/installed .venv/installed-dev .venv/installed-explore

lock: .venv/installed-dev ## write the newest versions to requirements.lock
	$(BIN)/uv pip compile pyproject.toml --python $(BIN)/python --extra dev --extra sweep --extra fid --extra explore \
		--output-file requirements.lock --upgrade --generate-hashes --no-header --no-annotate --quiet

clean: ## remove .venv and build; runs and data stay
	rm -rf .venv build *.egg-info

.venv/bin/pip:
	@$(PYTHON) -c '$(CHECK_PYTHON)' || { echo "Glow needs Python 3.11 or newer, with its\
	 venv and ensurepip, but $(PYTHON) is not: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/pip pyproject.toml
	$(BIN)/pip install -e .
	@touch $@

.venv/installed-%: .venv/installed
	$(BIN)/pip install -e '.[$*]'
	@touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install -e '.[dev,sweep,fid,explore]'
	@touch $@
