"""Writes golden T5X checkpoints; needs T5X (cc342d4 was used).

python tests/golden/make_t5x_checkpoints.py

makes t5x_checkpoints.tar.xz beside it: each network of `VARIANTS` in T5X's
legacy format, in its single-file form and in Orbax's, with the logits that T5X
computes for `INPUTS` and `TARGETS`.
"""

import json
import os
import pathlib
import sys
import tarfile
import tempfile

ARCHIVE = pathlib.Path(__file__).parent / "t5x_checkpoints.tar.xz"
STEP = 7
SIZES = {
  "vocab_size": 16,
  "emb_dim": 8,
  "num_heads": 2,
  "num_encoder_layers": 2,
  "num_decoder_layers": 3,
  "head_dim": 3,
  "mlp_dim": 12,
}
GATED = {"mlp_activations": ("gelu", "linear")}
VARIANTS = {
  "untied": GATED,
  "tied": {"mlp_activations": ("relu",), "logits_via_embedding": True},
  "scanned": GATED,
}
INPUTS = [[5, 9, 3, 1, 0], [2, 4, 6, 8, 1]]
TARGETS = [[7, 3, 5, 1], [9, 9, 2, 1]]


def shifted(targets):
  return [[0, *row[:-1]] for row in targets]


def train_state(variant):
  """Returns T5X's model, partitioner and state of a variant."""
  import jax
  import numpy as np
  import seqio
  from flax import core
  from t5x import adafactor, models, partitioning, utils
  from t5x.examples.scalable_t5 import network as scalable
  from t5x.examples.t5 import network

  source = scalable if variant == "scanned" else network
  sizes = {**SIZES, **VARIANTS[variant], "dropout_rate": 0.0}
  model = models.EncoderDecoderModel(
    source.Transformer(source.T5Config(**sizes, dtype="float32")),
    seqio.ByteVocabulary(),
    seqio.ByteVocabulary(),
    adafactor.Adafactor(
      decay_rate=0.8,
      logical_factor_rules=adafactor.standard_logical_factor_rules(),
    ),
  )
  # On CPUs T5X takes any number of partitions for that of all devices.
  partitioner = partitioning.PjitPartitioner(
    num_partitions=None, model_parallel_submesh=(1, 1, 1, 1)
  )
  shapes = {
    "encoder_input_tokens": np.shape(INPUTS),
    "decoder_input_tokens": np.shape(TARGETS),
    "decoder_target_tokens": np.shape(TARGETS),
  }
  initializer = utils.TrainStateInitializer(
    model.optimizer_def, model.get_initial_variables, shapes, partitioner
  )
  state = initializer.from_scratch(jax.random.PRNGKey(3))
  if variant == "scanned":
    # Its layers have biases of their own; equal ones are T5's.
    params = core.unfreeze(state.params)
    for stack in ("encoder", "decoder"):
      bias = params[stack][stack]["relpos_bias"]
      first = bias["rel_embedding"][:, :1]
      bias["rel_embedding"] = first.repeat(bias["rel_embedding"].shape[1], 1)
    state = state.replace_params(core.freeze(params))
  return model, initializer, partitioner, state.replace_step(STEP)


def write(folder, variant):
  import jax
  import jax.numpy as jnp
  import numpy as np
  from flax import serialization
  from t5x import checkpoints

  model, initializer, partitioner, state = train_state(variant)
  abstract = initializer.global_train_state_shape
  for name in ("legacy", "orbax", "single"):
    (folder / f"{variant}_{name}").mkdir()
  legacy = checkpoints.Checkpointer(
    abstract, partitioner, str(folder / f"{variant}_legacy")
  )
  legacy.save(state)
  orbax = checkpoints.OrbaxCheckpointManagerInterface(
    str(folder / f"{variant}_orbax"), abstract, partitioner
  )
  orbax.save(state)
  orbax.wait_until_finished()
  contents = {"version": 3, "optimizer": state.state_dict()}
  (folder / f"{variant}_single" / "checkpoint").write_bytes(
    serialization.msgpack_serialize(jax.tree.map(np.asarray, contents))
  )
  logits = model.module.apply(
    {"params": state.params},
    jnp.array(INPUTS),
    jnp.array(shifted(TARGETS)),
    jnp.array(TARGETS),
    enable_dropout=False,
  )
  return np.asarray(logits).tolist()


def main():
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    golden = {variant: write(folder, variant) for variant in VARIANTS}
    (folder / "logits.json").write_text(json.dumps(golden))
    with tarfile.open(ARCHIVE, "w:xz") as archive:
      for path in sorted(folder.iterdir()):
        archive.add(path, path.name)
  print(f"{ARCHIVE}: {os.path.getsize(ARCHIVE):,} bytes")


if __name__ == "__main__":
  sys.exit(main())
