"""Whether a checkpoint is of the network that is to hold it."""

import re
from collections.abc import Mapping
from typing import Any

from distill import errors
from distill.checkpoint_formats import huggingface_config, network_sizes
from distill.checkpoint_formats.tensors import Checkpoint

Shapes = Mapping[str, tuple[int, ...]]

_NAMED = 8


def check(
  checkpoint: Checkpoint,
  wanted: Shapes,
  config: Any = None,
  allow_missing: str | None = None,
) -> list[str]:
  """Returns the parameters that the checkpoint does not have, all permitted.

  Args:
    checkpoint: What is to be read.
    wanted: The network's parameters by T5X's name.
    config: The network's `T5Config`; None checks the parameters alone.
    allow_missing: Regular expression of names; a parameter that it matches in
      whole may be missing, have another shape, or be in the checkpoint alone.

  Raises:
    UserError: The checkpoint is of another network; all fields of the
      configuration that differ are named, and the parameters.
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
    # What shapes tell is then as it was permitted to be.
    told = network_sizes.sizes(wanted)
    fields = {k: v for k, v in fields.items() if k not in told}
  if wrong or fields:
    raise _other_network(checkpoint, wanted, found, wrong, fields)
  return [name for name in missing if name in wanted]


def check_constants(checkpoint: Checkpoint) -> None:
  """Checks that the checkpoint has the constants of T5X's network.

  Raises:
    UserError: It declares others, which T5X's formats cannot hold.
  """
  ours = huggingface_config.CONSTANTS
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
    # By default one that matches nothing.
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
  """Returns the network's and the checkpoint's value of fields that differ."""
  ours = network_sizes.sizes(wanted) | dict(huggingface_config.CONSTANTS)
  if config is not None:
    ours["mlp_activations"] = tuple(
      "silu" if name == "swish" else name for name in config.mlp_activations
    )
  theirs = network_sizes.sizes(found) | dict(checkpoint.declared)
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
