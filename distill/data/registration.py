"""Registers a dataset's family of SeqIO tasks and mixtures by one call."""

import re
from collections.abc import Mapping, Sequence

import seqio

from distill.answers.rules import AnswerRule
from distill.data import (
  family_views,
  feature_converters,
  lookup,
  metrics,
  sources,
  vocabulary,
)
from distill.data.examples import Dataset
from distill.data.family_views import Family
from distill.data.selection import current_selection
from distill.errors import UserError

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
  rules: Mapping[str, AnswerRule] | None = None,
) -> None:
  """Registers all views of a dataset; docs/cache.md shows how it is used.

  `family_views` has the table of its tasks and mixtures, `methods` says what
  each is for. Nothing is read until a task is used.

  Args:
    dataset: Its rows.
    answer_rule: Judges the teacher's answers and the student's.
    prompt: Name or path of the teacher's prompt template.
    label: Which one `<data>_label` learns: 'gold' or 'teacher'.
    label_prefix: Stands in front of the input of `<data>_label`.
    rationale_prefix: The same for `<data>_rationale`.
    rules: More answer rules that judge the student, each under the metric
      `<name>_accuracy`.

  Raises:
    UserError: The name is taken or no identifier, or `label` is neither.
  """
  name = dataset.name
  _check(name, label)
  family = Family(
    dataset=dataset,
    answer_rule=answer_rule,
    prompt=prompt,
    label=label,
    label_prefix=label_prefix,
    rationale_prefix=rationale_prefix,
    rules=rules or {},
  )
  FAMILIES[name] = family
  read = {
    "rows": sources.DatasetSource(dataset),
    "answers": sources.TeacherSource(dataset),
    "all": sources.TeacherSource(dataset, whole=True),
  }
  metric = metrics.Accuracy(answer_rule, family.rules)
  for suffix, view in family_views.views_of(family).items():
    seqio.TaskRegistry.add(
      name + suffix,
      source=read[view.source],
      preprocessors=view.steps,
      output_features=output_features(view.paired),
      metric_fns=[metric] if view.scored else [],
      postprocess_fn=view.postprocess,
    )
  for suffix, parts in family_views.MIXTURES.items():
    _add_mixture(name + suffix, [name + part for part in parts])


def register_augmented(name: str, more: str) -> None:
  """Registers mixtures of a family and a teacher's answers to another one's.

  `<name>_step_by_step_<more>` adds the teacher's labels of and rationales for
  the questions of `more` to the tasks of `<name>_step_by_step` (Hsieh et al.
  2023, 4.4: ASDiv for SVAMP), and `<name>_teacher_label_<more>` its labels to
  `<name>_teacher_label`. Examples of both families come as often as each
  other. Gin's selection holds for both.

  Args:
    name: The registered family that the student is scored on.
    more: The registered family whose gold labels are not used.
  """
  for suffix, added in (
    ("_step_by_step", ("_label_teacher", "_rationale")),
    ("_teacher_label", ("_teacher_label",)),
  ):
    own = family_views.MIXTURES.get(suffix, (suffix,))
    tasks = [*(name + part for part in own), *(more + part for part in added)]
    _add_mixture(f"{name}{suffix}_{more}", tasks, by_size=True)


def _add_mixture(
  name: str, tasks: Sequence[str], by_size: bool = False
) -> None:
  """Registers a mixture at equal rates, or at those of the tasks' sizes."""

  def rate(task: seqio.Task) -> float:
    # Every view ends by marking its loss group.
    labels = task.preprocessors[-1].group < feature_converters.RATIONALE_GROUP
    if not labels and not current_selection().coverage:
      return 0.0  # There are none: labels are learnt alone.
    return float(task.num_input_examples("train")) if by_size else 1.0

  seqio.MixtureRegistry.add(name, tasks, rate)


def output_features(paired: bool = False) -> dict[str, seqio.Feature]:
  """Returns the features of a task, in the model's own vocabulary."""
  text = seqio.Feature(vocabulary.ModelVocabulary())
  groups = seqio.Feature(
    seqio.PassThroughVocabulary(feature_converters.NUM_GROUPS), add_eos=False
  )
  second = feature_converters.SECOND
  names = ("inputs", "targets")
  return {
    **dict.fromkeys(names, text),
    **{second + name: text for name in names if paired},
    feature_converters.FEATURE: groups,
  }


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
