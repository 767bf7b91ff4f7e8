"""Tiny networks of each kind, with random weights that lie on this host."""

import functools

import jax
import ml_dtypes
import numpy as np
import optax
from flax import traverse_util

from distill.checkpoint_formats import tensors
from distill.model import config, encoder_decoder, network
from distill.training import mesh, state

TIED = {"mlp_activations": ("relu",), "logits_via_embedding": True}
UNTIED = {"mlp_activations": ("gelu", "linear")}
VARIANTS = {"tied": TIED, "untied": UNTIED}


def t5_config(**changes):
  sizes = {
    "vocab_size": 16, "emb_dim": 8, "num_heads": 2, "num_encoder_layers": 2,
    "num_decoder_layers": 3, "head_dim": 3, "mlp_dim": 12, "dropout_rate": 0.0,
  }  # fmt: skip
  return config.T5Config(**{**sizes, **UNTIED, **changes})


@functools.cache
def model(t5):
  return encoder_decoder.EncoderDecoderModel(
    network.Transformer(t5), None, None
  )


def abstract_params(t5, **axes):
  """Returns shapes, types and shardings of a network's parameters."""
  lengths = {"encoder_input": 5, "decoder_input": 4, "decoder_target": 4}
  shapes = {f"{name}_tokens": (8, size) for name, size in lengths.items()}
  partitioner = mesh.Partitioner(**axes)
  return state.abstract_state(
    model(t5), optax.identity(), partitioner, shapes
  ).params


def random_params(t5, dtype="float32", seed=0):
  rng = np.random.default_rng(seed)
  kind = {"bfloat16": ml_dtypes.bfloat16}.get(dtype, dtype)
  return jax.tree.map(
    lambda leaf: rng.normal(size=leaf.shape).astype(kind), abstract_params(t5)
  )


def checkpoint(t5, dtype="float32"):
  return of_params(random_params(t5, dtype))


def of_params(params, path="memory"):
  """Returns a tree of parameters on this host as a checkpoint."""
  arrays = {
    name: tensors.in_memory(np.asarray(array), f"{path}: {name}")
    for name, array in flat(params).items()
  }
  return tensors.Checkpoint(path, "parameters in memory", arrays)


def flat(params):
  return traverse_util.flatten_dict(params, sep="/")


def bits(checkpoint):
  """Returns each array of a checkpoint with its type, bit for bit."""
  read = {name: t.read() for name, t in checkpoint.tensors.items()}
  return {n: (a.dtype.name, a.shape, a.tobytes()) for n, a in read.items()}
