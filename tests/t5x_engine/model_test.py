"""The objectives on real T5X against this trainer's; all of it needs T5X."""

import flax
import gin
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import seqio

from distill import errors
from distill.model import config, encoder_decoder, network
from distill.model.objective import Objective

pytestmark = pytest.mark.t5x
pytest.importorskip("t5x", reason="T5X cannot be imported: docs/t5x.md")

SIZES = {
  "vocab_size": 16, "emb_dim": 8, "num_heads": 2, "num_encoder_layers": 1,
  "num_decoder_layers": 1, "head_dim": 4, "mlp_dim": 16, "dropout_rate": 0.0,
  "mlp_activations": ("gelu", "linear"), "logits_via_embedding": False,
  "float32_attention_logits": True,
}  # fmt: skip


def t5x_model(objective):
  from t5x import adafactor
  from t5x.examples.t5 import network as t5x_network

  from distill.t5x_engine import model

  vocabulary = seqio.ByteVocabulary()
  return model.EncoderDecoderModel(
    t5x_network.Transformer(t5x_network.T5Config(**SIZES)),
    *(vocabulary, vocabulary, adafactor.Adafactor(), objective),
    z_loss=0.01,
    label_smoothing=0.1,
  )


@pytest.mark.parametrize(
  ("objective", "named"),
  [
    (Objective(), set()),
    (Objective((1.0, 0.3, 0.7, 0.0)), {"loss/label", "loss/rationale"}),
    (Objective((1.0, 1.0, 1.0, 0.4)), {"loss/unlikelihood"}),
    (
      Objective((1.0, 0.5, 0.5, 0.0), per_example=True),
      {"loss/label", "loss/rationale"},
    ),
  ],
)
def test_loss_and_gradients_are_those_of_this_trainer(objective, named):
  rng = np.random.default_rng(0)
  real = np.arange(5) < np.array([[3], [5], [1], [0], [4], [2]])
  groups = np.array([[1], [2], [1], [2], [1], [2]])
  if objective.group_weights[3]:
    groups = np.array([[0], [3], [0], [3], [0], [3]])
  batch = {
    "encoder_input_tokens": rng.integers(1, 16, real.shape),
    "decoder_input_tokens": rng.integers(1, 16, real.shape) * real,
    "decoder_target_tokens": rng.integers(1, 16, real.shape) * real,
    "decoder_loss_weights": real.astype(np.int32),
    "decoder_loss_groups": groups * real,
  }
  batch = jax.tree.map(jnp.asarray, batch)
  ours = encoder_decoder.EncoderDecoderModel(
    network.Transformer(config.T5Config(**SIZES)),
    *(None, None, 0.01, 0.1, objective),
  )
  shapes = {name: rows.shape for name, rows in batch.items()}
  boxed = jax.jit(lambda key: ours.init(key, shapes))(jax.random.key(0))
  params = flax.linen.unbox(boxed)["params"]

  def loss(params):
    return ours.loss_fn(params, batch, ours.coefficients(batch), None)

  theirs = t5x_model(objective)
  found = jax.jit(
    jax.value_and_grad(lambda p: theirs.loss_fn(p, batch, None), has_aux=True)
  )(params)
  expected = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
    (found[0][0], found[1]),
    (expected[0][0], expected[1]),
  )
  assert {n for n in found[0][1] if n.startswith("loss/")} == named


def test_rows_of_several_targets_are_refused():
  gin.parse_config(
    """
    from __gin__ import dynamic_registration
    from distill.data import joined_targets
    joined_targets.share_inputs.wanted = True
    """
  )
  try:
    with pytest.raises(errors.UserError, match="one row") as error:
      t5x_model(Objective())
  finally:
    gin.clear_config()
  assert error.value.expected == "SHARE_INPUTS = False"


def test_a_schedule_of_alpha_is_refused_and_names_who_has_one():
  ends = (1.0, 0.5, 0.5, 0.0)
  objective = Objective(ends, final_group_weights=ends, steps=10)
  with pytest.raises(errors.UserError, match=r"distill\.train"):
    t5x_model(objective)
