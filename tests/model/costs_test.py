"""Parameters, FLOPs and activations: by hand, and by what JAX makes."""

import math
import re

import jax
import pytest
from flax import linen as nn

from distill import gin_run
from distill.model import costs, encoder_decoder, network
from distill.model.config import T5Config

SIZES = {
  "vocab_size": 11,
  "emb_dim": 8,
  "num_heads": 2,
  "num_encoder_layers": 1,
  "num_decoder_layers": 3,
  "head_dim": 3,
  "mlp_dim": 5,
  "mlp_activations": ("gelu", "linear"),
}
SMALL = T5Config(**SIZES)


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_by_hand(tied):
  config = T5Config(**{**SIZES, "logits_via_embedding": tied})
  # Attention has 4 · 8 · 6 weights a layer, feed-forward 3 · 8 · 5.
  encoder, decoder = 192 + 120, 3 * (2 * 192 + 120)
  norms, tables = (2 + 3 * 3 + 2) * 8, (1 if tied else 2) * 11 * 8
  biases = 2 * 32 * 2  # 32 buckets a head in each stack
  expected = encoder + decoder + norms + tables + biases
  assert costs.parameters(config) == expected
  tokens = jax.ShapeDtypeStruct((1, 1), "int32")
  init = network.Transformer(config).init
  made = jax.eval_shape(init, jax.random.key(0), tokens, tokens, tokens)
  assert sum(leaf.size for leaf in jax.tree.leaves(made)) == expected


@pytest.mark.parametrize(
  "path", sorted((gin_run.GIN_CONFIGS / "models").glob("*t5_*_*.gin")), ids=str
)
def test_parameters_of_a_model_file_are_those_of_its_header(path):
  text = path.read_text()
  fields = {
    name: int(number)
    for name, number in re.findall(r"^  (\w+) = (\d+)$", text, re.MULTILINE)
  }
  if fields:
    fields.setdefault("vocab_size", 32128 if "t5_1_1" in path.name else 384)
    config = T5Config(**fields, mlp_activations=("gelu", "linear"))
    assert f"{costs.parameters(config):,} parameters" in text


def test_flops_by_hand():
  # Attention 4 · 8 · 6 = 192 weights a layer, feed-forward 3 · 8 · 5 = 120.
  encoder = 2 * (192 + 120) + 2 * 3 * 2 * 8 * 6  # own, and the decoder's keys
  decoder = 2 * 3 * (6 * 8 * 6 + 120) + 2 * 8 * 11
  assert costs.forward_flops(SMALL, 7, 2) == (
    # Two products of 6 · 7 multiplications and additions a head and token.
    7 * (encoder + 4 * 6 * 7) + 2 * (decoder + 3 * 4 * 6 * (7 + 2))
  )


def kept(config, rows):
  """Returns the bytes of the arrays that the gradient keeps."""
  model = encoder_decoder.EncoderDecoderModel(
    network.Transformer(config), None, None
  )
  shapes = {
    "encoder_input_tokens": (rows, 6),
    "decoder_input_tokens": (rows, 4),
    "decoder_target_tokens": (rows, 4),
    "decoder_loss_weights": (rows, 4),
    "decoder_loss_groups": (rows, 4),
  }

  def pull_back(batch, weights):
    params = nn.unbox(model.init(jax.random.key(0), shapes)["params"])

    def loss(params):
      return model.loss_fn(params, batch, weights, jax.random.key(1))

    return jax.vjp(loss, params, has_aux=True)[1]

  batch = {n: jax.ShapeDtypeStruct(s, "int32") for n, s in shapes.items()}
  weights = jax.ShapeDtypeStruct((rows, 4), "float32")
  arrays = jax.tree.leaves(jax.eval_shape(pull_back, batch, weights))
  return sum(math.prod(a.shape) * a.dtype.itemsize for a in arrays)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32"])
def test_activations_are_what_the_gradient_of_one_more_row_keeps(dtype):
  config = T5Config(**{**SIZES, "num_decoder_layers": 1}, dtype=dtype)
  found = costs.activation_bytes(config, 6, 4)
  assert found == kept(config, 2) - kept(config, 1)


@pytest.mark.parametrize("policy", ["minimal", "full"])
def test_with_remat_the_gradient_keeps_less_and_one_layer_is_added(policy):
  """The layer is that of the decoder, which keeps more."""
  config = T5Config(**SIZES, dtype="bfloat16", remat_policy=policy)
  whole = T5Config(**SIZES, dtype="bfloat16")
  fewer = T5Config(**{**SIZES, "num_decoder_layers": 2}, dtype="bfloat16")
  every = costs.activation_bytes(whole, 6, 4)
  layer = every - costs.activation_bytes(fewer, 6, 4)
  found = costs.activation_bytes(config, 6, 4)
  assert found - layer == kept(config, 2) - kept(config, 1)
  assert found < every


def test_flops_of_remat_by_hand():
  """One layer of the encoder, three of the decoder; see `SIZES`."""
  minimal = T5Config(**SIZES, remat_policy="minimal")
  pairs = 7 * 7 + 3 * 2 * (7 + 2)
  # Two products of 6 multiplications and additions.
  assert costs.recomputed_flops(minimal, 7, 2) == 4 * 6 * pairs
  full = T5Config(**SIZES, remat_policy="full")
  # Attention has four kernels of 8 · 6, feed-forward two of 8 · 5 before `wo`.
  encoder, keys_values, decoder = 192 + 80, 3 * 2 * 48, 3 * (6 * 48 + 80)
  assert costs.recomputed_flops(full, 7, 2) == (
    4 * 6 * pairs + 2 * 7 * (encoder + keys_values) + 2 * 2 * decoder
  )
  assert costs.recomputed_flops(SMALL, 7, 2) == 0


def test_logits_in_chunks_by_hand():
  """Five targets in chunks of 2 are 6 positions, 8 features by 11 tokens."""
  again = costs.recomputed_flops(SMALL, 7, 5, chunk=2)
  forward = costs.forward_flops(SMALL, 7, 5)
  padded = 3 * forward + 4 * 2 * 8 * 11 * 6 - 3 * 2 * 8 * 11 * 5
  assert 3 * forward + again == padded
  assert costs.recomputed_flops(SMALL, 7, 5, chunk=5) == 0
  # Two float32 arrays of logits are held, of 2 positions in place of 5.
  whole = costs.activation_bytes(SMALL, 7, 5)
  chunk = costs.activation_bytes(SMALL, 7, 5, chunk=2)
  assert whole - chunk == 2 * 4 * 11 * (5 - 2)


def test_model_parallelism_splits_heads_feed_forward_and_logits_alone():
  whole = costs.activation_bytes(SMALL, 6, 4)
  halves = costs.activation_bytes(SMALL, 6, 4, split=2)
  no_wide = {"num_heads": 1, "head_dim": 1, "mlp_dim": 1, "vocab_size": 1}
  narrow = T5Config(**{**SIZES, **no_wide})
  never = costs.activation_bytes(narrow, 6, 4, split=10**9)
  assert whole / 2 < halves < whole
  assert halves - never == pytest.approx((whole - never) / 2)
