# Two stages: the compilers stay behind, the virtual environment comes along.
# The secrets are optional: how apt and pip reach their servers from here, for the build only.
ARG BASE=python:3.11-slim
FROM ${BASE} AS builder
ARG APT_CONFIG=/run/secrets/apt.conf
ARG PIP_CONFIG_FILE=/run/secrets/pip.conf
RUN --mount=type=secret,id=apt.conf --mount=type=secret,id=ca.crt \
    apt-get update && apt-get install --yes --no-install-recommends gcc g++ git
RUN python3 -m venv /venv
COPY requirements.txt /app/
RUN --mount=type=secret,id=pip.conf --mount=type=secret,id=ca.crt \
    /venv/bin/pip install --no-cache-dir -r /app/requirements.txt

FROM ${BASE}
ARG APT_CONFIG=/run/secrets/apt.conf
RUN --mount=type=secret,id=apt.conf --mount=type=secret,id=ca.crt \
    apt-get update && \
    apt-get install --yes --no-install-recommends curl ffmpeg libgl1 libglib2.0-0 libgomp1 && \
    rm -rf /var/lib/apt/lists/*
COPY --from=builder /venv /venv
ENV PATH=/venv/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
COPY . /app/
USER 1000:1000
ENTRYPOINT ["python3", "/app/main.py"]
