# Training and export, with ROS 2 from wheels: no ROS installation, torch in its CUDA build. docker/README.md.
#
#   docker build -t wm-train -f docker/training.Dockerfile .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="wm-train" org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1001 driver
WORKDIR /wm-drive
COPY requirements requirements
COPY scripts scripts
COPY tools tools
COPY ros2_ws ros2_ws
COPY config config
COPY launch launch
COPY models models
COPY env.sh Makefile ./
# PIP_COMPILE: the user of the image cannot write byte code later.
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_COMPILE=1
RUN scripts/setup.sh train
COPY docker docker
RUN mkdir -p data runs out && chown -R driver:driver data runs out models
USER 1001
ENV PYTHONUNBUFFERED=1
ENTRYPOINT ["/wm-drive/docker/entrypoint.sh"]
CMD ["ros2", "run", "wm_training", "train", "--help"]
