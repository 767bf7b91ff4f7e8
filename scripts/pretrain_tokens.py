"""Pretrains a T5.1.1 by span corruption on a NumPy file of tokens.

The file is a vector of ids (uint8, uint16 or int32), each text with its end of
sequence. Needs JAX, Flax, optax, Orbax, safetensors and this folder's
repository, but no TensorFlow, so that it runs on a bare machine with a GPU.
Saves its state in OUTPUT/state, from which the same command resumes, and at the
end a Hugging Face folder in bfloat16 in OUTPUT/model: an
INITIAL_CHECKPOINT_PATH.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
import sys
import time
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
from flax import linen, traverse_util

from distill import errors, flags
from distill.checkpoint_formats import huggingface, tensors
from distill.data.spans import Spans, spans_as_sentinels
from distill.model import losses
from distill.model.config import T5Config
from distill.model.network import Transformer
from distill.training import optimizers, schedules
from distill.training.step import compiler_options

_EOS = 1
_Z_LOSS = 1e-4
_LOG_PERIOD = 100


@dataclasses.dataclass(frozen=True)
class Recipe:
  """What is trained, and how.

  Attributes:
    vocab_size: Ids of the tokens, sentinels included.
    embeddings: Rows of the embedding, at least `vocab_size`.
    emb_dim: The width of the network.
    num_layers: Layers of the encoder, and of the decoder.
    num_heads: Attention heads.
    head_dim: The width of one head.
    mlp_dim: The width of the feed-forward layers.
    density: The share of the tokens that are lost.
    mean_span: The mean length of the lost spans, in tokens.
    inputs: Tokens of the inputs.
    targets: Tokens of the targets.
    steps: Steps to train.
    batch_size: Rows of a batch.
    learning_rate: Adafactor's, after the warm-up; it falls as 1 / √step.
    warmup_steps: Steps of the warm-up.
    seed: Seed of the weights and of the order of the text.
    dtype: 'float32', or 'bfloat16' for a GPU; weights are float32.
    save_period: Steps between saves of the state.
  """

  vocab_size: int = 259
  embeddings: int = 384
  emb_dim: int = 32
  num_layers: int = 2
  num_heads: int = 4
  head_dim: int = 16
  mlp_dim: int = 64
  density: float = 0.2
  mean_span: float = 4.0
  inputs: int = 96
  targets: int = 32
  steps: int = 4000
  batch_size: int = 32
  learning_rate: float = 0.01
  warmup_steps: int = 500
  seed: int = 0
  dtype: str = "float32"
  save_period: int = 500

  def network(self) -> Transformer:
    """Returns the network, without dropout."""
    return Transformer(
      T5Config(
        vocab_size=self.embeddings,
        dtype=self.dtype,
        emb_dim=self.emb_dim,
        num_heads=self.num_heads,
        num_encoder_layers=self.num_layers,
        num_decoder_layers=self.num_layers,
        head_dim=self.head_dim,
        mlp_dim=self.mlp_dim,
        mlp_activations=("gelu", "linear"),
        dropout_rate=0.0,
      )
    )

  def optimizer(self) -> optax.GradientTransformation:
    """Returns Adafactor with its schedule."""
    schedule = schedules.create_learning_rate_scheduler(
      "constant * linear_warmup * rsqrt_normalized_decay",
      self.learning_rate,
      self.warmup_steps,
    )
    return optimizers.adafactor()(schedule)

  def batch(self, tokens: np.ndarray, step: int) -> dict[str, np.ndarray]:
    """Returns `inputs` and `targets` of a step, which depend on it alone."""
    rng = np.random.default_rng([self.seed, step])
    spans = Spans(self.density, self.mean_span)
    lengths = {"inputs": self.inputs, "targets": self.targets}
    length = spans.piece_length(lengths)
    starts = rng.integers(0, len(tokens) - length + 1, self.batch_size)
    rows = tokens[starts[:, np.newaxis] + np.arange(length)].astype(np.int32)
    mask = spans.noise_mask(len(rows), length, rng)
    return {
      name: np.pad(
        spans_as_sentinels(rows, which, self.vocab_size),
        [(0, 0), (0, 1)],
        constant_values=_EOS,
      ).astype(np.int32)
      for name, which in (("inputs", mask), ("targets", ~mask))
    }


def train(recipe: Recipe, tokens: np.ndarray, folder: pathlib.Path) -> Any:
  """Trains or resumes, and returns the parameters.

  Args:
    recipe: What is trained.
    tokens: The text, a vector of ids.
    folder: Where the state is saved.
  """
  network, optimizer = recipe.network(), recipe.optimizer()

  def loss_of(params: Any, batch: dict[str, jax.Array]) -> jax.Array:
    targets = batch["targets"]
    shifted = jnp.pad(targets[:, :-1], [(0, 0), (1, 0)])
    logits = network.apply(
      {"params": params}, batch["inputs"], shifted, targets,
      enable_dropout=False,
    )  # fmt: skip
    return losses.token_losses(logits, targets, _Z_LOSS)[0].mean()

  @functools.partial(jax.jit, compiler_options=compiler_options())
  def step_of(state: Any, batch: dict[str, jax.Array]) -> tuple[Any, jax.Array]:
    loss, gradients = jax.value_and_grad(loss_of)(state["params"], batch)
    updates, optimizer_state = optimizer.update(
      gradients, state["optimizer"], state["params"]
    )
    params = optax.apply_updates(state["params"], updates)
    return {"params": params, "optimizer": optimizer_state}, loss

  def start() -> Any:
    first = jnp.ones((1, 4), jnp.int32)
    variables = network.init(jax.random.key(recipe.seed), *3 * [first])
    params = linen.unbox(variables["params"])
    return {"params": params, "optimizer": optimizer.init(params)}

  state = jax.jit(start)()
  options = ocp.CheckpointManagerOptions(
    max_to_keep=1, save_interval_steps=recipe.save_period
  )
  with ocp.CheckpointManager(folder.absolute(), options=options) as manager:
    done = manager.latest_step() or 0
    if done:
      state = manager.restore(done, args=ocp.args.StandardRestore(state))
    begun, since = time.monotonic(), []
    for step in range(done, recipe.steps):
      state, loss = step_of(state, recipe.batch(tokens, step))
      since.append(loss)
      last = step + 1 == recipe.steps
      if (step + 1) % _LOG_PERIOD == 0 or last:
        mean = float(np.mean(jax.device_get(since)))
        seconds = time.monotonic() - begun
        print(f"step {step + 1} loss {mean:.4f} {seconds:.0f} s", flush=True)
        since = []
      args = ocp.args.StandardSave(state)
      manager.save(step + 1, args=args, force=last)
  return state["params"]


def write_model(params: Any, folder: pathlib.Path) -> None:
  """Writes a Hugging Face folder with weights in bfloat16."""
  arrays = traverse_util.flatten_dict(jax.device_get(params), sep="/")
  weights = {
    name: tensors.in_memory(array, name).cast("bfloat16")
    for name, array in arrays.items()
  }
  checkpoint = tensors.Checkpoint(str(folder), "tokens", weights)
  folder.mkdir(parents=True, exist_ok=True)
  huggingface.write(checkpoint, folder, ("gelu", "linear"))


def main(argv: Sequence[str]) -> None:
  """Trains, and prints the folder and the checksum of its weights."""
  parser = flags.Parser("scripts/pretrain_tokens.py", description=__doc__)
  parser.add_argument("--tokens", required=True, help="the .npy file")
  parser.add_argument("--output", required=True, help="a folder")
  flags.add_fields(parser.add_argument, Recipe)
  options = parser.parse(argv)
  recipe = flags.from_flags(options, Recipe)
  output = pathlib.Path(options.output)
  tokens = np.load(options.tokens, mmap_mode="r")
  errors.require(
    "--tokens",
    options.tokens,
    tokens.ndim == 1 and tokens.max() < recipe.vocab_size,
    f"a vector of ids below --vocab_size={recipe.vocab_size}",
  )
  params = train(recipe, tokens, output / "state")
  write_model(params, output / "model")
  settings = json.dumps(dataclasses.asdict(recipe), indent=2)
  (output / "model" / "recipe.json").write_text(settings + "\n")
  weights = output / "model" / huggingface.WEIGHTS
  digest = hashlib.sha256(weights.read_bytes()).hexdigest()
  print(f"{weights}: {weights.stat().st_size:,} bytes, SHA-256 {digest}")


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
