"""The side of the model that reads the prefix of a step-by-step task.

A prefix such as '[label] ' stands in front of the input, or its tokens are the
first tokens of the target: `PREFIX_SIDE`. On the decoder's side they are given
(they have no loss and are not decoded), and label and rationale have the same
input, so that one example with both targets is encoded once.
"""

import gin
import seqio

from distill.data import vocabulary
from distill.errors import require

SIDES = ("input", "decoder")


@gin.register
def prefix_side(side: str = "input") -> str:
  """Returns `side`, to which gin binds the macro PREFIX_SIDE.

  Raises:
    UserError: It is not one of `SIDES`.
  """
  expected = " or ".join(map(repr, SIDES))
  require("PREFIX_SIDE", side, side in SIDES, expected)
  return side


def on_decoder() -> bool:
  """Returns whether prefixes are read by the decoder, by gin at this moment."""
  return gin.get_configurable(prefix_side)() == "decoder"


def before_input(prefix: str) -> str:
  """Returns what stands in front of the input: the prefix, or ''."""
  return "" if on_decoder() else prefix


def before_target(prefix: str) -> list[int]:
  """Returns the tokens that stand in front of the target: none, or the prefix.

  Raises:
    UserError: Gin names no vocabulary, or its file cannot be read.
  """
  if not prefix or not on_decoder():
    return []
  return list(vocabulary.ModelVocabulary().encode(prefix))


def input_forms(provider: seqio.Task | seqio.Mixture) -> dict[str, str]:
  """Returns what each task makes of an input, which `…` stands for.

  A paired task has its two views under two names. Tasks without a preprocessor
  that has the method `forms` are left out.
  """
  return {
    ", ".join(filter(None, (task.name, view))): form
    for task in seqio.get_subtasks(provider)
    for step in task.preprocessors
    if hasattr(step, "forms")
    for view, form in step.forms().items()
  }
