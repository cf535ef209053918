# Every command of the project. All it needs is Linux, macOS or WSL, Python 3.11+, make and the package registries:
# the environment, Node and the browser libraries are made by the first target that wants them.
SHELL := bash
PYTHON ?= python3
PORT ?= 8000
PROFILE ?= quick
BUDGET ?= 60
# See gen_utils/__init__.py.
export GOMP_SPINCOUNT ?= 2000
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: book serve test check execute classifier widgets heights card lint benchmark scaling requirements stamp sbom clean
.DELETE_ON_ERROR:

book: .venv/installed book/_static/vendor/installed ## build the site from the committed notebooks
	jupyter-book build . --all -W -n --keep-going --quiet
	@echo "The book is in _build/html; 'make serve' shows it."

serve: book ## show the site on localhost
	python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

# Three workers, a thread each, take a file, or the files of a widget, at a time: one works while a browser waits.
WORKERS := -n 3 --dist loadfile --no-loadscope-reorder
test check: export OMP_NUM_THREADS ?= 1
test: .venv/installed node_modules/installed ## run every test and every notebook
	pytest --nbval $(WORKERS)

check: .venv/installed book/_static/vendor/installed ## run the tests that are not slow, and no notebook
	pytest -m "not slow" $(WORKERS)

execute: .venv/installed book/_static/vendor/installed ## train everything again and publish notebooks, weights and graphs together
	python tools/execute.py --profile $(PROFILE) $(NAMES)

classifier: .venv/installed ## train the classifier that judges samples and reads drawings, and publish its weights
	python tools/train_classifier.py

widgets: node_modules/installed ## bundle the widgets' JavaScript and CSS, and put it into the committed notebooks
	npm run --silent bundle
	python tools/refresh_widgets.py

heights: book ## measure the room that each widget takes in the site: the text below must not jump when it comes to life
	python tools/heights.py

card: .venv/installed ## draw the picture that links to the course show, with the shipped weights
	python tools/card.py

lint: node_modules/installed ## style of Python, notebooks, JavaScript and CSS, types of the package
	ruff check .
	ruff format --check .
	mypy
	npm run --silent lint

benchmark: _build/benchmark/installed book ## each model beside its peers (BUDGET=60, in seconds), then the pages
	_build/benchmark/bin/python -m benchmarks.run --budget $(BUDGET)
	python -m benchmarks.page

scaling: .venv/installed ## one process beside two: measure it again, and write it into book/scaling.md
	python -m benchmarks.scaling

requirements: .venv/installed ## pin the newest versions that pyproject.toml admits
	pip-compile --quiet --upgrade --extra book --extra test --strip-extras --no-annotate --no-header \
	    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host -o requirements.txt pyproject.toml
	sed -i.bak 's/^\(torch==[0-9.]*\)+cpu/\1/' requirements.txt && rm requirements.txt.bak  # the CPU build's own suffix is not on every index
	npm install --package-lock-only --ignore-scripts

export GITHUB_REPOSITORY GITHUB_SHA
stamp: ## before `make book`, write the address and the commit into what is published; publish.yml calls it
	python3 tools/repository.py

sbom: .venv/installed book/_static/vendor/installed ## list every package of pip and npm, with versions and licences
	python book/_ext/licences.py _build/sbom.cdx.json

clean: ## remove everything that these commands made
	rm -rf .venv _build node_modules book/_static/vendor *.egg-info

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet -r requirements.txt
	.venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

book/_static/vendor/installed: .venv/installed package.json package-lock.json tools/vendor.py
	npm ci --omit=dev --ignore-scripts --no-audit --no-fund
	python tools/vendor.py
	touch $@

# The tools of tests and widgets (axe, Lighthouse, esbuild, biome) beside the browser libraries.
node_modules/installed: book/_static/vendor/installed
	npm ci --ignore-scripts --no-audit --no-fund
	touch $@

# The peers' own environment: what they bring along must not reach .venv.
_build/benchmark/installed: benchmarks/requirements.txt benchmarks/requirements-alone.txt requirements.txt
	$(PYTHON) -m venv --clear _build/benchmark
	_build/benchmark/bin/python -m pip install --quiet -r benchmarks/requirements.txt -c requirements.txt
	_build/benchmark/bin/python -m pip install --quiet --no-deps -r benchmarks/requirements-alone.txt
	touch $@
