"""One task name, any model: tokens are those of gin's vocabulary, always."""

import pathlib

import gin
import pytest
import seqio
import tensorflow as tf

from distill.data import views, vocabulary
from distill.errors import UserError

# SeqIO ships this model of 26 pieces with its wheel.
PIECES = str(
  pathlib.Path(seqio.__file__).parent
  / "test_data/sentencepiece/sentencepiece.model"
)
BINDING = """
from __gin__ import dynamic_registration
import seqio
from distill.data import vocabulary
vocabulary.model_vocabulary.vocabulary = %VOCABULARY
"""
MODELS = {
  "bytes": "VOCABULARY = @seqio.ByteVocabulary()",
  "pieces": f"""
VOCABULARY = @seqio.SentencePieceVocabulary()
seqio.SentencePieceVocabulary.sentencepiece_model_file = '{PIECES}'
""",
}
# 'this' by hand: bytes are shifted by 3; the pieces are '▁th', 'i' and 's'.
TOKENS = {"bytes": [119, 107, 108, 118], "pieces": [11, 8, 6]}


def load(model):
  with gin.unlock_config():
    gin.clear_config()
    gin.parse_config(BINDING + model)


@pytest.fixture(autouse=True)
def clear():
  yield
  gin.clear_config()


def task_of(name):
  feature = seqio.Feature(vocabulary.ModelVocabulary())
  rows = {"inputs": ["this"], "targets": ["this"]}
  return seqio.Task(
    name,
    source=seqio.FunctionDataSource(
      lambda split, shuffle_files: tf.data.Dataset.from_tensor_slices(rows),
      splits=["train"],
      num_input_examples={"train": 1},
    ),
    output_features={"inputs": feature, "targets": feature},
    preprocessors=[
      views.tokenize,
      seqio.preprocessors.append_eos,
    ],
  )


def test_a_task_follows_the_model_and_nothing_leaks():
  task = task_of("follows")
  one = vocabulary.ModelVocabulary()
  for name in ("bytes", "pieces", "bytes"):
    load(MODELS[name])
    [example] = task.get_dataset(split="train", shuffle=False)
    assert example["targets"].numpy().tolist() == [*TOKENS[name], one.eos_id]
    assert one.encode("this") == TOKENS[name]
    assert one.encode_tf(tf.constant("this")).numpy().tolist() == TOKENS[name]
    assert one.decode([*TOKENS[name], one.eos_id, 5]) == "this"
    batch = tf.constant([TOKENS[name]], tf.int32)
    assert one.decode_tf(batch).numpy().tolist() == [b"this"]


def test_every_property_is_the_named_vocabulary_s():
  for name, plain in {
    "bytes": seqio.ByteVocabulary(),
    "pieces": seqio.SentencePieceVocabulary(PIECES),
  }.items():
    load(MODELS[name])
    one = vocabulary.ModelVocabulary()
    for key in ("pad_id", "eos_id", "unk_id", "bos_id", "extra_ids"):
      assert getattr(one, key) == getattr(plain, key), key
    assert one.vocab_size == plain.vocab_size
    assert one._base_vocab_size == plain._base_vocab_size
    assert one == plain and not one != plain
    # As T5X compares the task's pair with the model's.
    assert (one, one) == (plain, plain)
  assert one.tokenizer.id_to_piece(11) == "▁th"
  assert one == vocabulary.ModelVocabulary()
  assert one != seqio.ByteVocabulary()


@pytest.mark.parametrize("missing", ["", "VOCABULARY = %gin.REQUIRED"])
def test_no_vocabulary_names_the_macro(missing):
  load(missing)
  with pytest.raises(UserError, match="VOCABULARY"):
    vocabulary.ModelVocabulary().encode("this")


def test_no_gin_file_at_all_names_the_macro():
  gin.clear_config()
  with pytest.raises(UserError, match="VOCABULARY") as error:
    list(task_of("no_gin").get_dataset(split="train", shuffle=False))
  assert "gin_configs/models" in error.value.remedy


def test_a_missing_file_names_the_macro_and_the_path(tmp_path):
  load(MODELS["pieces"].replace(PIECES, str(tmp_path / "no.model")))
  one = vocabulary.ModelVocabulary()
  with pytest.raises(UserError, match="VOCABULARY") as error:
    list(task_of("missing").get_dataset(split="train", shuffle=False))
  assert str(tmp_path / "no.model") in error.value.what
  # Comparing, as building a model does, needs no file.
  assert one != seqio.ByteVocabulary()


def test_a_file_that_is_no_model_names_the_macro(tmp_path):
  (tmp_path / "bad.model").write_text("<html>Sign in</html>")
  load(MODELS["pieces"].replace(PIECES, str(tmp_path / "bad.model")))
  with pytest.raises(UserError, match="VOCABULARY") as error:
    _ = vocabulary.ModelVocabulary().vocab_size
  assert str(tmp_path / "bad.model") in error.value.what
