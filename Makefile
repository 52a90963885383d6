# Everything runs in a separate virtual environment, created from the lock file.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
DATA ?= $(POINTSMAN_DATA)
# The container engine, and the name of the image.
CONTAINER ?= $(notdir $(firstword $(foreach tool,docker podman,$(shell command -v $(tool)))))
IMAGE ?= localhost/pointsman
# A different summation order changes the bytes: training uses the kernels that every x86-64 machine
# with AVX2 has, on newer machines too.
KERNELS := OPENBLAS_CORETYPE=Haswell NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR"
# The comparison of P3: a default installation of gRPC.
STOCK := grpcio==1.85.1 'protobuf>=6.31.1,<8'
PEERS := lc-shift==0.1.1 local-llm-router==0.4.1 litellm==1.110.2

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint prose format stubs reference docs docs-serve lock train train-outcomes train-readers eval gates peers data-named bench \
  bench-litellm simulate chaos soak fuzz e2e \
  container container-check manifests dashboards sbom audit clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . --editable packages/pointsman-semantic
	@touch $@

setup: $(VENV)/.ready ## Make the virtual environment.

demo: setup ## Decide a dozen prompts with a real server, in a minute or two.
	@$(BIN)/python examples/demo.py

$(VENV)/.deploy: $(VENV)/.ready requirements/deploy.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/deploy.txt
	@touch $@

test: $(VENV)/.deploy ## Run every test, files at once on all cores.
	$(BIN)/pytest --numprocesses auto --dist loadfile

$(VENV)/.train: $(VENV)/.ready requirements/train.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/train.txt
	@touch $@

data-named:
	@test -d "$(DATA)" || { echo "no data sets: set DATA: make ... DATA=FOLDER (docs/local-engine.md)" >&2; exit 2; }

# Torch and the CUDA libraries that it demands: four gigabytes, apart from everything else.
READERS_VENV ?= build/readers-venv

$(READERS_VENV)/.ready: requirements/readers.txt
	$(PYTHON) -m venv $(READERS_VENV)
	$(READERS_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/readers.txt
	@touch $@

SEMANTIC := packages/pointsman-semantic/pointsman_semantic

train: train-outcomes train-readers ## Rebuild all artefacts of the embedded engine (DATA=FOLDER).

train-outcomes: data-named $(VENV)/.train ## Rebuild the artefact of exam outcomes, byte for byte (DATA=FOLDER).
	$(KERNELS) $(BIN)/python -m training.train --data "$(DATA)" $(if $(OUT),--out "$(OUT)")

train-readers: data-named $(READERS_VENV)/.ready ## Train the readers with torch: 80 minutes on two cores (DATA=FOLDER).
	PYTHONPATH=.:server:protos $(READERS_VENV)/bin/python -m training.effort.train --data "$(DATA)" --semantic $(SEMANTIC)

eval: data-named $(VENV)/.train ## Measure the embedded engine on held-out prompts (DATA=FOLDER).
	$(BIN)/python -m training.evaluate --data "$(DATA)" --out $(or $(OUT),build/benchmark)
	$(BIN)/python -m training.effort.evaluate --data "$(DATA)"

gates: data-named $(VENV)/.train ## Check the embedded engine against its bars (DATA=FOLDER).
	POINTSMAN_DATA="$(DATA)" $(BIN)/pytest tests/unit/engines/local

peers: data-named $(VENV)/.train ## Measure other offline routers on the same prompts (DATA=FOLDER).
	for peer in $(PEERS); do $(PYTHON) -m venv build/peers/$${peer%%=*} \
	  && build/peers/$${peer%%=*}/bin/pip install --quiet --disable-pip-version-check $$peer || exit 1; done
	$(BIN)/python -m training.peers --data "$(DATA)" \
	  $(foreach peer,$(PEERS),--peer $(firstword $(subst =, ,$(peer)))=build/peers/$(firstword $(subst =, ,$(peer)))/bin/python)

build/stock/.ready:
	$(PYTHON) -m venv build/stock
	build/stock/bin/pip install --quiet --disable-pip-version-check $(STOCK)
	@touch $@

bench: setup build/stock/.ready ## Measure the bars in three minutes (needs h2load); ROUNDS=15 for more, SHIPPED=PYTHON for P3.
	$(BIN)/python -m benchmarks $(if $(ROUNDS),--rounds $(ROUNDS)) --stock build/stock/bin/python \
	  $(if $(SHIPPED),--shipped $(SHIPPED))

build/litellm/.ready: requirements/litellm.txt
	$(PYTHON) -m venv build/litellm
	build/litellm/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/litellm.txt
	@touch $@

bench-litellm: setup build/litellm/.ready ## Measure P12: the same prompts to LiteLLM's preview endpoint; bench shows it.
	$(BIN)/python -m benchmarks $(if $(ROUNDS),--rounds $(ROUNDS)) --out build/bench-litellm --litellm build/litellm/bin/litellm

simulate: setup ## Simulate fleets of 1 to 1,000 replicas, the load of a node, and a day of agent traffic.
	$(BIN)/python -m benchmarks.simulate
	$(BIN)/python -m benchmarks.capacity
	$(BIN)/python -m benchmarks.agent_day

$(VENV)/.fuzz: $(VENV)/.ready requirements/fuzz.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/fuzz.txt
	@touch $@

fuzz: $(VENV)/.fuzz ## Fuzz every reader of external bytes: SECONDS=60 for each of TARGETS (all), SLOWEST=10 for an input.
	PYTHONPATH=tests $(BIN)/python -m fuzz.run --seconds $(or $(SECONDS),60) --slowest $(or $(SLOWEST),10) $(TARGETS)

soak: setup ## Load real servers and fail on growth: ten minutes, MINUTES=60 for an hour.
	$(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),10)

chaos: setup ## Test every fault under load; writes docs/reliability.md (needs redis-server, openssl, faketime, h2load).
	$(BIN)/pytest tests/chaos --chaos=long --chaos-table=docs/reliability.md

e2e: $(VENV)/.deploy ## Test the example gateways (Go, Node, Java, Rust), Envoy, LiteLLM and Jaeger.
	$(BIN)/pytest tests/e2e

lint: setup ## Check style, types, rooms, contract and stubs.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/python tools/stubs.py --check
	$(BIN)/python tools/transcoding.py --check
	$(BIN)/python tools/reference.py --check

prose: setup ## List prose that breaks the rules (PATHS=docs/client.md ...).
	$(BIN)/python tools/prose.py $(PATHS)

format: setup ## Format the code and the contract.
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/buf format --write

stubs: setup ## Generate Python stubs and Envoy's descriptors from the contract.
	$(BIN)/python tools/stubs.py
	$(BIN)/python tools/transcoding.py

reference: setup ## Generate docs/reference (contract, schema, settings) and the map of the rooms.
	$(BIN)/python tools/reference.py

DOCS_VENV ?= build/docs-venv

$(DOCS_VENV)/.ready: requirements/docs.txt
	$(PYTHON) -m venv $(DOCS_VENV)
	$(DOCS_VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/docs.txt
	@touch $@

docs: $(DOCS_VENV)/.ready ## Build the documentation site; every warning fails.
	$(PYTHON) tools/docs_site.py
	$(DOCS_VENV)/bin/zensical build --clean --strict
	$(PYTHON) tools/docs_site.py --check-built

docs-serve: docs ## Serve the site at http://localhost:8000; repeat after a change.
	$(DOCS_VENV)/bin/python -m http.server --bind 127.0.0.1 --directory build/docs/site 8000

lock: setup ## Resolve the lock files.
	for name in dev server; do $(BIN)/pip-compile --quiet --strip-extras --generate-hashes \
	  --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --extra server --extra redis --extra ext-proc --output-file requirements/$$name.txt pyproject.toml requirements/$$name.in; done
	for name in build train readers deploy fuzz envoy litellm sdks docs; do $(BIN)/pip-compile --quiet --strip-extras --generate-hashes \
	  --allow-unsafe --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
	  --output-file requirements/$$name.txt requirements/$$name.in; done

container: ## Build the image (CONTAINER=docker or podman, IMAGE=NAME, BUILD_FLAGS=...).
	BUILDAH_FORMAT=docker $(CONTAINER) build $(BUILD_FLAGS) --tag $(IMAGE) .

container-check: setup ## Run the image with all restrictions, and the demo against it.
	CI=true CONTAINER=$(CONTAINER) IMAGE=$(IMAGE) $(BIN)/pytest tests/container

HELM ?= helm

manifests: setup ## Write the Kubernetes manifests from the Helm chart (HELM=PATH of Helm 3).
	$(BIN)/python tools/manifests.py --helm "$(HELM)"

dashboards: $(VENV)/.deploy ## Write the Grafana dashboards.
	$(BIN)/python tools/dashboards.py

sbom: $(VENV)/.deploy ## Write build/sbom.json: the locked Python packages of the image, as CycloneDX.
	@mkdir -p build
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
	  --output-format JSON --output-file build/sbom.json requirements/server.txt

audit: $(VENV)/.deploy ## Look up known vulnerabilities of the locked packages (needs a network).
	$(BIN)/python tools/audit.py

clean: ## Remove everything that was built.
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
