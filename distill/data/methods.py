"""The methods by name: what each trains on, and what it is scored on.

Every registered family has all of them. No framework is imported here, so that
lists and grids can be made from this table alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Method:
  """One way to make, or only to test, a student.

  Attributes:
    name: As on the command line and in tables.
    summary: What it learns from what, in a few words.
    train: What follows the family's name in the SeqIO task or mixture that it
      trains on; '' for a method that scores a given checkpoint.
    evaluate: The same for the task that it is scored on.
    needs_teacher: Whether training reads a cache of a teacher's answers.
    macros: Gin macros that it sets, by name.
    citation: Where it is from; '' for this project's own.
  """

  name: str
  summary: str
  train: str
  evaluate: str
  needs_teacher: bool = True
  macros: Mapping[str, object] = field(default_factory=dict)
  citation: str = ""


_HSIEH = "Hsieh et al. 2023, Distilling Step-by-Step"
_HO = "Ho et al. 2023, Fine-tune-CoT"
_LI = "Li et al. 2023, SCoTD"


def _step_by_step(
  kind: str,
  summary: str,
  citation: str = _HSIEH,
  macros: Mapping[str, object] | None = None,
) -> Method:
  """Returns a form of step-by-step, which is scored on labels alone."""
  name = f"step_by_step{kind}"
  suffixes = f"_{name}", "_label"
  return Method(
    name, summary, *suffixes, macros=macros or {}, citation=citation
  )


def _single(name: str, summary: str, citation: str) -> Method:
  """Returns a method that learns and is scored on one task of its name."""
  return Method(name, summary, f"_{name}", f"_{name}", citation=citation)


# What follows a family's name in its other tasks, which mixtures are made of.
PARTS = (
  *("_label_teacher", "_rationale", "_rationale_filler"),
  *("_rationale_permuted", "_rationale_repeated", "_rationale_shuffled"),
  "_rationale_wrong",
)

METHODS: dict[str, Method] = {
  method.name: method
  for method in (
    Method(
      *("finetune", "input → gold label", "_finetune", "_finetune"),
      needs_teacher=False,
    ),
    _single("teacher_label", "input → the teacher's label", _HSIEH),
    Method(
      *("zero_shot", "'question: ' input, no training", "", "_zero_shot"),
      needs_teacher=False,
      citation=_HO,
    ),
    Method(
      *("few_shot", "the teacher's prompt, no training", "", "_few_shot"),
      needs_teacher=False,
      citation="Wei et al. 2022, Chain-of-Thought Prompting",
    ),
    _step_by_step("", "labels and rationales as two tasks, 1:1"),
    _step_by_step("_teacher", "the same with the teacher's labels"),
    _step_by_step(
      "_paired",
      "the same with both views of each example in one batch",
      macros={"PACK": False},
    ),
    _single("cot", "rationale --> label, each right one a row", _HO),
    _single("cot_natural", "the same in the words of a sentence", _HO),
    _single("scotd", "one right rationale, drawn anew at each visit", _LI),
    _single("scotd_all", "every right rationale a row", _LI),
    _single("scotd_wrong", "every wrong rationale a row", _LI),
    _single("scotd_unfiltered", "every rationale a row, right or wrong", _LI),
    _single(
      "answer_first",
      "label, then the rationale that explains it",
      "Narang et al. 2020, WT5",
    ),
    Method(
      *("cot_unlikelihood", "cot, and wrong rationales unlearnt"),
      *("_cot_unlikelihood", "_cot"),
      citation="Welleck et al. 2020, Unlikelihood Training",
    ),
    _step_by_step("_shuffled", "control: rationales of others", ""),
    _step_by_step("_permuted", "control: tokens out of order", ""),
    _step_by_step("_filler", "control: one token, as many times", ""),
    _step_by_step("_repeated", "control: the label, repeated", ""),
  )
}


def split_name(task: str) -> tuple[str, str]:
  """Returns the dataset and the method in the name of a task or mixture.

  Both are '' where the name has no method's.
  """
  for method in sorted(METHODS.values(), key=lambda one: -len(one.train)):
    before, found, after = task.partition(method.train or method.evaluate)
    # Augmented mixtures have another dataset behind the method.
    if before and found and (not after or after.startswith("_")):
      return before, method.name
  return "", ""


def suffixes() -> set[str]:
  """Returns what follows a family's name in its tasks and mixtures."""
  named = {m.train for m in METHODS.values()}
  named |= {m.evaluate for m in METHODS.values()}
  return (named | {*PARTS}) - {""}
