"""Predictions as JSONL."""

import dataclasses
import json

import pytest
import seqio

from distill import errors
from distill.evaluation import inference


def write(student, config, partitioner, folder):
  """Writes predictions; returns the paths and the calls of on_progress."""
  calls = []
  model, params = student
  paths = inference.write_predictions(
    *(model, params, config, partitioner, str(folder)),
    on_progress=lambda *call: calls.append(call),
  )
  return paths, calls


def test_lines_have_what_the_task_gives(
  student, partitioner, make_config, questions, answers, tmp_path
):
  rows = [
    {"inputs": question, "targets": "x" if i < 2 else "", "id": f"id-{i}"}
    for i, question in enumerate(questions)
  ]
  config = make_config(rows)
  [path], calls = write(student, config, partitioner, tmp_path)
  assert path == str(tmp_path / "evaluation_test-predict.jsonl")
  with open(path) as file:
    lines = [json.loads(line) for line in file]
  expected = [
    {**row, "prediction": answer}
    for row, answer in zip(rows, answers, strict=True)
  ]
  for line in expected[2:]:
    del line["targets"]
  assert lines == expected
  assert calls[-1] == ("evaluation_test", 11, 0)
  assert [p.name for p in tmp_path.iterdir()] == [
    "evaluation_test-predict.jsonl"
  ]


def test_existing_predictions_are_not_overwritten(make_config, rows, tmp_path):
  config = make_config(rows)
  inference.check_outputs(config, str(tmp_path))
  kept = tmp_path / "evaluation_test-predict.jsonl"
  kept.write_text("kept")
  with pytest.raises(errors.UserError, match="exist already"):
    inference.check_outputs(config, str(tmp_path))


def test_a_stopped_run_leaves_nothing_that_looks_finished(
  student, partitioner, make_config, rows, tmp_path
):
  def stop(*_):
    raise KeyboardInterrupt

  model, params = student
  with pytest.raises(KeyboardInterrupt):
    inference.write_predictions(
      *(model, params, make_config(rows), partitioner, str(tmp_path)),
      on_progress=stop,
    )
  assert not list(tmp_path.glob("*.jsonl"))


def test_rationales_are_decoded_where_they_are_named(make_config, rows):
  label = make_config(rows, name="evaluation_test_label")
  rationale = make_config(rows, name="evaluation_test_rationale", metric_fns=[])
  names = [c.mixture_or_task_name for c in (label, rationale)]
  mixture = "evaluation_test_mixture"
  seqio.MixtureRegistry.add(mixture, names, 1.0)
  try:
    both = dataclasses.replace(label, mixture_or_task_name=mixture)
    for config, expected in [
      (both, names[:1]),
      (rationale, names[1:]),
    ]:
      tasks = inference.tasks_to_infer(config)
      assert [task.name for task in tasks] == expected
  finally:
    seqio.MixtureRegistry.remove(mixture)
