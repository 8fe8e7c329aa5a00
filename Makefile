# The daily commands. `make run` and `make test` install what is missing first.
VENV ?= .venv
export VENV
BIN := $(VENV)/bin

.PHONY: run setup system test-system test test-state test-parts e2e-cluster chaos check format docs lock images clean

run: setup
	@$(BIN)/docuelevate serve

setup: system $(VENV)/.installed

system:
	@scripts/install-system run

$(VENV)/.installed: requirements.lock pyproject.toml
	@scripts/create-venv

test-system:
	@scripts/install-system test
	@scripts/install-tools

# Two halves of about the same length, side by side. What each prints comes when it ends.
test: test-system $(VENV)/.installed
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target test-state test-parts

STATE := tests/app tests/contract tests/chaos

test-state: $(VENV)/.installed
	$(BIN)/pytest $(STATE)

test-parts: check
	$(BIN)/pytest tests --ignore=tests/unit $(STATE:%=--ignore=%)

# On a real cluster, the one that KUBECONFIG names: tests/cluster/README.md says what it needs.
e2e-cluster: $(VENV)/.installed
	$(BIN)/python -m tests.cluster

# Every fault that the tests know, everywhere; `make test` tries some of each.
chaos: test-system $(VENV)/.installed
	$(BIN)/pytest tests/chaos --chaos=full

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest tests/unit

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.installed
	$(BIN)/python scripts/configuration.py > docs/configuration.md

# knative/ from the chart, and what the chart takes from the code and tells of itself. Needs helm.
manifests: $(VENV)/.installed
	PYTHONPATH=. $(BIN)/python scripts/chart_variables.py > helm/variables.new
	mv helm/variables.new helm/docuelevate/files/variables.yaml
	$(BIN)/python scripts/chart_readme.py > helm/readme.new
	mv helm/readme.new helm/docuelevate/README.md
	$(BIN)/python scripts/manifests.py

lock:
	$(BIN)/uv pip compile pyproject.toml --all-extras --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --output-file requirements.lock

# Container images of all units; IMAGE_PREFIX and TAG name them (docs/images.md).
images:
	@scripts/build-images

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
