# syntax=docker/dockerfile:1
# How to build and run it: docs/docker.md
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
# Extras to install; 0 leaves out what only models in this process need; where pip finds another
# build of PyTorch than its own.
ARG EXTRAS=llamacpp,postgresql,encrypted
ARG LOCAL_MODELS=1
ARG TORCH_INDEX=
ENV PATH=/opt/twofold/bin:$PATH PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
RUN python -m venv /opt/twofold
COPY pyproject.toml deploy/requirements.py ./
RUN --mount=type=cache,target=/root/.cache/pip \
    python requirements.py "$EXTRAS" "$LOCAL_MODELS" > requirements.txt \
    && pip install ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} -r requirements.txt
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip install --no-deps .

FROM python:${PYTHON}
# libgomp is what llama.cpp counts with; its version is that of the pinned Debian.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin twofold \
    && install -d -o twofold -g twofold -m 700 /data
COPY --from=build /opt/twofold /opt/twofold
ENV PATH=/opt/twofold/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/data/huggingface \
    MPLCONFIGDIR=/tmp/matplotlib \
    TWOFOLD_HOME=/data \
    TWOFOLD_METRICS_PORT=9464
USER 10001:10001
WORKDIR /data
VOLUME /data
# The first start fetches and converts models.
HEALTHCHECK --interval=60s --timeout=20s --start-period=15m --retries=3 \
    CMD ["twofold", "check", "--running"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["twofold"]
CMD ["run"]
