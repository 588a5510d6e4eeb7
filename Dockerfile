# On a CPU:   docker build -t genlab .
# On a GPU:   docker build -t genlab --build-arg BASE=pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime .
# Training:   docker run --rm -v "$PWD/logs:/app/logs" -v "$PWD/data:/app/data" genlab model=gan     (on a GPU: --gpus all)
# Others:     docker run --rm -v "$PWD/logs:/app/logs" --entrypoint python genlab src/eval.py run=logs/train/runs/DATE_TIME
ARG BASE=python:3.11-slim
FROM ${BASE}

# Options of pip, such as the --index-url of PyTorch's wheels for the CPU, which are far smaller.
ARG TORCH_OPTIONS=""
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_BREAK_SYSTEM_PACKAGES=1
WORKDIR /app
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY configs configs
RUN pip install ${TORCH_OPTIONS} "torch>=2.6" torchvision && pip install -e .
ENTRYPOINT ["python", "src/train.py"]
