"""Writes t5x.json and t5x.npz: what real T5X computes from `t5x_recipe.py`.

  PYTHONPATH=T5X:AIRIO:JESTIMATOR python tests/golden/make_t5x.py --commit=HASH

with clones of the three at the commits that docs/t5x.md names. Without dropout,
in float32, on one CPU device.
"""

import argparse
import json
import pathlib

import flax
import jax
import jax.numpy as jnp
import numpy as np
import seqio
import t5x_recipe as recipe
from t5x import adafactor, models, train_state, trainer, utils
from t5x.examples.t5 import network

from distill.model.decoding import Decoding
from distill.model.objective import Objective
from distill.t5x_engine import model as t5x_model

BEAM = Decoding(method="beam", num_decodes=4, alpha=0.6)
FOLDER = pathlib.Path(__file__).parent


def build(case, decoding=None):
  """Returns T5X's model: its own, or with two groups this project's."""
  vocabulary = seqio.ByteVocabulary()
  arguments = {
    "module": network.Transformer(network.T5Config(**recipe.NETWORK)),
    "input_vocabulary": vocabulary,
    "output_vocabulary": vocabulary,
    "optimizer_def": adafactor.Adafactor(
      decay_rate=0.8,
      logical_factor_rules=adafactor.standard_logical_factor_rules(),
      min_dim_size_to_factor=case.min_dim_size_to_factor,
    ),
    "z_loss": recipe.Z_LOSS,
  }
  if decoding:
    return t5x_model.EncoderDecoderModel(**arguments, decoding=decoding)
  if len(set(case.group_weights)) == 1:
    factor = "NUM_REAL_TARGET_TOKENS"
    return models.EncoderDecoderModel(
      **arguments, loss_normalizing_factor=factor
    )
  return t5x_model.EncoderDecoderModel(
    **arguments, objective=Objective(case.group_weights)
  )


def flat(params):
  tree = flax.traverse_util.flatten_dict(flax.core.unfreeze(params), sep="/")
  return {name: np.asarray(value) for name, value in sorted(tree.items())}


def first_state(case, model):
  shapes = {name: x.shape for name, x in recipe.batch(case, 0).items()}
  variables = flax.core.unfreeze(
    model.get_initial_variables(jax.random.PRNGKey(0), shapes)
  )
  drawn = {
    name: jnp.asarray(recipe.weights(name, value.shape))
    for name, value in flat(variables["params"]).items()
  }
  variables["params"] = flax.traverse_util.unflatten_dict(drawn, sep="/")
  return train_state.FlaxOptimTrainState.create(
    model.optimizer_def, flax.core.freeze(variables)
  )


def train(case):
  """Returns the loss of every step and the parameters after the last."""
  model = build(case)
  state = first_state(case, model)
  schedule = utils.create_learning_rate_scheduler(**recipe.SCHEDULE)

  @jax.jit
  def step(state, batch):
    return trainer.train_with_lr(
      state,
      batch,
      learning_rate=schedule(state.step),
      dropout_rng=None,
      model=model,
      num_microbatches=None,
    )

  losses = []
  for number in range(recipe.STEPS):
    state, metrics = step(state, recipe.batch(case, number))
    losses.append(float(metrics["loss"].compute_value().value))
  return losses, flat(state.params)


def decode(params, decoding):
  """Returns tokens [rows, decodes, length] and scores, the best first."""
  model = build(recipe.CASES[0], decoding)
  tokens, aux = model.predict_batch_with_aux(
    flax.traverse_util.unflatten_dict(params, sep="/"),
    recipe.prompts(),
    return_all_decodes=True,
  )
  return {
    "tokens": np.asarray(tokens)[:, ::-1].tolist(),
    "scores": np.asarray(aux["scores"], np.float64)[:, ::-1].tolist(),
  }


def both(params):
  return {"greedy": decode(params, Decoding()), "beam_4": decode(params, BEAM)}


def figures():
  """Returns the numbers, and the last parameters by case and name.

  The first parameters decode to long sequences, the last to short ones.
  """
  losses, tensors, decodes = {}, {}, {}
  for case in recipe.CASES:
    first = flat(first_state(case, build(case)).params)
    losses[case.name], last = train(case)
    tensors |= {f"{case.name}/{name}": x for name, x in last.items()}
    decodes |= {"first": both(first), case.name: both(last)}
  return {"losses": losses, "decodes": decodes}, tensors


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--commit", required=True, help="of T5X")
  commit = parser.parse_args().commit
  numbers, tensors = figures()
  np.savez_compressed(FOLDER / "t5x.npz", **tensors)
  record = {
    "t5x_commit": commit,
    "command": "python tests/golden/make_t5x.py --commit=" + commit,
    "versions": {m.__name__: m.__version__ for m in (jax, flax, np)},
    **numbers,
  }
  lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in record.items()]
  (FOLDER / "t5x.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
  main()
