# `make drive` and `make test` do all the set-up that is missing by themselves. ARGS is passed on to the program.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup drive train test safety-times lint format bench clean
ARGS ?=
# Tests wait for processes now and then: one more than there are cores. Each takes about 1 GB of memory.
WORKERS ?= $(shell n=$$(nproc); echo $$((n < 7 ? n + 1 : 8)))

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Set everything up: driving, training, tests
	@scripts/setup.sh test

drive: ## Drive the shipped bundle in the built-in simulator; writes out/drive/ (ARGS="--help" for options)
	@scripts/setup.sh drive
	@source env.sh && ros2 run wm_tools drive --output out/drive $(ARGS)

train: ## Make the shipped bundle from nothing, and benchmark it (ARGS="--gpu", ARGS="--help" for settings)
	@scripts/setup.sh train
	@source env.sh && PYTHONPATH="scripts:$$PYTHONPATH" python -m train_carracing $(ARGS)

test: ## Run the linter and every test (ARGS="tests/ros -k name" for some; WORKERS=0: one after the other)
	@scripts/setup.sh test
	@source env.sh && ruff check . && ruff format --check . && python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

safety-times: ## Measure the times from a fault to the brake against the documented ones, on an idle machine
	@scripts/setup.sh test
	@source env.sh && WM_STRICT_TIMES=1 python -m pytest -q -rP tests/ros/test_failsafe.py tests/ros/test_failsafe_endings.py

lint: ## Run the linter, and the formatter without writing
	@scripts/setup.sh test
	@source env.sh && ruff check . && ruff format --check .

format: ## Sort the imports and format the code
	@scripts/setup.sh test
	@source env.sh && ruff check --fix . && ruff format .

bench: ## Measure speed; writes out/bench/bench.json (ARGS="--help" for options)
	@scripts/setup.sh test
	@source env.sh && python -m benchmarks $(ARGS)

clean: ## Remove what set-up made (.venv, builds); data, runs and results stay
	rm -rf .venv .setup ros2_ws/build ros2_ws/install ros2_ws/log
