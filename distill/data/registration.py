"""Registers a dataset's family of SeqIO tasks and mixtures by one call."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import seqio

from distill.data import (
  feature_converters,
  lookup,
  metrics,
  sources,
  views,
  vocabulary,
)
from distill.data.examples import Dataset
from distill.errors import UserError
from distill.teacher.answers import AnswerRule


@dataclass(frozen=True)
class Family:
  """A registered dataset: how it is asked about, judged and learnt.

  Attributes:
    dataset: Its rows.
    answer_rule: Judges the teacher's answers and the student's.
    prompt: Name or path of the teacher's prompt template.
  """

  dataset: Dataset
  answer_rule: AnswerRule
  prompt: str


# The registered families by name.
FAMILIES: dict[str, Family] = {}


def find_family(name: str, modules: Sequence[str] = ()) -> Family:
  """Returns a family by name, after importing `tasks` and `modules`.

  Raises:
    UserError: Nobody registered that name, or there is no such module.
  """
  for module in ("tasks", *modules):
    lookup.import_registrations(module)
  if name not in FAMILIES:
    raise lookup.unknown_name("dataset family", name, FAMILIES)
  return FAMILIES[name]


def register_family(
  dataset: Dataset,
  *,
  answer_rule: AnswerRule,
  prompt: str,
  label: str = "gold",
  label_prefix: str = "[label] ",
  rationale_prefix: str = "[rationale] ",
) -> None:
  """Registers the views of a dataset; docs/cache.md shows how it is used.

  With `<data>` its name: `<data>_finetune` (input → gold label),
  `<data>_teacher_label` (input → teacher's label), `<data>_label` and
  `<data>_rationale` (prefixed), the mixture `<data>_step_by_step` of those two
  at 1:1 (Hsieh et al. 2023, 3.2), and `<data>_cot` (rationale, then label).
  Nothing is read until a task is used.

  Args:
    dataset: Its rows.
    answer_rule: Judges the teacher's answers and the student's.
    prompt: Name or path of the teacher's prompt template.
    label: Which one `<data>_label` learns: 'gold' or 'teacher'.
    label_prefix: Stands in front of the input of `<data>_label`.
    rationale_prefix: The same for `<data>_rationale`.

  Raises:
    UserError: The name is taken or no identifier, or `label` is neither.
  """
  name = dataset.name
  _check(name, label)
  FAMILIES[name] = Family(dataset, answer_rule, prompt)
  prefixed = {"gold": views.gold_label, "teacher": views.teacher_label}[label]
  rows = sources.DatasetSource(dataset)
  answers = sources.TeacherSource(dataset)
  label_source = rows if label == "gold" else answers
  accuracy = metrics.accuracy(answer_rule)
  label_group = feature_converters.LABEL_GROUP
  rationale_group = feature_converters.RATIONALE_GROUP

  _add(f"{name}_finetune", rows, views.ToText(views.gold_label), accuracy)
  _add(
    f"{name}_teacher_label",
    answers,
    views.ToText(views.teacher_label),
    accuracy,
  )
  to_label = views.ToText(prefixed, label_prefix)
  _add(f"{name}_label", label_source, to_label, accuracy, label_group)
  to_rationale = views.ToText(
    views.rationale, rationale_prefix, keep_unasked=True
  )
  _add(f"{name}_rationale", answers, to_rationale, None, rationale_group)
  _add(
    f"{name}_cot",
    answers,
    views.ToText(views.chain_of_thought),
    accuracy,
    postprocess_fn=metrics.answer_after_arrow,
  )
  seqio.MixtureRegistry.add(
    f"{name}_step_by_step", [f"{name}_label", f"{name}_rationale"], 1.0
  )


def _add(
  name: str,
  source: seqio.DataSource,
  to_text: views.ToText,
  metric: Callable[..., dict[str, float]] | None,
  group: int = feature_converters.NO_GROUP,
  **options: object,
) -> None:
  """Registers one task."""
  seqio.TaskRegistry.add(
    name,
    source=source,
    preprocessors=views.preprocessors(to_text, group),
    output_features=output_features(),
    metric_fns=[metric] if metric else [],
    **options,
  )


def output_features() -> dict[str, seqio.Feature]:
  """Returns the features of every task, in the model's own vocabulary."""
  text = seqio.Feature(vocabulary.ModelVocabulary())
  groups = seqio.Feature(
    seqio.PassThroughVocabulary(feature_converters.NUM_GROUPS), add_eos=False
  )
  return {"inputs": text, "targets": text, feature_converters.FEATURE: groups}


def _check(name: str, label: str) -> None:
  if not re.fullmatch(r"[a-zA-Z]\w*", name):
    raise UserError(
      f"A dataset cannot be called '{name}'.",
      expected="a letter, then letters, digits and _",
      remedy="correct the dataset's `name`",
    )
  if name in FAMILIES:
    raise UserError(
      f"A dataset called '{name}' is registered already.",
      remedy="give the second one another `name`",
    )
  if label not in ("gold", "teacher"):
    raise UserError(
      f"'{name}' cannot be registered with label='{label}'.",
      expected="'gold' or 'teacher'",
    )
