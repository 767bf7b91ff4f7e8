"""Metrics of a student whose right answers are known."""

import dataclasses
import json

import pytest

from distill import errors
from distill.evaluation import evaluator


def test_accuracy_predictions_and_a_second_evaluation(
  student, partitioner, make_config, rows, read, answers, tmp_path
):
  model, params = student
  scorer = evaluator.Evaluator(
    model, make_config(rows), partitioner, output_dir=str(tmp_path)
  )
  expected = {"evaluation_test/accuracy": pytest.approx(100 * 7 / 11)}
  assert scorer.evaluate(params, step=20) == expected
  [path] = tmp_path.iterdir()
  assert path.name == "evaluation_test-000020.jsonl"
  lines = [json.loads(line) for line in path.read_text().splitlines()]
  assert [line["inputs"] for line in lines] == [row["inputs"] for row in rows]
  assert [line["target"] for line in lines] == [row["targets"] for row in rows]
  assert [line["prediction"] for line in lines] == answers
  # Again: nothing is read or compiled anew.
  read.clear()
  assert scorer.evaluate(params, step=40) == expected
  assert not read
  assert scorer._predictor._decode._cache_size() == 1


def test_a_part_of_the_examples(student, partitioner, make_config, rows):
  model, params = student
  scorer = evaluator.Evaluator(
    model, make_config(rows), partitioner, num_examples=2
  )
  assert scorer.evaluate(params, 1) == {"evaluation_test/accuracy": 50.0}


def test_a_task_without_metrics_is_not_decoded(
  student, partitioner, make_config, rows, read
):
  model, params = student
  config = make_config(rows, metric_fns=[])
  scorer = evaluator.Evaluator(model, config, partitioner)
  assert scorer.tasks == ()
  assert scorer.evaluate(params, 1) == {}
  assert not read


@pytest.mark.parametrize(
  ("change", "what"),
  [
    ({"mixture_or_task_name": "evaluation_tst"}, "evaluation_tst"),
    ({"split": "validation"}, "validation"),
    ({"task_feature_lengths": {"inputs": 12, "targets": 2}}, "do not fit"),
    ({"task_feature_lengths": {"inputs": 12}}, "TASK_FEATURE_LENGTHS"),
  ],
)
def test_a_wrong_dataset_is_told_before_decoding(
  student, partitioner, make_config, rows, change, what
):
  config = dataclasses.replace(make_config(rows), **change)
  with pytest.raises(errors.UserError, match=what):
    evaluator.Evaluator(student[0], config, partitioner)
