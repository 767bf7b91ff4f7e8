"""Loads the parameters of a checkpoint of any format onto the mesh."""

import concurrent.futures
import re
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from flax import traverse_util

from distill import errors
from distill.checkpoint_formats import huggingface_names
from distill.checkpoint_formats.tensors import Checkpoint, Index, Tensor

Shapes = Mapping[str, tuple[int, ...]]

# Arrays that are read at once: a store such as gs:// is slow to respond.
_READERS = 4
# Parameters that a message names.
_NAMED = 8
_QUERY = "encoder/layers_0/attention/query/kernel"
_OUT = "encoder/layers_0/mlp/wo/kernel"
_LOGITS = "decoder/logits_dense/kernel"


def load_params(
  checkpoint: Checkpoint,
  abstract_params: Any,
  config: Any = None,
  allow_missing: str | None = None,
) -> tuple[Any, list[str]]:
  """Returns the parameters of a checkpoint.

  Each host reads only the parts of an array that its own devices hold.

  Args:
    checkpoint: The result of `opening.open_checkpoint`.
    abstract_params: A tree of shapes, types and shardings.
    config: The network's `T5Config`; None compares only the parameters.
    allow_missing: See `check`.

  Returns:
    The parameters, with the types and shardings of `abstract_params`, and the
    names of those that are missing, which are None in the tree.

  Raises:
    UserError: The checkpoint is of another network, has numbers that are not
      finite, or cannot be read.
  """
  wanted = traverse_util.flatten_dict(abstract_params, sep="/")
  shapes = {name: tuple(leaf.shape) for name, leaf in wanted.items()}
  missing = check(checkpoint, shapes, config, allow_missing)
  with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
    reading = {
      name: pool.submit(_place, checkpoint.tensors[name], leaf)
      for name, leaf in wanted.items()
      if name not in missing
    }
    try:
      found = {name: future.result() for name, future in reading.items()}
    except BaseException:
      pool.shutdown(cancel_futures=True)
      raise
  found |= dict.fromkeys(missing)
  return traverse_util.unflatten_dict(found, sep="/"), missing


def _place(tensor: Tensor, leaf: Any) -> jax.Array:
  """Returns the array with the sharding and the type of `leaf`."""
  parts: dict[str, np.ndarray] = {}

  def part(index: Index) -> np.ndarray:
    # Devices that hold the same part share one reading of it.
    if str(index) not in parts:
      array = tensor.read_finite(index)
      parts[str(index)] = array.astype(leaf.dtype, copy=False)
    return parts[str(index)]

  return jax.make_array_from_callback(leaf.shape, leaf.sharding, part)


def check(
  checkpoint: Checkpoint,
  wanted: Shapes,
  config: Any = None,
  allow_missing: str | None = None,
) -> list[str]:
  """Checks that a checkpoint is of the network that is to load it.

  Args:
    checkpoint: The checkpoint.
    wanted: The shapes of the network's parameters by T5X's name.
    config: The network's `T5Config`; None compares only the parameters.
    allow_missing: A regular expression that matches whole names of parameters.
      These may be missing, have another shape, or be only in the checkpoint.

  Returns:
    The names of the network's parameters that are not loaded.

  Raises:
    UserError: The checkpoint is of another network. The message names all
      fields of the configuration and the parameters that differ.
  """
  permitted = _pattern(allow_missing)
  found = {name: t.shape for name, t in checkpoint.tensors.items()}
  unlike = [
    name
    for name in sorted(wanted.keys() | found.keys())
    if wanted.get(name) != found.get(name)
  ]
  missing = [name for name in unlike if permitted.fullmatch(name)]
  wrong = [name for name in unlike if not permitted.fullmatch(name)]
  fields = _fields(checkpoint, wanted, found, config)
  if missing and not wrong:
    # A permitted difference in shape is a permitted difference in size.
    inferred = sizes(wanted)
    fields = {k: v for k, v in fields.items() if k not in inferred}
  if wrong or fields:
    raise _other_network(checkpoint, wanted, found, wrong, fields)
  return [name for name in missing if name in wanted]


def check_constants(checkpoint: Checkpoint) -> None:
  """Checks that a checkpoint has the constants of T5X's network.

  Raises:
    UserError: It declares other constants. T5X's formats do not record them.
  """
  ours = huggingface_names.CONSTANTS
  theirs = {name: checkpoint.declared.get(name, ours[name]) for name in ours}
  other = {name: value for name, value in theirs.items() if value != ours[name]}
  if other:
    raise errors.UserError(
      f"The constants of '{checkpoint.path}' are not those of T5X's network.",
      expected=", ".join(f"{name} = {ours[name]!r}" for name in other),
      found=", ".join(f"{name} = {value!r}" for name, value in other.items()),
      remedy="keep it in Hugging Face's format",
    )


def _pattern(allow_missing: str | None) -> re.Pattern[str]:
  try:
    # The default matches nothing.
    return re.compile(allow_missing or r"(?!)")
  except re.error as error:
    raise errors.UserError(
      f"ALLOW_MISSING = {allow_missing!r} is not a regular expression.",
      expected="one such as 'decoder/logits_dense/.*'",
      found=str(error),
      remedy="correct ALLOW_MISSING",
    ) from error


def _fields(
  checkpoint: Checkpoint, wanted: Shapes, found: Shapes, config: Any
) -> dict[str, tuple[Any, Any]]:
  """Returns the fields that differ, with the network's value first."""
  ours = sizes(wanted) | dict(huggingface_names.CONSTANTS)
  if config is not None:
    ours["mlp_activations"] = tuple(
      "silu" if name == "swish" else name for name in config.mlp_activations
    )
  theirs = sizes(found) | dict(checkpoint.declared)
  return {
    name: (ours[name], theirs[name])
    for name in ours
    if name in theirs and ours[name] != theirs[name]
  }


def _other_network(
  checkpoint: Checkpoint,
  wanted: Shapes,
  found: Shapes,
  wrong: list[str],
  fields: Mapping[str, tuple[Any, Any]],
) -> errors.UserError:
  shown = wrong[:_NAMED]
  more = f" and {len(wrong) - len(shown)} more" if len(wrong) > _NAMED else ""

  def listed(side: int, shapes: Shapes) -> str:
    values = [f"{name} = {pair[side]!r}" for name, pair in fields.items()]
    values += [f"{name} {shapes.get(name, 'absent')}" for name in shown]
    return ", ".join(values) + more

  return errors.UserError(
    f"The checkpoint '{checkpoint.path}' ({checkpoint.format}) is of another "
    f"network: {len(fields)} fields of T5Config and {len(wrong)} parameters "
    "differ.",
    expected=listed(0, wanted),
    found=listed(1, found),
    remedy="include the checkpoint's model file, bind its T5Config fields, or "
    "permit parameters by name with --gin.ALLOW_MISSING=REGEX",
  )


def sizes(shapes: Shapes) -> dict[str, Any]:
  """Returns the fields of `T5Config` that can be inferred from shapes.

  Args:
    shapes: The shapes of the parameters by T5X's name.

  Returns:
    The sizes, and 'mlp_branches', the number of activations. Activations' names
    and settings that change no parameter cannot be inferred. A field is left
    out if its parameter is absent.
  """
  found: dict[str, Any] = {
    "num_encoder_layers": _layers("encoder", shapes),
    "num_decoder_layers": _layers("decoder", shapes),
    "logits_via_embedding": _LOGITS not in shapes,
    "mlp_branches": sum(
      re.fullmatch(r"encoder/layers_0/mlp/wi(_\d)?/kernel", name) is not None
      for name in shapes
    ),
  }
  embedding = shapes.get("token_embedder/embedding")
  if embedding:
    found["vocab_size"], found["emb_dim"] = embedding
  bias = shapes.get("encoder/relpos_bias/rel_embedding")
  if bias:
    found["num_heads"] = bias[0]
    if query := shapes.get(_QUERY):
      found["head_dim"] = query[1] // bias[0]
  if out := shapes.get(_OUT):
    found["mlp_dim"] = out[0]
  return found


def _layers(stack: str, names: Iterable[str]) -> int:
  numbers = [
    int(found[1])
    for name in names
    if (found := re.match(rf"{stack}/layers_(\d+)/", name))
  ]
  return max(numbers, default=-1) + 1
