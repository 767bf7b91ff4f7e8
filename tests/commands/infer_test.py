"""`distill infer`: predictions of any task as JSONL, or on the terminal."""

import io
import json

import pytest

from distill import errors, infer
from distill.data.procedural import LastLetters


@pytest.fixture
def flags(trained, small_flags, tmp_path):
  model_dir, _ = trained
  return [
    *small_flags,
    "--gin.TASK_FEATURE_LENGTHS={'inputs': 64, 'targets': 8}",
    "--gin.BATCH_SIZE=128",
    f"--gin.CHECKPOINT_PATH={model_dir}",
    f"--gin.INFER_OUTPUT_DIR={tmp_path}",
  ]


def test_rationales_of_the_test_split_on_request(flags, tmp_path, capfd):
  task = "last_letters_rationale"
  flags = [*flags, f"--gin.MIXTURE_OR_TASK_NAME={task}"]
  assert errors.run_command(infer.main, flags) == 0
  said = capfd.readouterr()
  examples = LastLetters().examples("test")
  assert f"{task}: {len(examples)}/{len(examples)}" in said.err
  assert "ETA" in said.err
  path = tmp_path / f"{task}-predict.jsonl"
  assert str(path) in said.out
  lines = [json.loads(line) for line in path.read_text().splitlines()]
  assert [line["id"] for line in lines] == [e.id for e in examples]
  assert lines[0]["inputs"] == "[rationale] " + examples[0].input
  assert {*lines[0]} == {"id", "inputs", "prediction", "score"}
  # Again: what is there stays.
  before = path.read_bytes()
  assert errors.run_command(infer.main, flags) == errors.USER_ERROR_EXIT
  assert "INFER_OUTPUT_DIR" in capfd.readouterr().err
  assert path.read_bytes() == before


def test_a_mixture_gives_its_labels(flags, tmp_path):
  flags = [*flags, "--gin.EVAL_SPLIT=validation"]
  assert errors.run_command(infer.main, flags) == 0
  [path] = tmp_path.iterdir()
  assert path.name == "last_letters_label-predict.jsonl"
  line = json.loads(path.read_text().splitlines()[0])
  [example, *_] = LastLetters().examples("validation")
  assert line["targets"] == example.label


def test_a_typed_input_gets_label_and_rationale(
  flags, tmp_path, monkeypatch, capsys
):
  """Teacher and cache are not needed, and nothing is written."""
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path / "none"))
  typed = LastLetters().examples("test")[0].input
  monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n" * 2 + "\nmore\n"))
  arguments = [flag for flag in flags if "INFER_OUTPUT_DIR" not in flag]
  assert errors.run_command(infer.main, [*arguments, "--interactive"]) == 0
  said = capsys.readouterr().out.split("input> ")
  assert len(said) == 4, "an empty line ends"
  assert said[0].startswith(str(flags[-2].partition("=")[2]))
  label, rationale = said[1].splitlines()
  assert label.startswith("  label: ")
  assert rationale.startswith("  rationale: ")
  assert said[2] == said[1]
  assert not list(tmp_path.iterdir())


def test_beams_by_macros(flags, tmp_path):
  beams = ["--gin.DECODING=beam", "--gin.NUM_DECODES=3"]
  flags = [*flags, "--gin.EVAL_SPLIT=validation", *beams]
  assert errors.run_command(infer.main, flags) == 0
  [path] = tmp_path.iterdir()
  lines = [json.loads(line) for line in path.read_text().splitlines()]
  # A place that no beam ended in is left out.
  assert {len(line.get("decodes", [0])) for line in lines} <= {1, 2, 3}
  for line in lines:
    assert line["score"] > -1e3
    assert all(d["score"] <= line["score"] for d in line.get("decodes", []))


def test_the_time_left_is_that_of_the_batches_left(capsys, monkeypatch):
  now = [0.0]
  monkeypatch.setattr(infer.time, "monotonic", lambda: now[0])
  progress = infer.TaskProgress(batch_size=30)
  for number in range(1, 101):
    if number % 30 == 1:
      now[0] += 5.0  # a batch comes at once
    progress("riddles", number, 100)
  lines = capsys.readouterr().err.splitlines()
  # Nothing is known of the pace in the first batch.
  assert lines[:3] == [f"riddles: {n}/100" for n in (10, 20, 30)]
  assert lines[3] == "riddles: 40/100  ETA 10 s"
  assert lines[-1] == "riddles: 100/100  ETA 0 s"


def test_labels_of_a_mixture_are_scored(trained, small_flags, tmp_path, capfd):
  model_dir, _ = trained
  flags = [
    *small_flags,
    "--gin.MODE=score",
    "--gin.BATCH_SIZE=128",
    "--gin.EVAL_SPLIT=validation",
    f"--gin.CHECKPOINT_PATH={model_dir}",
    f"--gin.INFER_OUTPUT_DIR={tmp_path}",
  ]
  assert errors.run_command(infer.main, flags) == 0
  [path] = tmp_path.iterdir()
  assert path.name == "last_letters_label-score.jsonl"
  lines = [json.loads(line) for line in path.read_text().splitlines()]
  examples = LastLetters().examples("validation")
  assert [line["targets"] for line in lines] == [e.label for e in examples]
  for line in lines:
    # Bytes, and the end.
    assert line["tokens"] == len(line["targets"]) + 1
    assert -12 * line["tokens"] < line["score"] < 0
  # 200 steps have taught it what labels look like: far above chance.
  mean = sum(line["score"] / line["tokens"] for line in lines) / len(lines)
  assert mean > -5.9, "a uniform guess of 384 tokens"
  capfd.readouterr()
  assert errors.run_command(infer.main, flags) == errors.USER_ERROR_EXIT
  assert "INFER_OUTPUT_DIR" in capfd.readouterr().err
