# One stage, as a first Dockerfile often is: what was needed to build stays in the image.
# The secrets are optional: how apt and pip reach their servers from here, for the build only.
ARG BASE=python:3.11-slim
FROM ${BASE}
ARG APT_CONFIG=/run/secrets/apt.conf
ARG PIP_CONFIG_FILE=/run/secrets/pip.conf
RUN --mount=type=secret,id=apt.conf --mount=type=secret,id=ca.crt \
    apt-get update && \
    apt-get install --yes --no-install-recommends \
        gcc g++ git curl ffmpeg libgl1 libglib2.0-0 libgomp1 && \
    rm -rf /var/lib/apt/lists/*
COPY requirements.txt /app/
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.crt \
    pip install --no-cache-dir -r /app/requirements.txt
COPY . /app/
ENTRYPOINT ["python3", "/app/main.py"]
