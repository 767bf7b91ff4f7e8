"""`distill score`: log-likelihoods of given targets as JSONL."""

import json

from distill import errors, score
from distill.data.procedural.questions import LastLetters


def test_labels_of_a_mixture_are_scored(trained, small_flags, tmp_path, capfd):
  model_dir, _ = trained
  flags = [
    *small_flags,
    "--gin.BATCH_SIZE=128",
    "--gin.EVAL_SPLIT=validation",
    f"--gin.CHECKPOINT_PATH={model_dir}",
    f"--gin.INFER_OUTPUT_DIR={tmp_path}",
  ]
  assert errors.run_command(score.main, flags) == 0
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
  assert errors.run_command(score.main, flags) == errors.USER_ERROR_EXIT
  assert "INFER_OUTPUT_DIR" in capfd.readouterr().err
