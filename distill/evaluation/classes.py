"""How well each class is answered, and what it is taken for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

# Tasks with more different targets have no classes.
_MOST = 12


def confusion(
  rows: Sequence[Mapping[str, Any]], judged: Sequence[Mapping[str, Any]]
) -> tuple[list[str], list[list[str]]]:
  """Returns the header and a line for each class of a task.

  Recall is the share of a class that is answered right, precision the share of
  an answer that is right, both in percent. The further columns count the
  answers to examples of the class.

  Args:
    rows: Lines of predictions with `id` and `target`.
    judged: The lines of `<task>-right.jsonl`, with the `answer` that was read.

  Returns:
    No lines if the targets are one class or more than 12.
  """
  answers = {str(line["id"]): line["answer"] for line in judged}
  pairs = Counter(
    (str(row["target"]), answers[str(row["id"])])
    for row in rows
    if str(row["id"]) in answers
  )
  classes = sorted({target for target, _ in pairs})
  header = ["class", "examples", "recall %", "precision %"]
  header += [*(f"said {name}" for name in classes), "other"]
  if not 1 < len(classes) <= _MOST:
    return header, []
  return header, [_line(target, pairs, classes) for target in classes]


def _line(
  target: str, pairs: Mapping[tuple[str, str], int], classes: Sequence[str]
) -> list[str]:
  taken = [pairs.get((target, other), 0) for other in classes]
  count = sum(n for (wanted, _), n in pairs.items() if wanted == target)
  said = sum(n for (_, answer), n in pairs.items() if answer == target)
  right = pairs.get((target, target), 0)
  return [
    *(target, f"{count:,}", f"{100 * right / count:.1f}"),
    f"{100 * right / said:.1f}" if said else "never said",
    *(f"{number:,}" for number in (*taken, count - sum(taken))),
  ]
