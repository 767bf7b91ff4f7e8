"""The statistics: by hand, and the bootstrap against a plain loop."""

import math

import numpy as np
import pytest

from distill.comparison import statistics


def test_mean_and_standard_error_by_hand(row):
  rows = [row(seed=s, accuracy=a) for s, a in enumerate((40, 50, 60))]
  [group] = statistics.group(rows)
  assert group.mean == 50
  # Sample deviation 10, over the root of three seeds.
  assert group.standard_error == pytest.approx(10 / math.sqrt(3))
  assert str(group) == "50.0 ± 5.8"


def test_one_seed_has_no_error(row):
  [group] = statistics.group([row(accuracy=12.5)])
  assert group.standard_error is None and str(group) == "12.5"


def test_groups_differ_by_more_than_the_seed(row):
  rows = [row(), row(seed=1), row(coverage=0.5), row(evaluated="coin_flip")]
  assert [len(one.rows) for one in statistics.group(rows)] == [2, 1, 1]


def test_without_a_teacher_nothing_is_covered(row):
  rows = [row(teacher="palm", coverage=0.5), row(teacher="")]
  assert [one.coverage for one in statistics.group(rows)] == [0.5, 0.0]


def grouped(row, method, rights):
  rows = [row(right, seed, method=method) for seed, right in enumerate(rights)]
  [group] = statistics.group(rows)
  return group


def test_the_bootstrap_is_that_of_a_plain_loop(row):
  generator = np.random.default_rng(5)
  right = generator.integers(0, 2, size=(2, 3, 40))
  right[0, :, :15] = 1
  groups = [
    grouped(row, name, ["".join(map(str, one)) for one in some])
    for name, some in zip(("one", "other"), right, strict=True)
  ]
  drawn = []
  for _ in range(4000):
    seeds = generator.integers(0, 3, size=2)  # one fewer than there are
    examples = generator.integers(0, 40, size=40)
    step = right[0] - right[1]
    drawn.append(100 * step[np.ix_(seeds, examples)].mean())
  found = statistics.difference(*groups)
  assert found.mean == pytest.approx(100 * (right[0] - right[1]).mean())
  low, high = np.percentile(drawn, [2.5, 97.5])
  assert (found.low, found.high) == pytest.approx((low, high), abs=2.0)
  assert found.p == pytest.approx(2 * np.mean(np.array(drawn) <= 0), abs=0.03)


def test_the_difference_is_paired(row):
  # Both right on the same half: whatever is drawn, one of ten more is right.
  one = grouped(row, "one", ["1" * 50 + "0" * 40 + "1" * 10] * 2)
  other = grouped(row, "other", ["1" * 50 + "0" * 50] * 2)
  found = statistics.difference(one, other)
  assert found.mean == pytest.approx(10.0)
  assert 3 < found.low < found.high < 18 and found.p < 0.01
  same = statistics.difference(one, one)
  assert (same.low, same.high, same.p) == (0.0, 0.0, 1.0)


def test_the_interval_covers_what_other_xla_settings_change(row):
  def students(**gains):
    """Returns two students; seed 0 gains points with other XLA settings."""
    return [
      statistics.Group(
        tuple(
          row("1" * right + "0" * (100 - right), seed, method=name, other_xla=x)
          for seed, x in ((0, gains.get(name)), (1, None))
        )
      )
      for name, right in (("one", 60), ("other", 30))
    ]

  before = statistics.difference(*students())
  after = statistics.difference(*students(one=-22.0, other=8.0))
  assert (after.mean, after.high) == (before.mean, before.high)
  assert after.low == pytest.approx(before.low - 30.0)
  # What held here might not hold there.
  assert before.low > 0 > after.low and before.p < 0.01 < after.p


def test_a_reference_is_of_the_same_comparison_or_has_the_budget(row):
  names = ("finetune", "step_by_step", "cot")
  students = [statistics.Group((row(method=name),)) for name in names]
  budget = {"comparison": "equal_flops", "budget_of": "cot"}
  student = statistics.Group((row(**budget),))
  assert statistics.reference(students[1], students) is students[0]
  assert statistics.reference(student, [*students, student]) is students[2]
  assert statistics.reference(student, students[:2]) is None


def test_only_common_seeds_are_compared(row):
  one = statistics.Group((row(accuracy=10), row(accuracy=90, seed=1)))
  other = statistics.Group((row(accuracy=30), row(accuracy=0, seed=2)))
  found = statistics.difference(one, other)
  assert found.mean == -20


def test_one_seed_without_examples_has_no_interval(row):
  one = statistics.Group((row("", accuracy=60.0),))
  other = statistics.Group((row("", accuracy=50.0),))
  found = statistics.difference(one, other)
  assert found.mean == 10 and math.isnan(found.low) and math.isnan(found.p)
  assert str(found) == "+10.0 (one seed)"


def test_without_examples_the_seeds_alone_are_drawn(row):
  one = statistics.Group(
    tuple(row("", s, accuracy=a) for s, a in enumerate((60, 70, 80)))
  )
  other = statistics.Group(
    tuple(row("", s, accuracy=a) for s, a in enumerate((50, 50, 50)))
  )
  found = statistics.difference(one, other)
  assert (found.mean, found.low, found.high) == (20, 10, 30)


def test_the_first_to_reach_a_bar(row):
  students = [
    grouped(row, "sbs", ["1" * n + "0" * (100 - n)] * 2) for n in (20, 60, 90)
  ]
  place, low, high = statistics.first_to_reach(students, students[1])
  assert place == 1 and low <= 1 <= high
  assert statistics.first_to_reach(students, 99.9) == (3, 3, 3)
  assert statistics.first_to_reach(students, 0.0) == (0, 0, 0)
