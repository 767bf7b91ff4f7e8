"""Reading the whole train state of this project's own checkpoint."""

from collections.abc import Mapping
from typing import Any

import jax
import orbax.checkpoint as ocp
from etils import epath
from flax import serialization

from distill import errors

STATE, DATA, BEST = "state", "data", "best"

NAME_FORMAT = ocp.path.step.standard_name_format(step_prefix="checkpoint")

_DIFFERENCES_NAMED = 5


def restore_tree(checkpoint: epath.Path, abstract: Any) -> Any:
  """Returns the part of a checkpoint's state that `abstract` describes.

  Args:
    checkpoint: A `checkpoint_<step>` folder.
    abstract: A `TrainState` of shapes and shardings.

  Raises:
    UserError: The checkpoint holds other names or shapes.
  """
  folder = checkpoint / STATE
  wanted = serialization.to_state_dict(abstract)
  saved = ocp.PyTreeCheckpointHandler().metadata(folder).tree
  _check_shapes(checkpoint, _shapes(wanted), _shapes(saved), set(wanted))
  with ocp.PyTreeCheckpointer() as reader:
    restored = reader.restore(
      folder,
      args=ocp.args.PyTreeRestore(
        wanted,
        restore_args=ocp.checkpoint_utils.construct_restore_args(wanted),
        partial_restore=True,
      ),
    )
  return serialization.from_state_dict(abstract, restored)


def read_json(checkpoint: epath.Path, item: str) -> dict[str, Any]:
  """Returns a checkpoint's item `DATA` or `BEST`."""
  with ocp.Checkpointer(ocp.JsonCheckpointHandler()) as reader:
    return reader.restore(checkpoint / item, args=ocp.args.JsonRestore())


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
  return {
    jax.tree_util.keystr(path, simple=True, separator="/"): tuple(leaf.shape)
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def _check_shapes(
  checkpoint: epath.Path,
  wanted: Mapping[str, tuple[int, ...]],
  saved: Mapping[str, tuple[int, ...]],
  parts: set[str],
) -> None:
  """Raises UserError that names the first parameters that differ."""
  saved = {k: v for k, v in saved.items() if k.split("/")[0] in parts}
  names = sorted(
    (
      name
      for name in wanted.keys() | saved.keys()
      if wanted.get(name) != saved.get(name)
    ),
    # Parameters first, and of these the ones that are in both.
    key=lambda name: (
      not name.startswith("params/"),
      name not in wanted or name not in saved,
      name,
    ),
  )
  if not names:
    return
  shown = names[:_DIFFERENCES_NAMED]

  def listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shapes.get(name, 'absent')}" for name in shown)

  raise errors.UserError(
    f"The checkpoint '{checkpoint}' is of another model or optimizer: "
    f"{len(names)} arrays differ.",
    expected=listed(wanted),
    found=listed(saved),
    remedy="use the gin file it was trained with, or another MODEL_DIR; "
    "nothing was changed",
  )
