"""Targets of one input in one row: the loss and gradients of rows of their own.

Label and rationale are such targets, and several rationales.

The rows come from the feature converter, and the steps run on eight devices, in
microbatches, against one device and one row for each target.
"""

import functools

import gin
import jax
import numpy as np
import optax
import pytest
import tensorflow as tf
from step_test import build
from tiny_models import devices, t5_model

from distill.data import joined_targets
from distill.data.feature_converters import LossGroupFeatureConverter
from distill.loss_groups import LABEL, PREFIX, RATIONALE
from distill.model import encoder_decoder, objective

EXAMPLES, ROWS = 32, 16
GIN = """
from __gin__ import dynamic_registration
from distill.data import {module}
{module}.{setting}
"""
SETTINGS = {
  "pairs": ("prefixes", "prefix_side.side = 'decoder'"),
  "rationales": ("joined_targets", "share_inputs.wanted = True"),
}


@pytest.fixture(autouse=True)
def gin_is_cleared():
  yield
  gin.clear_config()


def tokens(rng, least, most):
  return [*rng.integers(2, 16, rng.integers(least, most + 1)).tolist(), 1]


def pairs():
  """Returns inputs, labels and rationales in tokens; one in four lacks one."""
  rng = np.random.default_rng(0)
  found = []
  for number in range(EXAMPLES):
    label, rationale = [3, 4, *tokens(rng, 1, 3)], [5, *tokens(rng, 2, 6)]
    example = {
      "inputs": tokens(rng, 2, 5),
      "targets": label,
      "loss_groups": [PREFIX] * 2 + [LABEL] * (len(label) - 2),
      "rationale_inputs": [],
      "rationale_targets": rationale,
      "rationale_loss_groups": [PREFIX] + [RATIONALE] * (len(rationale) - 1),
    }
    if number % 4 == 3:  # Only its prefix and the end: no rationale.
      example |= {
        "rationale_targets": [5, 1],
        "rationale_loss_groups": [PREFIX, RATIONALE],
      }
    found.append(example)
  return found


def dataset(content):
  spec = dict.fromkeys(content[0], tf.TensorSpec([None], tf.int32))
  if "is_last" in spec:
    spec["is_last"] = tf.TensorSpec([], tf.bool)
  return tf.data.Dataset.from_generator(lambda: content, output_signature=spec)


def batch(rows, lengths, count, pack=False):
  """Returns the rows as a batch, with rows of padding up to `count`."""
  converted = LossGroupFeatureConverter(pack=pack)(rows, lengths)
  found = list(converted.as_numpy_iterator())
  assert count // 2 < len(found) <= count
  stacked = {name: np.stack([row[name] for row in found]) for name in found[0]}
  return {
    name: np.pad(array, ((0, count - len(found)), (0, 0)))
    for name, array in stacked.items()
  }


def pairs_apart():
  """Returns a row for each target of the pairs."""
  rows = []
  for example in pairs():
    for view in ("", "rationale_"):
      if len(example[f"{view}targets"]) > 2:
        rows.append(
          {
            "inputs": example["inputs"],
            "targets": example[f"{view}targets"],
            "loss_groups": example[f"{view}loss_groups"],
          }
        )
  return rows


def rationales_apart():
  """Returns a row for each of the one to three targets of an input."""
  rng = np.random.default_rng(1)
  rows = []
  for number in range(EXAMPLES):
    inputs, group = tokens(rng, 2, 5), (LABEL, RATIONALE)[number % 2]
    count = 1 + number % 3
    for place in range(1, count + 1):
      targets = tokens(rng, 1, 3)
      groups = [group] * len(targets)
      row = {"inputs": inputs, "targets": targets, "loss_groups": groups}
      rows.append(row | {"is_last": place == count})
  return rows


def apart(kind):
  """Returns a batch with a row for each target."""
  rows = pairs_apart() if kind == "pairs" else rationales_apart()
  rows = [
    {name: row[name] for name in row if name != "is_last"} for row in rows
  ]
  return batch(dataset(rows), {"inputs": 6, "targets": 8}, 2 * EXAMPLES)


def together(kind, pack):
  """Returns a batch with a row for each example, or for about two."""
  module, setting = SETTINGS[kind]
  gin.parse_config(GIN.format(module=module, setting=setting))
  joined = (
    joined_targets.join_pairs(dataset(pairs()))
    if kind == "pairs"
    else joined_targets.join_rows(dataset(rationales_apart()))
  )
  if pack:
    lengths = {"inputs": 20, "targets": 50 if kind == "pairs" else 26}
    return batch(joined, lengths, ROWS, pack=True)
  return batch(joined, {"inputs": 6, "targets": 14}, EXAMPLES)


def gradients(rows, count=1, microbatches=1):
  """Returns the loss, and the parameters after a step along the gradient."""
  model = encoder_decoder.EncoderDecoderModel(
    *(t5_model().module, None, None),
    objective=objective.Objective((1.0, 0.7, 0.3), "sequence"),
  )
  compiled, start, sharded, rng = build(
    model, optax.sgd(1.0), devices(count)(), rows, microbatches
  )
  after, metrics = compiled(start, sharded, rng)
  kept = ("loss", "tokens", "tokens/1", "loss/1", "loss/2", "correct/2")
  return jax.device_get((after.params, {name: metrics[name] for name in kept}))


@functools.cache
def reference(kind):
  return gradients(apart(kind))


@pytest.mark.parametrize(
  ("kind", "pack"),
  [
    pytest.param("pairs", False, marks=pytest.mark.long),
    ("pairs", True),
    ("rationales", False),
    pytest.param("rationales", True, marks=pytest.mark.long),
  ],
)
def test_a_shared_row_has_the_loss_and_gradients_of_rows_apart(kind, pack):
  expected, before = reference(kind), apart(kind)
  rows = together(kind, pack)
  found = gradients(rows, count=8, microbatches=2)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
    found,
    expected,
  )
  # Fewer inputs are encoded than there are targets.
  assert rows["encoder_input_tokens"].size < before["encoder_input_tokens"].size
