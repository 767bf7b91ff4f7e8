"""An exported student answers in transformers and CTranslate2 as it does here.

Needs the extra `huggingface`; skipped where it is not installed.
"""

import json
import os
import re

import pytest
import seqio

from distill import errors, infer
from distill.commands import convert
from distill.contrib import export_benchmark

pytestmark = pytest.mark.huggingface
transformers = pytest.importorskip("transformers", reason="no [huggingface]")
torch = pytest.importorskip("torch", reason="no [huggingface]")
pytest.importorskip("ctranslate2", reason="no [huggingface]")

SENTENCEPIECE = os.path.join(
  os.path.dirname(seqio.__file__),
  "test_data/sentencepiece/sentencepiece.model",
)


@pytest.fixture(scope="module")
def student(trained, small_flags, tmp_path_factory):
  """The exported folder, inputs, and what the student answers here."""
  folder = tmp_path_factory.mktemp("exported")
  model_dir, _ = trained
  flags = [
    *(*small_flags, f"--gin.CHECKPOINT_PATH={model_dir}"),
    f"--gin.INFER_OUTPUT_DIR={folder}/said",
  ]
  assert errors.run_command(infer.main, flags) == 0
  [path] = (folder / "said").glob("*label*.jsonl")
  rows = [json.loads(line) for line in path.read_text().splitlines()[:32]]
  arguments = [f"--input={model_dir}", f"--output={folder}/student"]
  arguments.append("--format=huggingface")
  assert errors.run_command(convert.main, arguments) == 0
  return (
    str(folder / "student"),
    [row["inputs"] for row in rows],
    [row["prediction"] for row in rows],
  )


def test_transformers_says_the_same(student):
  folder, inputs, expected = student
  tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
  model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder)
  batch = tokenizer(inputs, return_tensors="pt", padding=True)
  with torch.no_grad():
    tokens = model.generate(**batch)
  assert tokenizer.batch_decode(tokens, skip_special_tokens=True) == expected


def test_ctranslate2_says_the_same(student):
  folder, inputs, expected = student
  said, _, _ = export_benchmark.answers(folder, inputs, "float32")
  assert said == expected


def test_most_answers_stay_in_int8(student):
  folder, inputs, expected = student
  said, _, _ = export_benchmark.answers(folder, inputs, "int8")
  assert sum(a == b for a, b in zip(said, expected, strict=True)) >= 20


def test_the_card_tells_speed_and_accuracy(trained, tmp_path):
  model_dir, _ = trained
  [examples] = (model_dir / "inference_eval").glob("*label-000200.jsonl")
  arguments = [f"--input={model_dir}/checkpoint_200", f"--measure={examples}"]
  arguments += [f"--output={tmp_path}/student", "--format=huggingface"]
  assert errors.run_command(convert.main, arguments) == 0
  card = (tmp_path / "student/README.md").read_text()
  rows = [json.loads(line) for line in examples.read_text().splitlines()]
  right = sum(row["prediction"] == row["target"] for row in rows)
  share = f"{100 * right / len(rows):.1f} % of {len(rows)}"
  assert f"`float32: exact match` | {share}" in card
  assert re.search(r"int8: latency.*p50 \d+\.\d ms, p95 \d+\.\d ms", card)


def test_a_sentencepiece_vocabulary_gives_the_same_tokens(tmp_path, trained):
  arguments = [f"--input={trained[0]}", f"--output={tmp_path}/there"]
  arguments += ["--format=huggingface", f"--tokenizer={SENTENCEPIECE}"]
  assert errors.run_command(convert.main, arguments) == 0
  tokenizer = transformers.AutoTokenizer.from_pretrained(f"{tmp_path}/there")
  ours = seqio.SentencePieceVocabulary(SENTENCEPIECE)
  for text in ("this is a test", "the  old man, 42 years", "hello ▁ world"):
    assert tokenizer(text).input_ids == [*ours.encode(text), ours.eos_id]
