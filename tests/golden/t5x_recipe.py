"""What both trainers are given in the golden runs, from NumPy alone.

RandomState's streams never change, so neither weights nor batches are stored.
"""

import dataclasses
import zlib

import numpy as np

NETWORK = {
  "vocab_size": 48,
  "emb_dim": 16,
  "num_heads": 2,
  "num_encoder_layers": 2,
  "num_decoder_layers": 2,
  "head_dim": 8,
  "mlp_dim": 24,
  "mlp_activations": ("gelu", "linear"),
  "dropout_rate": 0.0,
  "logits_via_embedding": False,
  "float32_attention_logits": True,
}
Z_LOSS = 1e-4
# The rate of runs/finetune.gin.
SCHEDULE = {
  "factors": "constant * linear_warmup",
  "base_learning_rate": 0.001,
  "warmup_steps": 4,
}
STEPS, ROWS, INPUTS, TARGETS = 20, 6, 12, 16
EOS = 1


@dataclasses.dataclass(frozen=True)
class Case:
  """One run: what is packed, weighed and factored in it."""

  name: str
  packed: bool
  group_weights: tuple[float, ...]
  # T5X's default of 128 factors nothing in so small a network.
  min_dim_size_to_factor: int


CASES = (
  Case("finetune", False, (1.0, 1.0, 1.0), 128),
  Case("step_by_step", True, (1.0, 0.7, 0.3), 8),
)


def weights(name, shape):
  """Returns a parameter's first value, by its path such as 'encoder/…'."""
  noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(
    shape
  )
  if name.endswith("scale"):
    values = 1 + 0.1 * noise
  elif name.endswith("kernel"):
    # Wide logits, so that decodes do not hang on a rounding.
    gain = 3.0 if "logits_dense" in name else 1.0
    values = gain * noise / np.sqrt(shape[0])
  else:
    values = noise
  return values.astype(np.float32)


def batch(case, step):
  """Returns the batch of a step, with T5X's keys, [rows, length] int32."""
  random = np.random.RandomState(1000 * CASES.index(case) + step)
  rows = [_row(random, 2 if case.packed else 1) for _ in range(ROWS)]
  features = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
  if not case.packed:
    del features["decoder_loss_groups"]
    for side in ("encoder", "decoder"):
      del features[f"{side}_segment_ids"], features[f"{side}_positions"]
  return features


def _row(random, examples):
  """Returns a row of `examples` examples, padded at its end."""
  row = {
    f"{side}_{name}": np.zeros(length, np.int32)
    for side, length, names in (
      ("encoder", INPUTS, ("input_tokens",)),
      (
        "decoder",
        TARGETS,
        ("input_tokens", "target_tokens", "loss_weights", "loss_groups"),
      ),
    )
    for name in (*names, "segment_ids", "positions")
  }
  ends = {"encoder": 0, "decoder": 0}
  for segment in range(1, examples + 1):
    group = random.randint(1, 3)
    for side, room in (("encoder", INPUTS), ("decoder", TARGETS)):
      length = random.randint(3, room // examples + 1)
      tokens = random.randint(3, NETWORK["vocab_size"], length).astype(np.int32)
      tokens[-1] = EOS
      here = slice(ends[side], ends[side] + length)
      ends[side] += length
      row[f"{side}_segment_ids"][here] = segment
      row[f"{side}_positions"][here] = np.arange(length)
      if side == "encoder":
        row["encoder_input_tokens"][here] = tokens
        continue
      row["decoder_target_tokens"][here] = tokens
      row["decoder_input_tokens"][here] = np.append(0, tokens[:-1])
      row["decoder_loss_weights"][here] = 1
      row["decoder_loss_groups"][here] = group
  return row


def prompts():
  """Returns the batch that is decoded: inputs, and the targets' length."""
  features = batch(CASES[0], STEPS)
  names = ("encoder_input_tokens", "decoder_input_tokens")
  return {name: features[name] for name in names}
