# `make run` starts the service, `make test` checks everything. Both make .venv first.

PYTHON ?= python3
BIN = .venv/bin
# How many tests run side by side. Many of them wait for a disk or a process: more than there are cores.
SIDE_BY_SIDE ?= $(shell echo $$(($$(nproc) * 2)))

# As a line in a .pth file, which Python reads 10 ms faster than setuptools' own finder: tests start it often.
EDITABLE = --config-settings editable_mode=compat --editable

.PHONY: run test quick lint types tests every-python bench etcd-messages dist sbom image deb format clean

run: .venv/run
	$(BIN)/monotron serve

test: lint types tests

# The loop while you write: the rules, the API and the stores, without what takes seconds or starts a process.
# They wait for little, so there are as many side by side as there are cores.
quick: .venv/test
	$(BIN)/pytest -q -n auto -m 'not long and not alone' tests/core tests/api tests/store

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/test
	$(BIN)/mypy

# The parts of the API that stand for all that a store is used for.
ON_ETCD = series semver retries history attributes build_numbers

tests: .venv/test
	$(BIN)/pytest -n $(SIDE_BY_SIDE) -m 'not alone' --cov --cov-report=
	MONOTRON_TEST_STORE=etcd $(BIN)/pytest -n $(SIDE_BY_SIDE) $(ON_ETCD:%=tests/api/test_%.py)
	$(BIN)/pytest -m alone --cov --cov-append --cov-report=term-missing:skip-covered
	@echo 'The rules and the API alone:'
	$(BIN)/coverage report --include='monotron/core/*,monotron/api/*' --skip-covered --fail-under=99

# The tests again, on each other Python that the machine has.
every-python: .venv/test
	SIDE_BY_SIDE=$(SIDE_BY_SIDE) $(BIN)/nox

bench: .venv/test
	$(BIN)/python -m bench.throughput

# The messages of etcd, from etcd.proto. grpcio-tools is needed for this alone, so no extra has it.
etcd-messages: | .venv
	$(BIN)/pip install --quiet grpcio-tools==1.74.0 --target build/grpcio-tools
	cd monotron/store/etcd && PYTHONPATH=$(CURDIR)/build/grpcio-tools $(CURDIR)/$(BIN)/python -m grpc_tools.protoc \
		-I . --python_out=. --pyi_out=. etcd.proto

# The sdist, and the wheel made from it, in dist. MONOTRON_SOURCE says where the repository is: see setup.py.
dist: .venv/test
	rm -rf dist
	$(BIN)/python -m build --no-isolation

# What the image and the Debian package are made of (SBOM, as CycloneDX), in build/monotron.cdx.json.
sbom: .venv/test
	rm -rf build/sbom
	$(PYTHON) -m venv --without-pip build/sbom
	$(BIN)/pip --python build/sbom/bin/python install --quiet --constraint constraints.txt '.[etcd]'
	# It would name this folder.
	find build/sbom -name direct_url.json -delete
	$(BIN)/cyclonedx-py environment $(SBOM) --output-file build/monotron.cdx.json build/sbom/bin/python

# Without times and random numbers, so that the same parts make the same file.
SBOM = --output-reproducible --output-format JSON --spec-version 1.6

# The image, with labels that say of which version and commit it is.
image:
	docker build --tag monotron \
		--label org.opencontainers.image.version=$(VERSION) \
		--label org.opencontainers.image.revision=$$(git rev-parse HEAD) \
		--label org.opencontainers.image.source=$(MONOTRON_SOURCE) .

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' monotron/__init__.py)

# The package for the Debian or Ubuntu that this runs on, in build.
deb: | .venv
	PIP=$(BIN)/pip deploy/debian/build.sh

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .nox .coverage build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv:
	# Half of one would be taken for whole the next time.
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/run: setup.cfg pyproject.toml constraints.txt | .venv
	$(BIN)/pip install --quiet --constraint constraints.txt $(EDITABLE) .
	touch $@

.venv/test: setup.cfg pyproject.toml constraints.txt | .venv
	$(BIN)/pip install --quiet --constraint constraints.txt $(EDITABLE) '.[test]'
	touch $@ .venv/run
