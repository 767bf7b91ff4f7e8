"""Registers families of SeqIO tasks and mixtures, and finds them by name.

One call registers a dataset's family. A module that makes such calls is named
by a flag or a macro, or else by a cache's manifest. A manifest may come from
others, so its names are checked before they are imported, and a line on stderr
says what is imported.
"""

import keyword
import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence

import seqio
import tensorflow as tf

from distill import loss_groups
from distill.answers.rules import AnswerRule
from distill.data import lookup, methods, metrics, sources, vocabulary
from distill.data.cache import manifest
from distill.data.examples import Dataset
from distill.data.methods import Family
from distill.data.selection import current_selection
from distill.errors import UserError, require

# The registered families by name.
FAMILIES: dict[str, Family] = {}


class PlainTask(seqio.Task):
  """A task whose functions are traced as they are written.

  By default tf.data has AutoGraph rewrite each function, so that Python's `if`
  and `for` work on tensors. No function of a family needs it, and it takes
  seconds of every start.
  """

  get_dataset = tf.autograph.experimental.do_not_convert(seqio.Task.get_dataset)


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

  `methods` has the table of its tasks and mixtures. Nothing is read until a
  task is used.

  Args:
    dataset: Its rows.
    answer_rule: Judges the teacher's answers and the student's.
    prompt: Name or path of the teacher's prompt template.
    label: Which one `<data>_label` learns: 'gold' or 'teacher'.
    label_prefix: Stands in front of the input of `<data>_label`, or, with
      PREFIX_SIDE = 'decoder', in front of its target.
    rationale_prefix: The same for `<data>_rationale`.
    rules: More answer rules that judge the student, each under the metric
      `<name>_accuracy`.

  Raises:
    UserError: The name is taken or no identifier, or `label` is neither.
  """
  name = dataset.name
  require(
    *("A dataset's name", name, bool(re.fullmatch(r"[a-zA-Z]\w*", name))),
    expected="a letter, then letters, digits and _",
  )
  require(
    *("A dataset's name", name, name not in FAMILIES),
    expected="a name that is not registered already",
  )
  require(
    *(f"The label of '{name}'", label, label in ("gold", "teacher")),
    expected="'gold' or 'teacher'",
  )
  prefixes = label_prefix, rationale_prefix
  family = Family(dataset, answer_rule, prompt, label, *prefixes, rules or {})
  FAMILIES[name] = family
  read = {
    "rows": sources.DatasetSource(dataset),
    "answers": sources.TeacherSource(dataset),
    "all": sources.TeacherSource(dataset, whole=True),
  }
  metric = metrics.Accuracy(answer_rule, family.rules)
  for suffix, view in methods.views_of(family).items():
    seqio.TaskRegistry.add(
      name + suffix,
      source=read[view.source],
      preprocessors=view.steps,
      output_features=output_features(view.paired),
      metric_fns=[metric] if view.scored else [],
      postprocess_fn=view.postprocess,
      task_cls=PlainTask,
    )
  for suffix, parts in methods.MIXTURES.items():
    _add_mixture(name + suffix, [name + part for part in parts])


def register_augmented(name: str, more: str) -> None:
  """Registers mixtures of a family and a teacher's answers for another family.

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
    own = methods.MIXTURES.get(suffix, (suffix,))
    tasks = [*(name + part for part in own), *(more + part for part in added)]
    _add_mixture(f"{name}{suffix}_{more}", tasks, by_size=True)


def _add_mixture(
  name: str, tasks: Sequence[str], by_size: bool = False
) -> None:
  """Registers a mixture at equal rates, or at those of the tasks' sizes."""

  def rate(task: seqio.Task) -> float:
    # Every view marks its loss group.
    numbers = (s.group for s in task.preprocessors if hasattr(s, "group"))
    group = loss_groups.GROUPS.get(next(numbers))
    if group and group.explains and not current_selection().coverage:
      return 0.0  # No rationales are left; only labels are learnt.
    return float(task.num_input_examples("train")) if by_size else 1.0

  seqio.MixtureRegistry.add(name, tasks, rate)


def output_features(paired: bool = False) -> dict[str, seqio.Feature]:
  """Returns the features of a task, in the model's own vocabulary."""
  text = seqio.Feature(vocabulary.ModelVocabulary())
  groups = seqio.Feature(
    seqio.PassThroughVocabulary(loss_groups.PREFIX + 1), add_eos=False
  )
  second = loss_groups.SECOND
  names = ("inputs", "targets")
  return {
    **dict.fromkeys(names, text),
    **{second + name: text for name in names if paired},
    loss_groups.FEATURE: groups,
  }


def get_mixture_or_task(
  name: str, module: str | None = None
) -> seqio.Task | seqio.Mixture:
  """Returns a registered mixture or task, after importing `module`.

  What still nobody registered may be of a cache, whose manifest names a module.

  Raises:
    UserError: Nobody registered that name, or there is no such module.
  """
  if module is not None:
    lookup.import_registrations(module)
  if name not in _registered():
    import_for_task(str(name))
  if name not in _registered():
    raise lookup.unknown_task(str(name), _registered())
  return seqio.get_mixture_or_task(name)


def _registered() -> set[str]:
  return {*seqio.MixtureRegistry.names(), *seqio.TaskRegistry.names()}


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


def find_cached_family(
  name: str, modules: Sequence[str], directory: str, split: str = ""
) -> tuple[Family, list[str]]:
  """Returns a family, and the modules that register it.

  Args:
    name: The family's.
    modules: Those that the user names, which win over the manifest's.
    directory: The cache whose manifest may name others.
    split: The split whose modules are wanted; '' is any.

  Raises:
    UserError: Nobody registers that name, or a module cannot be imported.
  """
  if not modules:
    lookup.import_registrations("tasks")
    if name not in FAMILIES:
      modules = import_modules(name, directory, split)
  return find_family(name, modules), list(modules)


def import_modules(name: str, directory: str, split: str = "") -> list[str]:
  """Imports the modules that a cache's manifest names, and returns them.

  Raises:
    UserError: A name is no module's, or there is no such module; it names the
      manifest.
  """
  found = manifest.read(directory)
  if found is None or found.family != name:
    return []
  entries = [found.splits[split]] if split in found.splits else []
  entries = entries or list(found.splits.values())
  modules = list(dict.fromkeys(m for e in entries for m in _modules(e)))
  path = os.path.join(directory, manifest.FILE_NAME)
  for module in modules:
    parts = module.split(".")
    if not all(p.isidentifier() and not keyword.iskeyword(p) for p in parts):
      raise UserError(
        f"{path} names a module that cannot be one.",
        expected="names with dots between them, such as 'my_tasks'",
        found=module,
        remedy="name the module of the family by --module or the gin macro"
        " MIXTURE_OR_TASK_MODULE",
      )
  for module in modules:
    print(
      f"Importing the module '{module}', which registers '{name}' by {path}",
      file=sys.stderr,
    )
    try:
      lookup.import_registrations(module)
    except UserError as error:
      raise UserError(
        f"The module '{module}', which registers '{name}', cannot be found.",
        expected=f"the module that {path} names",
        remedy="put its folder on PYTHONPATH, or name another one by --module"
        " or the gin macro MIXTURE_OR_TASK_MODULE",
      ) from error
  return modules


def import_for_task(task: str) -> None:
  """Imports what the caches of DISTILL_DATA_DIR name for a task, if any.

  Raises:
    UserError: As `import_modules`.
  """
  root = os.environ.get("DISTILL_DATA_DIR", "")
  parts = task.split("_")
  for end in range(len(parts) - 1, 0, -1) if root else ():
    family = "_".join(parts[:end])
    if import_modules(family, os.path.join(root, family)):
      return


def _modules(entry: manifest.SplitEntry) -> Sequence[str]:
  """Returns the modules of an entry; older ones have them among the flags."""
  if entry.modules:
    return entry.modules
  try:
    words = shlex.split(entry.flags)
  except ValueError:
    return ()
  flags = [word for word in words if word.startswith("--module=")]
  return [flag.partition("=")[2].rstrip(")") for flag in flags]
