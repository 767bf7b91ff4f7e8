"""Two evaluations of the same examples, compared example by example."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from etils import epath

from distill import errors

# Examples that are named on each side.
_NAMED = 10


def read_judged(folder: str, task: str) -> list[dict[str, Any]]:
  """Returns the lines of `<task>-right.jsonl` in another evaluation's folder.

  Raises:
    UserError: There is no such file, or a line of it is not an example's.
  """
  path = epath.Path(folder) / f"{task}-right.jsonl"
  expected = "the EVAL_OUTPUT_DIR of an evaluation of the same task"
  if not path.exists():
    raise errors.UserError(
      f"--against has no result of {task}.",
      expected=expected,
      found=f"no file {path}",
      remedy="evaluate the other checkpoint first, on the same task and split",
    )
  try:
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [{"id": str(x["id"]), "right": int(x["right"])} for x in lines]
  except (ValueError, TypeError, KeyError) as error:
    raise errors.UserError(
      f"{path} cannot be read.", expected=expected, found=repr(error)
    ) from error


def compare(
  ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]
) -> str:
  """Returns the paired difference of two results, and where they differ.

  The interval is that of a difference of paired proportions (Wald), p that of
  McNemar's exact test. Only examples that both have are compared.

  Args:
    ours: Lines with `id` and `right`.
    theirs: The other evaluation's.

  Raises:
    UserError: No example is in both.
  """
  from scipy import stats

  other = {line["id"]: line["right"] for line in theirs}
  common = [line for line in ours if line["id"] in other]
  if not common:
    raise errors.UserError(
      "--against has no example in common with this evaluation.",
      expected="an evaluation of the same task and split",
      found=f"{len(ours)} examples here and {len(theirs)} other ones there",
    )
  won, lost = (
    [x["id"] for x in common if x["right"] - other[x["id"]] == sign]
    for sign in (1, -1)
  )
  count, differ = len(common), len(won) + len(lost)
  mean = (len(won) - len(lost)) / count
  error = math.sqrt(max(differ / count - mean**2, 0) / count)
  half = stats.norm.ppf(0.975) * error
  p = stats.binomtest(len(won), differ).pvalue if differ else 1.0
  return "\n".join(
    [
      f"{100 * mean:+.1f} points on {count:,} common examples, 95% interval"
      f" {100 * (mean - half):+.1f} to {100 * (mean + half):+.1f}, p {p:.3f}",
      _named("right only here", won),
      _named("right only there", lost),
    ]
  )


def _named(what: str, ids: Sequence[str]) -> str:
  names = ", ".join(ids[:_NAMED])
  more = f" and {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
  return f"  {what}: {len(ids):,}" + (f" ({names}{more})" if ids else "")
