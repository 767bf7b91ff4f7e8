"""One task name, any model: tokens are those of gin's vocabulary, always."""

import pathlib

import gin
import pytest
import seqio
import tensorflow as tf
from sentencepiece import sentencepiece_model_pb2

from distill import errors
from distill.data import dataset_checks, registration, views, vocabulary
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


def sentencepiece(path=PIECES, **options):
  return seqio.SentencePieceVocabulary(path, **options)


@pytest.fixture
def changed(tmp_path):
  """Returns a function that writes a changed copy of the SentencePiece file."""

  def write(change):
    model = sentencepiece_model_pb2.ModelProto.FromString(
      pathlib.Path(PIECES).read_bytes()
    )
    change(model)
    path = tmp_path / "changed.model"
    path.write_bytes(model.SerializeToString())
    return str(path)

  return write


def add_sentinels(model):
  """As T5's file '…100extra' has them."""
  for number in reversed(range(100)):
    model.pieces.add(piece=f"<extra_id_{number}>", score=0.0, type=4)


def swap_two_pieces(model):
  one, other = model.pieces[10], model.pieces[11]
  one.piece, other.piece = other.piece, one.piece


def keep_case(model):
  model.normalizer_spec.name = "identity"
  model.normalizer_spec.precompiled_charsmap = b""


@pytest.mark.parametrize(
  ("one", "other"),
  [
    (lambda _: sentencepiece(), lambda _: sentencepiece()),
    (lambda _: sentencepiece(), lambda _: sentencepiece(extra_ids=100)),
    (lambda _: sentencepiece(extra_ids=5),
     lambda _: sentencepiece(extra_ids=9, reverse_extra_ids=False)),
    (lambda _: sentencepiece(),
     lambda changed: sentencepiece(changed(add_sentinels))),
    (lambda _: sentencepiece(),
     lambda changed: sentencepiece(changed(lambda model: None))),
    (lambda _: seqio.ByteVocabulary(), lambda _: seqio.ByteVocabulary(125)),
    (lambda _: seqio.vocabularies.UnigramVocabulary(["a", "b"]),
     lambda _: seqio.vocabularies.UnigramVocabulary(["a", "b"])),
  ],
)  # fmt: skip
def test_the_same_ids_are_the_same_vocabulary(changed, one, other):
  found = vocabulary.difference(one(changed), other(changed))
  assert found is None


@pytest.mark.parametrize(
  ("one", "other", "words"),
  [
    (lambda _: sentencepiece(), lambda _: seqio.ByteVocabulary(), PIECES),
    (lambda _: sentencepiece(),
     lambda changed: sentencepiece(changed(swap_two_pieces)), "26 ids"),
    (lambda _: sentencepiece(),
     lambda changed: sentencepiece(changed(keep_case)), "26 ids"),
    (lambda _: sentencepiece(),
     lambda changed: sentencepiece(changed(lambda m: m.pieces.pop())),
     "26 ids"),
    (lambda _: seqio.ByteVocabulary(),
     lambda _: seqio.PassThroughVocabulary(259), "ByteVocabulary"),
    (lambda _: seqio.vocabularies.UnigramVocabulary(["a", "b"]),
     lambda _: seqio.vocabularies.UnigramVocabulary(["b", "a"]), "4 ids"),
  ],
)  # fmt: skip
def test_other_ids_are_another_vocabulary(changed, one, other, words):
  found = vocabulary.difference(one(changed), other(changed))
  assert found is not None and words in found[0]


def test_a_file_of_another_kind_need_not_be_there():
  gone = sentencepiece("/nowhere/spiece.model")
  expected, found = vocabulary.difference(gone, seqio.ByteVocabulary())
  assert "/nowhere/spiece.model" in expected and found == "ByteVocabulary"
  with pytest.raises(errors.UserError, match="/nowhere/spiece.model"):
    vocabulary.difference(sentencepiece(), gone)


@pytest.fixture
def tasks():
  """Tasks of a user's own, each with its vocabularies, and mixtures of them."""
  rows = {"inputs": ["this"], "targets": ["is"]}
  source = seqio.FunctionDataSource(
    lambda split, shuffle_files=False, seed=None: (
      tf.data.Dataset.from_tensor_slices(rows)
    ),
    splits=["train"],
  )
  byte, pieces = seqio.ByteVocabulary(), sentencepiece(extra_ids=10)
  features = {
    "kept_bytes": (byte, byte),
    "kept_pieces": (pieces, pieces),
    "kept_both": (pieces, byte),
  }
  for name, (inputs, targets) in features.items():
    seqio.TaskRegistry.add(
      name,
      source=source,
      preprocessors=[seqio.preprocessors.tokenize],
      output_features={
        "inputs": seqio.Feature(inputs),
        "targets": seqio.Feature(targets),
      },
    )
  seqio.MixtureRegistry.add(
    "kept_mixture", ["kept_bytes", "kept_both"], default_rate=1
  )
  yield
  seqio.MixtureRegistry.remove("kept_mixture")
  for name in features:
    seqio.TaskRegistry.remove(name)


@pytest.mark.parametrize(
  ("name", "inputs", "targets", "wrong"),
  [
    ("kept_bytes", "bytes", "bytes", ""),
    ("kept_bytes", "pieces", "pieces", "'inputs'"),
    ("kept_bytes", "bytes", "pieces", "'targets'"),
    ("kept_pieces", "pieces", "pieces", ""),
    ("kept_both", "pieces", "bytes", ""),
    ("kept_both", "bytes", "bytes", "'inputs'"),
    ("kept_mixture", "bytes", "bytes", "'kept_both'"),
  ],
)
def test_each_feature_of_each_task_has_the_model_s(
  tasks, name, inputs, targets, wrong
):
  known = {"bytes": seqio.ByteVocabulary(), "pieces": sentencepiece()}
  provider = seqio.get_mixture_or_task(name)

  def check():
    dataset_checks.check_same_vocabulary(
      provider, known[inputs], known[targets]
    )

  if not wrong:
    check()
    return
  with pytest.raises(errors.UserError, match="not have the model's") as caught:
    check()
  assert wrong in str(caught.value)
  assert "VOCABULARY" in caught.value.remedy


def test_a_registered_dataset_follows_what_gin_names():
  with gin.unlock_config():
    gin.clear_config()
    gin.parse_config(
      "from __gin__ import dynamic_registration\n"
      "import seqio\nfrom distill.data import vocabulary\n"
      "vocabulary.model_vocabulary.vocabulary = @seqio.ByteVocabulary()\n"
    )
  registration.find_family("last_letters")
  provider = seqio.get_mixture_or_task("last_letters_step_by_step")
  byte, pieces = seqio.ByteVocabulary(), sentencepiece()
  dataset_checks.check_same_vocabulary(provider, byte, byte)
  assert vocabulary.identity(
    vocabulary.ModelVocabulary()
  ) == vocabulary.identity(byte)
  with pytest.raises(errors.UserError, match="last_letters_label"):
    dataset_checks.check_same_vocabulary(provider, pieces, pieces)
  gin.clear_config()
