"""The rows of a comparison, and the file that keeps them."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from distill import errors

# The fields of `Result` that students of a grid differ in, except the seed.
# Tables show those that vary.
STUDENT_FIELDS = (
  *("task", "evaluated", "method", "model", "teacher"),
  *("train_examples", "fraction", "coverage", "protocol"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Result:
  """One trained student on one test split.

  Attributes:
    task: Dataset family that it learnt.
    evaluated: Dataset family that it was tested on.
    method: How it was trained.
    model: Its name in the grid.
    teacher: The teacher's name in the grid, '' without one.
    train_examples: Examples that it was trained on.
    fraction: Their share of the training split.
    coverage: Share of them that had rationales.
    seed: Of weights, dropout, order and choice of examples.
    protocol: 'best_on_validation' chose the checkpoint; or 'best_on_test'.
    metrics: Test metrics, 'accuracy' among them, 0 to 100.
    right: A '1' or '0' for each test example by the order of their ids; ''
      where that was not kept.
    majority: Accuracy of the test's most frequent answer, 0 to 100; 0 where
      that was not kept.
    steps: Training steps.
    target_tokens: Target tokens of training, without padding.
    cpu_seconds: CPU time of training and testing, all cores; None if the run
      was interrupted, or for a student that trained for another row.
    student: What it costs (economics.py), {} where that was not measured.
    versions: Of the software.
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
  majority: float = 0.0
  student: Mapping[str, float] = dataclasses.field(default_factory=dict)
  versions: str = ""

  @property
  def accuracy(self) -> float:
    """The test accuracy, 0 to 100."""
    return self.metrics["accuracy"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Teacher:
  """What a teacher gave for one split of a family, and what it took.

  Attributes:
    name: Its name in the grid.
    model: Its own name, with whatever changes its answers.
    task: Dataset family.
    split: The split.
    answers: Its answers.
    accuracy: Percentage of them that are the gold label; None without any.
    prompt_tokens: What it read.
    completion_tokens: What it wrote.
    cost: US dollars, None where the price is not known.
    parameters: How many it has, None where that is not known.
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
  """A grid's file: its name, what made it, students, and their teachers.

  `cpu_hour_price` is in US dollars, None where the grid does not say.
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
    content["rows"] = [Result(**row) for row in content["rows"]]
    content["teachers"] = [Teacher(**row) for row in content["teachers"]]
    return Results(**content)
  except (OSError, ValueError, TypeError, KeyError) as error:
    raise errors.UserError(
      f"{path} is not a file of results.",
      expected="JSON as `distill compare` writes it",
      found=str(error),
      remedy="remove it and run the grid again, which skips what is done",
    ) from error
