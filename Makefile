# What a developer types. Every target brings its own virtual environment up to date first (packaging/venv).
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help demo test test-bed soak coverage check format proto bed

PACKAGES := guardian_agent guardian_aggregator guardian_ctl guardian_toml

help: ## this list
	@echo "make TARGET [ARGS='…']"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST)

demo: ## break a small web server three ways and watch it heal (ARGS='--once --json'); needs no root
	@packaging/venv agent,aggregator,ctl
	@.venv/bin/guardianctl demo $(ARGS)

test: dev ## all tests, those on real hosts last; these need root and are skipped, with a line, without it
	@PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/pytest -rs $(ARGS)

test-bed: dev ## every test on real hosts, all faults among them (as root; about half an hour)
	@.venv/bin/pytest -rs -m 'bed and not soak' $(ARGS)

soak: dev ## what takes longer than five minutes (as root, some hours; GUARDIAN_SOAK_MINUTES=10 for each test)
	@.venv/bin/pytest -rs -m soak $(ARGS)

coverage: dev ## measure what Guardian does about every fault, and write docs/coverage.md (as root; about half an hour)
	@.venv/bin/python -m tests.bed.coverage measure
	@.venv/bin/python -m tests.bed.coverage write

check: dev ## style, types and who imports whom
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy $(PACKAGES:%=-p %)
	@.venv/bin/mypy tests
	@.venv/bin/lint-imports

format: dev ## put the code in the house style
	@.venv/bin/ruff check --fix .
	@.venv/bin/ruff format .

proto: dev ## generate the protobuf code again
	@cd proto && ../.venv/bin/python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. --grpc_python_out=. \
		guardian_proto/v1/*.proto
	@rm proto/guardian_proto/v1/types_pb2_grpc.py proto/guardian_proto/v1/records_pb2_grpc.py

bed: dev ## boot a hub and N=2 real Debian hosts to play with (as root; ARGS='status', 'exec h1 COMMAND', 'down', …)
	@.venv/bin/python -m tests.bed $(or $(ARGS),up -n $(or $(N),2))

.PHONY: dev
dev:
	@packaging/venv agent,aggregator,ctl,dev
