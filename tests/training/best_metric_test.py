"""The best evaluation, by the rules of the configuration."""

import pytest

from distill import errors
from distill.training.best_metric import BestMetric


def after(values, metric="accuracy", mode="max"):
  best = BestMetric()
  for step, value in enumerate(values, start=1):
    best = best.after(step, {"task/accuracy": value}, metric, mode)
  return best


def test_the_best_is_the_largest_or_the_smallest_and_the_later_of_equals():
  best = after([0.2, 0.5, 0.5, 0.1])
  assert (best.value, best.step, best.evaluated) == (0.5, 3, 4)
  best = after([0.2, 0.5, 0.1, 0.3], mode="min")
  assert (best.value, best.step, best.evaluated) == (0.1, 3, 4)


def test_a_value_that_is_not_finite_is_never_the_best():
  assert after([float("nan"), 0.3, float("inf")]).step == 2
  assert after([float("nan")]).step is None


def test_a_plain_name_is_the_mean_over_tasks_and_a_full_one_that_task():
  scores = {"a/accuracy": 0.2, "b/accuracy": 0.6, "b/exact_accuracy": 1.0}
  assert BestMetric().after(1, scores, "accuracy", "max").value == 0.4
  assert BestMetric().after(1, scores, "b/accuracy", "max").value == 0.6


def test_another_metric_begins_anew():
  best = after([0.9]).after(2, {"task/loss": 3.0}, "loss", "min")
  assert (best.metric, best.value, best.step) == ("loss", 3.0, 2)
  assert best.after(3, {}, None, "max") == BestMetric(evaluated=3)


def test_an_unknown_metric_is_named_with_those_there_are():
  with pytest.raises(errors.UserError, match="task/accuracy"):
    after([0.5], metric="bleu")
