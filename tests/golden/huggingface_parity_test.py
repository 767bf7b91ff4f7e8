"""This network against PyTorch's T5 of Hugging Face: huggingface.npz.

The test marked `huggingface` gets the figures anew, where torch and
transformers can be imported.
"""

import functools
import pathlib

import flax
import huggingface_recipe as recipe
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill.model import config, network
from distill.model.decoding import beam_decode, greedy_decode, reorder_rows

FIGURES = np.load(pathlib.Path(__file__).parent / "huggingface.npz")
TOLERANCE = 1e-5
# A token may differ only where the two best are as close as this.
MARGIN = 1e-4


def figures(variant):
  names = ("logits", "greedy", "beams", "beam_scores")
  return {name: FIGURES[f"{variant}/{name}"] for name in names}


@functools.cache
def compute(variant):
  """Returns what this project computes, under the figures' names."""
  module = network.Transformer(config.T5Config(**recipe.VARIANTS[variant]))
  inputs, forced = recipe.batch(variant)
  tree = jax.eval_shape(
    lambda: module.init(jax.random.key(0), inputs, forced, forced)
  )
  flat = flax.traverse_util.flatten_dict(
    flax.linen.unbox(tree)["params"], sep="/"
  )
  params = flax.traverse_util.unflatten_dict(
    {name: recipe.weights(variant, name, x.shape) for name, x in flat.items()},
    sep="/",
  )

  @jax.jit
  def run(params, inputs, forced):
    def call(*args, method=None, **options):
      return module.apply({"params": params}, *args, method=method, **options)

    logits = call(inputs, forced, jnp.ones_like(forced), enable_dropout=False)
    cache = call(inputs, recipe.DECODED, method="start_decoding")

    def step(*args):
      return call(*args, method="decode_step")

    arguments = (step, cache, jnp.zeros(recipe.ROWS, bool), recipe.DECODED)
    greedy = greedy_decode(*arguments)
    beams = beam_decode(
      *arguments,
      num_decodes=recipe.BEAMS,
      alpha=0.0,
      as_hugging_face=True,
      reorder=lambda cache, chosen: cache._replace(
        own=reorder_rows(cache.own, chosen)
      ),
    )
    fed = jnp.pad(greedy.tokens[:, 0], ((0, 0), (1, 0)))[:, :-1]
    margins = call(inputs, fed, jnp.ones_like(fed), enable_dropout=False)
    best, second = jnp.moveaxis(jax.lax.top_k(margins, 2)[0], -1, 0)
    return {
      "logits": logits,
      "greedy": greedy.tokens[:, 0],
      "beams": beams.tokens,
      "beam_scores": beams.scores,
      "margins": best - second,
    }

  return jax.tree.map(np.asarray, run(params, inputs, forced))


def check(ours, theirs):
  """Compares all figures; returns the rows excused by their margin."""
  np.testing.assert_allclose(
    ours["logits"], theirs["logits"], rtol=0, atol=TOLERANCE
  )
  np.testing.assert_allclose(
    ours["beam_scores"], theirs["beam_scores"], rtol=0, atol=MARGIN
  )
  differs = ours["greedy"] != theirs["greedy"]
  # From a row's first differing token on, the two read different things.
  rows = np.flatnonzero(differs.any(axis=1))
  first = differs[rows].argmax(axis=1)
  assert np.all(ours["margins"][rows, first] < MARGIN)
  # Beams whose scores are as close as that may change places.
  close = np.diff(theirs["beam_scores"], axis=1) > -MARGIN
  swapped = (ours["beams"] != theirs["beams"]).any(axis=(1, 2))
  assert np.all(close[swapped].any(axis=1))
  return len(rows) + int(swapped.sum())


@pytest.mark.parametrize("variant", recipe.VARIANTS)
def test_logits_and_decodes_are_those_of_pytorch(variant):
  ours, theirs = compute(variant), figures(variant)
  assert check(ours, theirs) == 0, "the recipe's weights leave no close calls"
  # The figures themselves must tell: ends, and inputs that matter.
  assert (theirs["beams"] == recipe.EOS).any()
  assert len({row.tobytes() for row in theirs["greedy"]}) >= recipe.ROWS // 2


@pytest.mark.huggingface
@pytest.mark.parametrize("variant", recipe.VARIANTS)
def test_pytorch_gives_the_figures_again(variant):
  pytest.importorskip("torch", reason="needs torch and transformers")
  pytest.importorskip("transformers", reason="needs torch and transformers")
  import make_huggingface

  again = make_huggingface.run(variant)
  check(compute(variant), again)
  np.testing.assert_allclose(
    again["logits"], figures(variant)["logits"], rtol=0, atol=TOLERANCE
  )
