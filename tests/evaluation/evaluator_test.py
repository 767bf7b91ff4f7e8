"""Metrics of a student whose right answers are known."""

import dataclasses
import html
import json

import pytest

from distill import errors
from distill.data import metrics
from distill.evaluation import evaluator
from distill.model.decoding import Decoding


def read_lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def test_accuracy_predictions_and_a_second_evaluation(
  student, partitioner, make_config, rows, read, answers, tmp_path
):
  model, params = student
  scorer = evaluator.Evaluator(
    model, make_config(rows), partitioner, output_dir=str(tmp_path)
  )
  expected = {"evaluation_test/accuracy": pytest.approx(100 * 7 / 11)}
  assert scorer.evaluate(params, step=20) == expected
  lines = read_lines(tmp_path / "evaluation_test-000020.jsonl")
  assert [line["inputs"] for line in lines] == [row["inputs"] for row in rows]
  assert [line["target"] for line in lines] == [row["targets"] for row in rows]
  assert [line["prediction"] for line in lines] == answers
  # Where the whole output is the answer, it is not written twice.
  assert "output" not in lines[0]
  judged = read_lines(tmp_path / "evaluation_test-right.jsonl")
  # This task gives its examples no ids; they have their numbers.
  assert [line["id"] for line in judged] == list(range(11))
  assert [line["right"] for line in judged] == [
    int(i % 3 > 0) for i in range(11)
  ]
  assert len(list(tmp_path.iterdir())) == 2
  head, _, first, *others = scorer.samples()["evaluation_test"].splitlines()
  assert head == "| input | target | prediction |" and len(others) == 7
  assert [cell.strip() for cell in first.split("|")[1:-1]] == [
    *(
      rows[0]["inputs"],
      rows[0]["targets"],
      html.escape(errors.printable(answers[0])),
    )
  ]
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


def test_samples_are_judged_together(
  student, partitioner, make_config, rows, tmp_path
):
  model, params = student
  way = Decoding("sample", num_decodes=4, temperature=0.5)
  model = dataclasses.replace(model, decoding=way)
  config = make_config(rows, postprocess_fn=metrics.answer_after_arrow)
  scores = evaluator.Evaluator(
    model, config, partitioner, output_dir=str(tmp_path)
  ).evaluate(params, 3)
  assert set(scores) == {
    f"evaluation_test/{name}accuracy"
    for name in ("", "majority_", "oracle_", "best_likelihood_", "mean_")
  }
  lines = read_lines(tmp_path / "evaluation_test-000003.jsonl")
  # None of them has an arrow, so that none is an answer.
  assert [line["prediction"] for line in lines] == [[""] * 4] * 11
  assert all(len(line["output"]) == 4 for line in lines)
  assert set(scores.values()) == {0.0}
  judged = read_lines(tmp_path / "evaluation_test-right.jsonl")
  assert judged[0] == {"id": 0, "right": 0, "answer": ""}


def test_only_the_best_beam_is_judged(student, partitioner, make_config, rows):
  model, params = student
  model = dataclasses.replace(model, decoding=Decoding("beam", num_decodes=2))
  scorer = evaluator.Evaluator(model, make_config(rows), partitioner)
  assert set(scorer.evaluate(params, 1)) == {"evaluation_test/accuracy"}


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
def test_a_wrong_dataset_is_an_error_before_decoding(
  student, partitioner, make_config, rows, change, what
):
  config = dataclasses.replace(make_config(rows), **change)
  with pytest.raises(errors.UserError, match=what):
    evaluator.Evaluator(student[0], config, partitioner)
