#!/bin/sh
# Measures training, decoding and attention on one GPU, in under ten minutes.
#
# It makes build/gpu_env with the tested versions of JAX for CUDA 12, which
# needs Python 3.11 and some more minutes at the first start. PYTHON names
# another environment to use as it is. The flags are those of bench/gpu.py.
set -eu
cd "$(dirname "$0")/.."

if [ -z "${PYTHON:-}" ]; then
  PYTHON=build/gpu_env/bin/python
  if [ ! -e build/gpu_env/ready ]; then
    python3.11 -m venv --clear build/gpu_env
    "$PYTHON" -m pip install -q -c constraints.txt . "jax[cuda12]"
    touch build/gpu_env/ready
  fi
fi

PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}" exec "$PYTHON" bench/gpu.py "$@"
