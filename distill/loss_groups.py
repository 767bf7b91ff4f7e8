"""Loss groups: which part of the loss each target token belongs to.

The data marks target tokens with a group, the model weighs the groups, and
both engines log them. A new group needs its number and name here, a view in
`data.methods`, a weight in `data.loss_weights`, and a gin macro.
"""

NONE, LABEL, RATIONALE, UNLIKELIHOOD = range(4)
# Tokens of no group have no metric of their own.
NAMES = {LABEL: "label", RATIONALE: "rationale", UNLIKELIHOOD: "unlikelihood"}
COUNT = 1 + len(NAMES)
# Groups whose tokens come from a teacher's rationales.
OF_RATIONALES = frozenset({RATIONALE, UNLIKELIHOOD})

# The SeqIO feature beside `targets`, and what a batch calls it.
FEATURE = "loss_groups"
MODEL_FEATURE = "decoder_loss_groups"
# The features of an example's second view have this in front of their names.
SECOND = "rationale_"
