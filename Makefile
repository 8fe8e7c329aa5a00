# The daily commands. `make run` and `make test` install what is missing first.
VENV ?= .venv
export VENV
BIN := $(VENV)/bin

.PHONY: run setup system test-system test chaos check format docs lock images clean

run: setup
	@$(BIN)/docuelevate serve

setup: system $(VENV)/.installed

system:
	@scripts/install-system run

$(VENV)/.installed: requirements.lock pyproject.toml
	@scripts/create-venv

test-system:
	@scripts/install-system test

test: test-system $(VENV)/.installed
	@$(MAKE) --no-print-directory check
	$(BIN)/pytest tests --ignore=tests/unit

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

lock:
	$(BIN)/uv pip compile pyproject.toml --all-extras --generate-hashes --no-emit-index-url --no-header --universal --python-version 3.11 --output-file requirements.lock

# Container images of all units; IMAGE_PREFIX and TAG name them (docs/images.md).
images:
	@scripts/build-images

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build *.egg-info
