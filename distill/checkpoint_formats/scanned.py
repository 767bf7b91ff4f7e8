"""Layers that T5X stacked, or wrote otherwise, as the network has them.

T5X's scalable_t5 scans over layers: 'encoder/encoder/…' stacks all of them
along one axis. It also keeps heads and their width apart, and has a position
bias in each layer, where this project's network has one a stack.
"""

import re
from collections.abc import Mapping

import numpy as np

from distill import errors
from distill.checkpoint_formats.tensors import Tensor

_STACKS = ("encoder", "decoder")
_BIAS = "relpos_bias/rel_embedding"


def unscanned(tensors: Mapping[str, Tensor], path: str) -> dict[str, Tensor]:
  """Returns the tensors with a name for each layer and joined heads.

  Args:
    tensors: By T5X's name, from any of its networks.
    path: The checkpoint's, for messages.

  Raises:
    UserError: The layers of a stack have different position biases.
  """
  unstacked: dict[str, Tensor] = {}
  for name, tensor in tensors.items():
    stacked = re.match(r"(encoder|decoder)/\1/", name)
    if not stacked:
      unstacked[name] = tensor
      continue
    axis = _layer_axis(tensors, stacked[1])
    for i in range(tensor.shape[axis]):
      layer = f"{stacked[1]}/layers_{i}/{name[stacked.end() :]}"
      unstacked[layer] = tensor.layer(axis, i)
  for stack in _STACKS:
    _share_bias(unstacked, stack, path)
  return {name: _joined(name, tensor) for name, tensor in unstacked.items()}


def _layer_axis(tensors: Mapping[str, Tensor], stack: str) -> int:
  """Returns the axis of the layers, 1 unless a norm's scale shows it is 0."""
  scale = tensors.get(f"{stack}/{stack}/pre_mlp_layer_norm/scale")
  embedding = tensors.get("token_embedder/embedding")
  if scale is None or embedding is None:
    return 1
  return 1 if scale.shape[0] == embedding.shape[1] else 0


def _share_bias(tensors: dict[str, Tensor], stack: str, path: str) -> None:
  """Replaces the biases of a stack's layers, if they are equal, by one."""
  names = [
    n for n in tensors if re.fullmatch(rf"{stack}/layers_\d+/{_BIAS}", n)
  ]
  if not names:
    return
  biases = [tensors.pop(name) for name in names]
  first = biases[0].read()
  for name, bias in zip(names, biases, strict=True):
    if not np.array_equal(bias.read(), first):
      raise errors.UserError(
        f"Each layer of '{path}' has a position bias of its own.",
        expected=f"one for the {stack}, as in T5 and mT5",
        found=f"{name} differs from {names[0]}, as in umT5",
        remedy="train it with T5X's scalable_t5; this network cannot hold it",
      )
  tensors[f"{stack}/{_BIAS}"] = biases[0]


def _joined(name: str, tensor: Tensor) -> Tensor:
  """Returns an attention kernel as a matrix."""
  if len(tensor.shape) != 3 or "attention/" not in name:
    return tensor
  return tensor.joined(0 if name.endswith("/out/kernel") else 1)
