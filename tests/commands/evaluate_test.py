"""`distill evaluate`: the test split's score of a checkpoint."""

import json
import math

import pytest

from distill import errors, evaluate
from distill.data import registration


@pytest.fixture(scope="module")
def scored(trained, small_flags, tmp_path_factory):
  """The folder of an evaluation, and what it returned."""
  model_dir, _ = trained
  folder = tmp_path_factory.mktemp("scored")
  flags = [
    *small_flags,
    f"--gin.CHECKPOINT_PATH={model_dir}",
    f"--gin.EVAL_OUTPUT_DIR={folder}",
    "--gin.EVALUATOR_NUM_EXAMPLES=40",
  ]
  assert errors.run_command(evaluate.main, flags) == 0
  return folder, flags


def test_the_metrics_are_those_of_the_predictions(scored, trained):
  folder, _ = scored
  metrics = json.loads((folder / "metrics.json").read_text())
  assert metrics["split"] == "test"
  checkpoint = metrics["checkpoint"]
  assert checkpoint.startswith(f"{trained[0]}/checkpoint_")
  step = int(checkpoint.rpartition("_")[2])
  path = folder / f"last_letters_label-{step:06d}.jsonl"
  lines = [json.loads(line) for line in path.read_text().splitlines()]
  right = [line["prediction"] == line["target"] for line in lines]
  assert len(right) == 40
  assert metrics["last_letters_label/accuracy"] == pytest.approx(
    100 * sum(right) / 40
  )
  # One by one, for a paired test: as they stand in the split.
  path = folder / "last_letters_label-right.jsonl"
  judged = [json.loads(line) for line in path.read_text().splitlines()]
  examples = registration.find_family("last_letters").dataset.examples("test")
  assert [line["id"] for line in judged] == [e.id for e in examples[:40]]
  assert [line["right"] for line in judged] == list(map(int, right))
  assert [line["answer"] for line in judged] == [
    line["prediction"] for line in lines
  ]


def test_the_rationales_are_asked_for_too(scored):
  metrics = json.loads((scored[0] / "metrics.json").read_text())
  for name in (
    "last_letters_rationale/right_rationales",
    "last_letters/consistency",
    "last_letters/concluding_rationales",
  ):
    assert 0 <= metrics[name] <= 100
  right = metrics["last_letters_rationale/right_rationales"]
  assert right == 100 or metrics["last_letters_rationale/first_wrong_step"] >= 0


def test_rationales_are_left_out_where_that_is_said(scored, tmp_path, capsys):
  flags = [
    *scored[1],
    f"--gin.EVAL_OUTPUT_DIR={tmp_path}",
    "--gin.EVAL_RATIONALES=False",
  ]
  assert errors.run_command(evaluate.main, flags) == 0
  metrics = json.loads((tmp_path / "metrics.json").read_text())
  both = json.loads((scored[0] / "metrics.json").read_text())
  label = "last_letters_label/accuracy"
  assert metrics[label] == both[label]
  rationales = ("last_letters_rationale/", "last_letters/")
  assert not [name for name in metrics if name.startswith(rationales)]
  # What to hold the accuracy against: Wilson's interval, by its formula, and
  # the most frequent target.
  z, n, p = 1.959964, 40, metrics[label] / 100
  middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
  half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + (z / n / 2) ** 2)
  low, high = 100 * abs(middle - half), 100 * (middle + half)
  [file] = tmp_path.glob("last_letters_label-0*.jsonl")
  targets = [
    json.loads(line)["target"] for line in file.read_text().split("\n")[:40]
  ]
  answer = max(dict.fromkeys(targets), key=targets.count)
  share = 100 * targets.count(answer) / 40
  text = f"40 examples, 95% interval {low:.1f} to {high:.1f};"
  assert (
    f"({text} always '{answer}' has {share:.1f})" in capsys.readouterr().out
  )


def test_another_evaluation_is_compared_example_by_example(
  scored, tmp_path, capsys
):
  flags = [*scored[1], "--gin.EVAL_RATIONALES=False"]
  flags += ["--gin.EVALUATOR_NUM_EXAMPLES=8", f"--against={tmp_path / 'other'}"]
  flags += [f"--gin.EVAL_OUTPUT_DIR={tmp_path}"]
  assert errors.run_command(evaluate.main, flags) == 2
  assert (
    "--against has no result of last_letters_label" in capsys.readouterr()[1]
  )
  lines = (scored[0] / "last_letters_label-right.jsonl").read_text().split("\n")
  judged = [json.loads(line) for line in lines[:8]]
  judged[3]["right"] = 1 - judged[3]["right"]
  (tmp_path / "other").mkdir()
  (tmp_path / "other" / "last_letters_label-right.jsonl").write_text(
    "\n".join(map(json.dumps, judged))
  )
  assert errors.run_command(evaluate.main, flags) == 0
  out = capsys.readouterr().out
  assert "12.5 points on 8 common examples" in out
  assert f": 1 ({judged[3]['id']})" in out


def test_samples_are_voted_on(scored, tmp_path):
  flags = [
    *scored[1],
    f"--gin.EVAL_OUTPUT_DIR={tmp_path}",
    "--gin.EVALUATOR_NUM_EXAMPLES=8",
    "--gin.DECODING=sample",
    "--gin.NUM_DECODES=3",
  ]
  assert errors.run_command(evaluate.main, flags) == 0
  metrics = json.loads((tmp_path / "metrics.json").read_text())
  path = tmp_path / "last_letters_label-right.jsonl"
  judged = [json.loads(line) for line in path.read_text().splitlines()]
  task = "last_letters_label"
  assert metrics[f"{task}/accuracy"] == pytest.approx(
    100 * sum(line["right"] for line in judged) / 8
  )
  for name in ("mean", "majority", "best_likelihood"):
    score = metrics[f"{task}/{name}_accuracy"]
    assert 0 <= score <= metrics[f"{task}/oracle_accuracy"]
  assert 0 <= metrics["last_letters/consistency"] <= 100


def test_test_and_validation_are_other_examples(scored, trained):
  asked = [
    {json.loads(line)["inputs"] for line in path.read_text().splitlines()}
    for folder in (scored[0], trained[0] / "inference_eval")
    for path in folder.glob("*-0*.jsonl")
  ]
  assert not asked[0] & asked[1]


@pytest.mark.parametrize(
  ("flag", "words"),
  [
    ("--gin.CHECKPOINT_PATH=/nowhere", ["/nowhere", "CHECKPOINT_PATH"]),
    ("--gin.EVAL_SPLIT=tset", ["tset", "test"]),
    ("--gin.MIXTURE_OR_TASK_NAME=last_letters_rationale", ["distill infer"]),
    ("--gin_bindings=T5Config.emb_dim=16", ["emb_dim = 16", "emb_dim = 32"]),
  ],
)
def test_bad_input_is_one_error(scored, capfd, flag, words):
  folder, flags = scored
  before = {path: path.read_bytes() for path in folder.iterdir()}
  code = errors.run_command(evaluate.main, [*flags, flag])
  assert code == errors.USER_ERROR_EXIT
  said = capfd.readouterr().err
  assert "Traceback" not in said
  for word in words:
    assert word in said
  assert before == {path: path.read_bytes() for path in folder.iterdir()}
