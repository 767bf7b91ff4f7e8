"""The rows of a comparison, and the file that keeps them."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from distill import errors

# The fields of `Result` that students of a grid differ in, except the seed.
# Tables show those that vary.
STUDENT_FIELDS = (
  *("task", "evaluated", "method", "comparison", "budget_of"),
  *("model", "teacher"),
  *("train_examples", "fraction", "coverage", "protocol"),
)
# The comparison of all rows that have no budget: the same examples for every
# method, each trained until PATIENCE or TRAIN_STEPS ends it.
EQUAL_EXAMPLES = "equal_examples"
_MEMORIZED_LOSS = 0.02
# To be as good as a student that gains less on one answer is no feat.
LEARNED_POINTS = 10.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
  """One trained student on one test split.

  Attributes:
    task: The dataset family of the training.
    evaluated: The dataset family of the test.
    method: The method of the training.
    comparison: What it has in common with the students that it is compared
      with: 'equal_examples' or a name of `BUDGETS`. Rows of different
      comparisons are not compared.
    budget_of: The method whose budget it has; '' in 'equal_examples'.
    model: The name of the model in the grid.
    teacher: The name of the teacher in the grid; '' without one.
    train_examples: The number of training examples.
    fraction: Their share of the training split.
    coverage: The share of them that had rationales.
    seed: The seed of the weights, the dropout, the order and the subset.
    protocol: How the checkpoint was chosen: 'best_on_validation' or
      'best_on_test'.
    metrics: Test metrics, 'accuracy' among them, 0 to 100.
    right: '1' or '0' for each test example in the order of their ids; '' if
      not recorded.
    majority: The accuracy of the most frequent answer of the test split, 0 to
      100; 0 if not recorded.
    steps: Training steps, fewer than TRAIN_STEPS if PATIENCE ended the run.
    steps_to_best: The step of the tested checkpoint; None if not recorded.
    label_loss: The training loss of the label tokens in the last logged line,
      the mean over STATS_PERIOD steps; of all target tokens if the method has
      one target. None if not recorded.
    curve: The step and the validation accuracy, 0 to 100, of each evaluation.
    other_xla: The points of test accuracy that the same student gains with the
      XLA settings of OTHER_XLA; None if it was not repeated.
    target_tokens: Target tokens of training, without padding.
    cpu_seconds: The CPU time of training and testing on all cores; None if the
      run was interrupted, or if another row has it.
    student: The costs of the student (economics.py); {} if not measured.
    versions: The versions of the software.
  """

  task: str
  evaluated: str
  method: str
  model: str
  teacher: str
  train_examples: int
  fraction: float
  coverage: float
  seed: int
  protocol: str
  metrics: Mapping[str, float]
  right: str
  steps: int
  target_tokens: int
  cpu_seconds: float | None
  comparison: str = EQUAL_EXAMPLES
  budget_of: str = ""
  steps_to_best: int | None = None
  label_loss: float | None = None
  curve: Sequence[Sequence[float]] = dataclasses.field(default_factory=list)
  other_xla: float | None = None
  majority: float = 0.0
  student: Mapping[str, float] = dataclasses.field(default_factory=dict)
  versions: str = ""

  @property
  def accuracy(self) -> float:
    """The test accuracy, 0 to 100."""
    return self.metrics["accuracy"]

  @property
  def label(self) -> str:
    """The method, and its comparison if that is not of equal examples."""
    return label_of(self.method, self.comparison)

  @property
  def learned(self) -> bool:
    """Whether it is ten points above always giving the most frequent answer."""
    return self.accuracy >= self.majority + LEARNED_POINTS

  @property
  def memorized(self) -> bool | None:
    """Whether the final student knows its training labels by heart.

    This is a label loss below 0.02, which costs nothing to measure: a token of
    a label then has a probability of 98% on (geometric) average. Dropout and
    label smoothing raise the loss, so that with them the answer may be a wrong
    False. None if the loss is not recorded.
    """
    return (
      None if self.label_loss is None else (self.label_loss < _MEMORIZED_LOSS)
    )


# Comparison at an equal budget → what a row has spent; None if not counted. A
# grid has a macro of that name for each.
BUDGETS: Mapping[str, Callable[[Result], float | None]] = {
  "equal_label_rows": lambda row: row.student.get("label_rows"),
  "equal_tokens": lambda row: row.target_tokens,
  "equal_flops": lambda row: row.student.get("training_flops"),
}


def label_of(method: str, comparison: str) -> str:
  """Returns a method's name in figures, such as 'finetune, equal tokens'."""
  if comparison == EQUAL_EXAMPLES:
    return method
  return f"{method}, {comparison.replace('_', ' ')}"


def read_row(row: Mapping[str, Any]) -> Result:
  """Returns a row; older ones have their comparison in the method's name."""
  method, _, comparison = row["method"].partition(", ")
  named = {"comparison": comparison.replace(" ", "_")} if comparison else {}
  return Result(**{**row, "method": method, **named})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Teacher:
  """A teacher's answers to one split of a family, and their cost.

  Attributes:
    name: The name in the grid.
    model: The teacher's own name, with the options that change its answers.
    task: The dataset family.
    split: The split.
    answers: The number of answers.
    accuracy: The percentage of answers equal to the gold label; None without
      gold labels.
    prompt_tokens: The tokens that it read.
    completion_tokens: The tokens that it wrote.
    cost: The cost in US dollars; None if the price is not known.
    parameters: The number of its parameters; None if not known.
  """

  name: str
  model: str
  task: str
  split: str
  answers: int
  accuracy: float | None
  prompt_tokens: int
  completion_tokens: int
  cost: float | None
  parameters: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Results:
  """The content of a results file: the grid, its command, students, teachers.

  `cpu_hour_price` is in US dollars; None if the grid does not set it.
  """

  grid: str
  command: str
  rows: Sequence[Result]
  teachers: Sequence[Teacher] = ()
  cpu_hour_price: float | None = None


def write_results(results: Results, path: pathlib.Path) -> None:
  """Writes the file, whole or not at all."""
  write_json(dataclasses.asdict(results), path)


def write_json(value: Any, path: pathlib.Path) -> None:
  """Writes a JSON value, whole or not at all."""
  errors.write_whole(path, json.dumps(value, indent=1) + "\n")


def read_results(path: pathlib.Path) -> Results:
  """Reads what `write_results` wrote.

  Raises:
    UserError: `path` is not a file of results.
  """
  try:
    content = json.loads(path.read_text(encoding="utf-8"))
    content["rows"] = [read_row(row) for row in content["rows"]]
    content["teachers"] = [Teacher(**row) for row in content["teachers"]]
    return Results(**content)
  except (OSError, ValueError, TypeError, KeyError) as error:
    raise errors.UserError(
      f"{path} is not a file of results.",
      expected="JSON as `distill compare` writes it",
      found=str(error),
      remedy="remove it and run the grid again, which skips finished cells",
    ) from error
