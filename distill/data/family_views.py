"""The table of a family's tasks: source, preprocessors and metric of each.

With `<data>` the family's name, each key is what follows it in the name of a
SeqIO task, and each key of `MIXTURES` in that of a mixture at equal rates.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distill.answers.rules import AnswerRule
from distill.data import (
  controls,
  feature_converters,
  metrics,
  postprocessors,
  views,
)
from distill.data.examples import Dataset
from distill.data.views import Chains, InPrompt, OneRight, ToPairs, ToText

_LABELS = {"gold": views.gold_label, "teacher": views.teacher_label}
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


@dataclass(frozen=True)
class Family:
  """A registered dataset: how it is asked about, judged and learnt.

  Attributes:
    dataset: Its rows.
    answer_rule: Judges the teacher's answers and the student's.
    prompt: Name or path of the teacher's prompt template.
    label: Which one label views learn: 'gold' or 'teacher'.
    label_prefix: Stands in front of the input where a label is asked for.
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

  steps: Sequence[views.Preprocessor]
  source: str = "answers"
  scored: bool = True
  postprocess: Callable[..., object] | None = None
  paired: bool = False


def views_of(family: Family) -> dict[str, View]:
  """Returns the views of a family's tasks by what follows its name."""
  return {
    **_single_views(family),
    **_task_prefix_views(family),
    **_chain_views(),
  }


def _plain(*to_text: views.Preprocessor) -> Sequence[views.Preprocessor]:
  return views.in_tokens(feature_converters.NO_GROUP, *to_text)


def _single_views(family: Family) -> dict[str, View]:
  """Returns the views of labels alone (Ho et al. 2023, table 8, for 'zs')."""
  rule, question = family.answer_rule, "question: "
  return {
    "_finetune": View(_plain(ToText(views.gold_label)), "rows"),
    "_teacher_label": View(_plain(ToText(views.teacher_label))),
    "_zero_shot": View(
      _plain(ToText(views.gold_label, question)),
      "rows",
      postprocess=postprocessors.answer_to(rule, question),
    ),
    "_few_shot": View(
      _plain(InPrompt(family.prompt), ToText(views.gold_label)),
      "rows",
      postprocess=postprocessors.answer_to(rule, prompt=family.prompt),
    ),
  }


def _task_prefix_views(family: Family) -> dict[str, View]:
  """Returns the tasks of step-by-step (Hsieh et al. 2023, 3.2)."""
  label_group = feature_converters.LABEL_GROUP
  group = feature_converters.RATIONALE_GROUP
  label = _LABELS[family.label]
  ask, explain = family.label_prefix, family.rationale_prefix

  def rationales(
    targets: views.Targets = views.rationale,
    *others: views.Preprocessor,
    tokens: Sequence[views.Preprocessor] = (),
  ) -> View:
    to_text = ToText(targets, explain, ask=True)
    steps = views.in_tokens(group, to_text, *others, tokens=tokens)
    return View(steps, scored=False)

  return {
    "_label": View(
      views.in_tokens(label_group, ToText(label, ask)),
      "rows" if family.label == "gold" else "answers",
    ),
    "_label_teacher": View(
      views.in_tokens(label_group, ToText(views.teacher_label, ask))
    ),
    "_rationale": rationales(),
    "_step_by_step_paired": View(
      (
        *views.in_tokens(label_group, ToPairs(label, ask, explain)),
        feature_converters.AddLossGroup(group, "rationale_"),
      ),
      "all",
      paired=True,
    ),
    "_rationale_shuffled": rationales(
      views.rationale, controls.TargetsOfOthers()
    ),
    "_rationale_permuted": rationales(tokens=[controls.PermutedTokens()]),
    "_rationale_filler": rationales(tokens=[controls.filler_tokens]),
    "_rationale_repeated": rationales(controls.RepeatedLabel(label)),
  }


def _chain_views() -> dict[str, View]:
  """Returns the views that have a rationale and an answer in one target."""
  arrow = _plain(ToText(Chains(metrics.ANSWER_ARROW)))
  natural = ToText(
    Chains(postprocessors.THEREFORE),
    *("Q: ", "\n\nA: Let's think step by step.\n\n"),
  )
  explained = Chains(postprocessors.EXPLANATION, answer_first=True)
  unlearnt = ToText(views.wrong_rationales)
  *tokens, mark = views.in_tokens(
    feature_converters.UNLIKELIHOOD_GROUP, unlearnt
  )

  def scotd(keep: views.Targets, *before: views.Preprocessor) -> View:
    chains = Chains(postprocessors.SO_THE_ANSWER, keep, teacher=True)
    return View(
      _plain(*before, ToText(chains, "Q: ", "\nA: ")),
      postprocess=postprocessors.answer_after_so,
    )

  return {
    "_cot": View(arrow, postprocess=metrics.answer_after_arrow),
    "_cot_natural": View(
      _plain(natural), postprocess=postprocessors.answer_after_therefore
    ),
    "_answer_first": View(
      _plain(ToText(explained)),
      postprocess=postprocessors.answer_before_explanation,
    ),
    # That a rationale ends is never unlearnt.
    "_rationale_wrong": View((*tokens, views.without_end, mark), scored=False),
    "_scotd": scotd(views.right, OneRight()),
    "_scotd_all": scotd(views.right),
    "_scotd_wrong": scotd(views.wrong),
    "_scotd_unfiltered": scotd(views.reasoned),
  }
