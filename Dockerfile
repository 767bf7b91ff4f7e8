# An image with the `distill` command. The tests do not build it.
#
#   docker build --tag distill .
#   docker build --tag distill --build-arg JAX="jax[cuda12]" .   # NVIDIA GPUs
#   docker build --tag distill --build-arg JAX="jax[tpu]" .      # Cloud TPU
#   docker run --volume $PWD:/data distill list
FROM python:3.11-slim
ARG JAX=jax
COPY . /source
RUN pip install --no-cache-dir --constraint /source/constraints.txt \
  /source "${JAX}" && rm -r /source
ENV DISTILL_DATA_DIR=/data/caches DISTILL_RAW_DATA_DIR=/data/raw
WORKDIR /data
ENTRYPOINT ["distill"]
