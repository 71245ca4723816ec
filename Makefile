# Everything sets itself up: a virtual environment in .venv, made again when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
EXAMPLE ?= examples/expenses/task.yaml
MODEL ?= starter

.DEFAULT_GOAL := help
.PHONY: help run test check torture format agentdojo docs clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: .venv/run.stamp  ## run the main example on the starter model (EXAMPLE=..., MODEL=...)
	@$(BIN)/agentkit models path $(MODEL) >/dev/null 2>&1 || $(BIN)/agentkit models pull $(MODEL)
	@$(BIN)/agentkit run $(EXAMPLE) --model $(MODEL)

test: .venv/dev.stamp  ## run the tests that need neither network nor model
	@$(BIN)/pytest -q

check: .venv/dev.stamp  ## everything the gate asks: lint, types, docs, package, one real run, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/mkdocs build --strict --quiet
	BIN=$(abspath $(BIN)) sh .ci/check-wheel
	$(MAKE) --no-print-directory run
	$(BIN)/pytest -q

torture: .venv/dev.stamp  ## 500 kills, full disks, lost power, many owners: prove that nothing is lost or done twice
	@AGENTKIT_TORTURE=500 $(BIN)/pytest -q -s -m "slow or not slow" --timeout 3600 tests/durability tests/journal

format: .venv/dev.stamp  ## format the code and mend what can be mended
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

agentdojo: .venv-agentdojo/stamp  ## replay AgentDojo's calls through the policy, without a model (takes minutes)
	@.venv-agentdojo/bin/python -m benchmarks.agentdojo_gate

docs: .venv/dev.stamp  ## write the command line's page and serve the documentation
	@$(BIN)/python tests/repo/cli_reference.py
	@$(BIN)/mkdocs serve

clean:  ## remove what was built, .venv included
	rm -rf .venv .venv-agentdojo build dist site .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info

# A stamp is written when its installation has gone through, so an interrupted one starts again.
.venv/run.stamp: pyproject.toml
	@$(PYTHON) -m venv .venv
	@echo 'Installing into .venv; llama-cpp-python is built from source, which takes minutes the first time.'
	$(BIN)/python -m pip install --quiet --editable '.[local]'
	@touch $@

# AgentDojo brings some 70 packages, none of which the project needs.
.venv-agentdojo/stamp: pyproject.toml
	@$(PYTHON) -m venv .venv-agentdojo
	.venv-agentdojo/bin/python -m pip install --quiet --editable . agentdojo==0.1.35
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	$(BIN)/python -m pip install --quiet --editable '.[local,dev]'
	@touch $@
