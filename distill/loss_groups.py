"""Loss groups: which part of the loss each target token belongs to.

The data marks target tokens with a group, the model weighs the groups, and both
engines log them. A new group needs an entry here, a view in `data.methods`, the
macro of its weight in `gin_configs/macros/loss.gin`, and, if its loss is not
the cross-entropy, a function in `model.losses.GROUP_LOSSES`.
"""

from typing import NamedTuple


class LossGroup(NamedTuple):
  """A group of target tokens.

  Attributes:
    name: The name in metrics, such as `loss/label`.
    explains: Whether the tokens come from a teacher's rationales.
    weight: The default of the macro NAME_WEIGHT; None for the label and the
      rationale, whose weights are ALPHA and 1 - ALPHA.
  """

  name: str
  explains: bool = False
  weight: float | None = None


NONE, LABEL, RATIONALE, UNLIKELIHOOD = range(4)
# Tokens of no group have no metric of their own.
GROUPS = {
  LABEL: LossGroup("label"),
  RATIONALE: LossGroup("rationale", explains=True),
  UNLIKELIHOOD: LossGroup("unlikelihood", explains=True, weight=0.5),
}
COUNT = 1 + len(GROUPS)
# Tokens that are given to the decoder: a task's prefix. They have no loss.
PREFIX = COUNT
# The weights of a plain mean over the tokens.
PLAIN = (1.0, *(float(group.weight is None) for group in GROUPS.values()))

# The SeqIO feature beside `targets`, and what a batch calls it.
FEATURE = "loss_groups"
MODEL_FEATURE = "decoder_loss_groups"
# The features of an example's second view have this in front of their names.
SECOND = "rationale_"
