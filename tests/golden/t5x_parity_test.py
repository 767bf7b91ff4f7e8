"""This trainer against figures that real T5X gave: t5x.json and t5x.npz.

The test marked `t5x` gets them anew from T5X, where it can be imported.
"""

import json
import pathlib

import flax
import jax
import numpy as np
import pytest
import t5x_recipe as recipe

from distill.model import config, network
from distill.model.decoding import Decoding
from distill.model.encoder_decoder import EncoderDecoderModel
from distill.model.objective import Objective
from distill.training import mesh, optimizers, schedules, state, step

FOLDER = pathlib.Path(__file__).parent
FIGURES = json.loads((FOLDER / "t5x.json").read_text())
TENSORS = np.load(FOLDER / "t5x.npz")
WAYS = {"greedy": Decoding(), "beam_4": Decoding("beam", num_decodes=4)}


def model_of(**options):
  return EncoderDecoderModel(
    module=network.Transformer(config.T5Config(**recipe.NETWORK)),
    input_vocabulary=None,
    output_vocabulary=None,
    z_loss=recipe.Z_LOSS,
    **options,
  )


def first_params(model):
  """Returns the recipe's parameters in this trainer's own tree."""
  shapes = {n: x.shape for n, x in recipe.batch(recipe.CASES[0], 0).items()}
  tree = jax.eval_shape(lambda: model.init(jax.random.key(0), shapes))
  boxed = flax.linen.unbox(tree)["params"]
  flat = flax.traverse_util.flatten_dict(boxed, sep="/")
  return {name: recipe.weights(name, x.shape) for name, x in flat.items()}


def nested(params):
  return flax.traverse_util.unflatten_dict(params, sep="/")


def train(case, decay_rate=0.8):
  """Returns the losses and the last parameters, by name."""
  model = model_of(objective=Objective(case.group_weights))
  schedule = schedules.create_learning_rate_scheduler(**recipe.SCHEDULE)
  optimizer = optimizers.adafactor(
    decay_rate=decay_rate, min_dim_size_to_factor=case.min_dim_size_to_factor
  )(schedule)
  params = jax.tree.map(jax.numpy.asarray, nested(first_params(model)))
  current = state.TrainState(jax.numpy.int32(0), params, optimizer.init(params))
  take_step = jax.jit(step.make_train_step(model, optimizer, schedule))
  losses = []
  with mesh.Partitioner(devices=jax.devices()[:1]).context():
    for number in range(recipe.STEPS):
      batch = recipe.batch(case, number)
      current, metrics = take_step(current, batch, jax.random.key(0))
      losses.append(float(metrics["loss"]))
  return losses, flax.traverse_util.flatten_dict(current.params, sep="/")


def distances(case, params):
  """Returns the greatest distance, relative to T5X's tensors and updates."""
  first = first_params(model_of())
  assert {f"{case.name}/{name}" for name in first} == {
    name for name in TENSORS if name.startswith(case.name + "/")
  }
  norm = np.linalg.norm
  wide = [], []
  for name, ours in params.items():
    theirs = TENSORS[f"{case.name}/{name}"].astype(np.float64)
    away = norm(np.asarray(ours, np.float64) - theirs)
    wide[0].append(away / norm(theirs))
    wide[1].append(away / norm(theirs - first[name]))
  return max(wide[0]), max(wide[1])


@pytest.mark.parametrize("case", recipe.CASES, ids=lambda case: case.name)
def test_training_is_that_of_t5x(case):
  losses, params = train(case)
  of_tensor, of_update = distances(case, params)
  print(f"{case.name}: {of_tensor:.1e} of tensors, {of_update:.1e} of updates")
  assert abs(losses[0] - FIGURES["losses"][case.name][0]) <= 1e-5
  np.testing.assert_allclose(losses, FIGURES["losses"][case.name], rtol=1e-5)
  assert of_tensor <= 1e-6
  assert of_update <= 1e-3


@pytest.mark.long
def test_another_optimizer_would_be_seen():
  case = recipe.CASES[0]
  _, params = train(case, decay_rate=0.79)
  assert distances(case, params)[1] > 1e-3


@pytest.mark.parametrize("way", WAYS)
def test_decodes_are_those_of_t5x(way):
  model = model_of(decoding=WAYS[way])
  decode = jax.jit(lambda p: model.decode_batch(p, recipe.prompts()))
  first = first_params(model)
  for start, ways in FIGURES["decodes"].items():
    last = {n: TENSORS.get(f"{start}/{n}") for n in first}
    decodes = decode(nested(first if start == "first" else last))
    assert decodes.tokens.tolist() == ways[way]["tokens"], start
    np.testing.assert_allclose(decodes.scores, ways[way]["scores"], rtol=1e-5)


@pytest.mark.t5x
def test_t5x_still_gives_these_figures():
  pytest.importorskip("t5x", reason="T5X cannot be imported: docs/t5x.md")
  import make_t5x

  numbers, tensors = make_t5x.figures()
  for case in recipe.CASES:
    np.testing.assert_allclose(
      numbers["losses"][case.name], FIGURES["losses"][case.name], rtol=1e-5
    )
    params = {n: tensors[f"{case.name}/{n}"] for n in first_params(model_of())}
    assert distances(case, params)[0] <= 1e-6
  for start, ways in FIGURES["decodes"].items():
    for way, decodes in ways.items():
      found = numbers["decodes"][start][way]
      assert found["tokens"] == decodes["tokens"]
      np.testing.assert_allclose(found["scores"], decodes["scores"], rtol=1e-5)
