"""An exported student answers in transformers and CTranslate2 as it does here.

Needs the extra `huggingface`; skipped where it is not installed.
"""

import json
import os

import numpy as np
import pytest
import seqio

from distill import convert, errors, infer

pytestmark = pytest.mark.huggingface
transformers = pytest.importorskip("transformers", reason="no [huggingface]")
torch = pytest.importorskip("torch", reason="no [huggingface]")
ctranslate2 = pytest.importorskip("ctranslate2", reason="no [huggingface]")

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


@pytest.mark.parametrize(
  ("quantization", "least"), [("float32", 32), ("int8", 20)]
)
def test_ctranslate2_says_the_same(student, tmp_path, quantization, least):
  folder, inputs, expected = student
  output = str(tmp_path / "converted")
  converter = ctranslate2.converters.TransformersConverter(folder)
  converter.convert(output, quantization=quantization)
  translator = ctranslate2.Translator(output, compute_type=quantization)
  tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
  results = translator.translate_batch(
    [
      tokenizer.convert_ids_to_tokens(ids)
      for ids in tokenizer(inputs).input_ids
    ],
    beam_size=1,
    max_decoding_length=64,
  )
  said = [
    tokenizer.decode(
      tokenizer.convert_tokens_to_ids(result.hypotheses[0]),
      skip_special_tokens=True,
    )
    for result in results
  ]
  equal = np.array(said) == np.array(expected)
  assert equal.sum() >= least, list(zip(said, expected, strict=True))


def test_a_sentencepiece_vocabulary_gives_the_same_tokens(tmp_path, trained):
  arguments = [f"--input={trained[0]}", f"--output={tmp_path}/there"]
  arguments += ["--format=huggingface", f"--tokenizer={SENTENCEPIECE}"]
  assert errors.run_command(convert.main, arguments) == 0
  tokenizer = transformers.AutoTokenizer.from_pretrained(f"{tmp_path}/there")
  ours = seqio.SentencePieceVocabulary(SENTENCEPIECE)
  for text in ("this is a test", "the  old man, 42 years", "hello ▁ world"):
    assert tokenizer(text).input_ids == [*ours.encode(text), ours.eos_id]
