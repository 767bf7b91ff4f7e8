"""The methods by name, and the tasks of a family that they train and score.

Every registered family has all of them. `METHODS` names the task or mixture
that a method trains on and the task that it is scored on, by what follows the
family's name. `MIXTURES` has the parts of the mixtures, which come at equal
rates, and `views_of` has the source, preprocessors and metric of each task.

No framework is imported with this module, so that lists and grids can be made
from the tables only.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from distill import loss_groups
from distill.answers.rules import AnswerRule
from distill.data import metrics
from distill.data.examples import Dataset

if TYPE_CHECKING:
  from distill.data import views


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

  @property
  def label_share(self) -> float:
    """The share of its training rows that have a label in their targets."""
    two_rows = self.train in MIXTURES or self.train.endswith("_paired")
    return 0.5 if two_rows else 1.0


_HSIEH = "Hsieh et al. 2023, Distilling Step-by-Step"
_HO = "Ho et al. 2023, Fine-tune-CoT"
_LI = "Li et al. 2023, SCoTD"


def _step_by_step(
  kind: str,
  summary: str,
  citation: str = _HSIEH,
  macros: Mapping[str, object] | None = None,
) -> Method:
  """Returns a form of step-by-step, which is scored on labels only."""
  name = f"step_by_step{kind}"
  suffixes = f"_{name}", "_label"
  return Method(
    name, summary, *suffixes, macros=macros or {}, citation=citation
  )


def _single(name: str, summary: str, citation: str) -> Method:
  """Returns a method that learns and is scored on one task of its name."""
  return Method(name, summary, f"_{name}", f"_{name}", citation=citation)


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


_CONTROLS = ("shuffled", "permuted", "filler", "repeated")
MIXTURES: dict[str, tuple[str, str]] = {
  "_step_by_step": ("_label", "_rationale"),
  "_step_by_step_teacher": ("_label_teacher", "_rationale"),
  "_cot_unlikelihood": ("_cot", "_rationale_wrong"),
  **{
    f"_step_by_step_{kind}": ("_label", f"_rationale_{kind}")
    for kind in _CONTROLS
  },
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
  return named.union(*MIXTURES.values()) - {""}


@dataclass(frozen=True)
class Family:
  """A registered dataset: how it is asked about, judged and learnt.

  Attributes:
    dataset: Its rows.
    answer_rule: Judges the teacher's answers and the student's.
    prompt: Name or path of the teacher's prompt template.
    label: Which one label views learn: 'gold' or 'teacher'.
    label_prefix: Stands in front of the input (or of the target, see
      `prefixes`) where a label is asked for.
    rationale_prefix: The same for a rationale.
    rules: More answer rules that judge the student, by name.
  """

  dataset: Dataset
  answer_rule: AnswerRule
  prompt: str
  label: str = "gold"
  label_prefix: str = "[label] "
  rationale_prefix: str = "[rationale] "
  rules: Mapping[str, AnswerRule] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
  """What a task is made of.

  Attributes:
    steps: Its preprocessors.
    source: 'rows' of the dataset, 'answers' of the teacher to them, or 'all':
      every row, with its answers if it has any.
    scored: Whether predictions are judged.
    postprocess: Finds the answer in a prediction; None takes all of it.
    paired: Whether each example is two rows of a batch.
  """

  steps: "Sequence[views.Preprocessor]"
  source: str = "answers"
  scored: bool = True
  postprocess: Callable[..., object] | None = None
  paired: bool = False


def views_of(family: Family) -> dict[str, View]:
  """Returns the views of a family's tasks by what follows its name."""
  return {**_label_views(family), **_prefix_views(family), **_chain_views()}


def _label_views(family: Family) -> dict[str, View]:
  """Returns the views of labels only (Ho et al. 2023, table 8, for 'zs')."""
  from distill.data.views import (
    InPrompt,
    ToText,
    gold_label,
    in_tokens,
    teacher_label,
  )

  rule, prompt, question = family.answer_rule, family.prompt, "question: "
  none = loss_groups.NONE
  return {
    "_finetune": View(in_tokens(none, ToText(gold_label)), "rows"),
    "_teacher_label": View(in_tokens(none, ToText(teacher_label))),
    "_zero_shot": View(
      in_tokens(none, ToText(gold_label, question)),
      "rows",
      postprocess=metrics.answer_to(rule, question),
    ),
    "_few_shot": View(
      in_tokens(none, InPrompt(prompt), ToText(gold_label)),
      "rows",
      postprocess=metrics.answer_to(rule, prompt=prompt),
    ),
  }


def _prefix_views(family: Family) -> dict[str, View]:
  """Returns the tasks of step-by-step (Hsieh et al. 2023, 3.2)."""
  from distill.data import controls, joined_targets, views

  gold = family.label == "gold"
  label = views.gold_label if gold else views.teacher_label
  ask, explain = family.label_prefix, family.rationale_prefix

  def labels(targets: views.Targets, source: str = "answers") -> View:
    to_text = views.ToText(targets, task_prefix=ask)
    steps = views.in_tokens(loss_groups.LABEL, to_text, prefix=ask)
    return View(steps, source)

  def rationales(
    *others: views.Preprocessor,
    targets: views.Targets = views.rationale,
    tokens: Sequence[views.Preprocessor] = (),
  ) -> View:
    to_text = views.ToText(targets, task_prefix=explain, ask=True)
    steps = views.in_tokens(
      loss_groups.RATIONALE, to_text, *others, tokens=tokens, prefix=explain
    )
    return View(steps, scored=False)

  paired = views.in_tokens(
    loss_groups.LABEL, views.ToPairs(label, ask, explain), prefix=ask
  )
  second = views.AddLossGroup(
    loss_groups.RATIONALE, loss_groups.SECOND, explain
  )
  return {
    "_label": labels(label, "rows" if gold else "answers"),
    "_label_teacher": labels(views.teacher_label),
    "_rationale": rationales(),
    "_step_by_step_paired": View(
      (*paired, second, joined_targets.join_pairs), "all", paired=True
    ),
    "_rationale_shuffled": rationales(controls.TargetsOfOthers()),
    "_rationale_permuted": rationales(tokens=[controls.PermutedTokens()]),
    "_rationale_filler": rationales(tokens=[controls.filler_tokens]),
    "_rationale_repeated": rationales(targets=controls.RepeatedLabel(label)),
  }


def _chain_views() -> dict[str, View]:
  """Returns the views that have a rationale and an answer in one target."""
  from distill.data import views
  from distill.data.views import Chains, ToText

  def plain(read: Callable[..., object], *to_text: views.Preprocessor) -> View:
    steps = views.in_tokens(loss_groups.NONE, *to_text)
    return View(steps, postprocess=read)

  def scotd(keep: views.Targets, *before: views.Preprocessor) -> View:
    chains = Chains(metrics.SO_THE_ANSWER, keep, teacher=True)
    to_text = ToText(chains, "Q: ", "\nA: ")
    return plain(metrics.answer_after_so, *before, to_text)

  natural = "Q: ", "\n\nA: Let's think step by step.\n\n"
  *tokens, mark, join = views.in_tokens(
    loss_groups.UNLIKELIHOOD, ToText(views.wrong_rationales)
  )
  return {
    "_cot": plain(
      metrics.answer_after_arrow, ToText(Chains(metrics.ANSWER_ARROW))
    ),
    "_cot_natural": plain(
      metrics.answer_after_therefore,
      ToText(Chains(metrics.THEREFORE), *natural),
    ),
    "_answer_first": plain(
      metrics.answer_before_explanation,
      ToText(Chains(metrics.EXPLANATION, answer_first=True)),
    ),
    # The end of a rationale is never unlearnt.
    "_rationale_wrong": View(
      (*tokens, views.without_end, mark, join), scored=False
    ),
    "_scotd": scotd(views.right, views.OneRight()),
    "_scotd_all": scotd(views.right),
    "_scotd_wrong": scotd(views.wrong),
    "_scotd_unfiltered": scotd(views.reasoned),
  }
