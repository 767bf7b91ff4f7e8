"""The sentences of a comparison: ahead, behind, or not to be told."""

import pytest

from distill.comparison import results, verdicts


def comparison(row, rights, **fields):
  """Returns results of methods whose seeds have these numbers of right ones."""
  rows = [
    row("1" * right + "0" * (100 - right), seed, method=method, **fields)
    for method, counts in rights.items()
    for seed, right in enumerate(counts)
  ]
  return results.Results(grid="g", command="c", rows=rows)


@pytest.mark.parametrize(
  ("counts", "says"),
  [
    ((90, 92, 91), "step_by_step is ahead of finetune by 40.0 points"),
    ((10, 12, 11), "step_by_step is behind finetune by 40.0 points"),
    ((51, 40, 60), "it cannot be told whether step_by_step is better than"),
  ],
)
def test_a_difference_counts_if_the_interval_has_no_zero(row, counts, says):
  found = comparison(row, {"finetune": (50, 52, 51), "step_by_step": counts})
  best, difference = verdicts.sentences(found)
  assert best.startswith("last_letters: the best mean test accuracy is ")
  assert says in difference and "3 seeds" in difference


def test_the_best_is_held_against_the_second(row):
  counts = {"finetune": (10, 11), "step_by_step": (80, 81)}
  counts["step_by_step_shuffled"] = (40, 41)
  _, second, *others = verdicts.sentences(comparison(row, counts))
  assert "step_by_step is ahead of step_by_step_shuffled by 40.0" in second
  assert len(others) == 2


def test_one_seed_tells_nothing(row):
  found = comparison(row, {"finetune": (50,), "step_by_step": (90,)})
  _, difference = verdicts.sentences(found)
  assert "one seed cannot tell step_by_step from finetune" in difference
  assert "+40.0 points" in difference


def test_a_task_that_nobody_learned_says_so(row):
  counts = {"finetune": (35, 36), "step_by_step": (37, 38)}
  best, _ = verdicts.sentences(comparison(row, counts, majority=34.0))
  assert "no student has learned it" in best and "34.0" in best


def test_names_have_what_varies(row):
  found = results.Results(
    grid="g",
    command="c",
    rows=[
      row("10"),
      row("11", teacher="palm", model="small"),
      row("11", comparison="equal_tokens", budget_of="finetune"),
    ],
  )
  _, lines = verdicts.narrow_table(found)
  assert [line[0] for line in lines] == [
    "finetune (tiny)",
    "finetune (small)",
    "finetune (equal tokens, tiny)",
  ]


def test_the_table_has_the_paired_difference(row):
  found = comparison(row, {"finetune": (50, 50), "step_by_step": (60, 60)})
  header, lines = verdicts.narrow_table(found)
  assert header[-1] == "difference [95%]"
  assert lines[0][1:4] == ["500", "50.0 ± 0.0", "2"] and lines[0][4] == ""
  assert lines[1][4].startswith("+10.0 [")
