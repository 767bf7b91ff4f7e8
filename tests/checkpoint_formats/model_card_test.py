"""What a model card learns from the files beside a checkpoint."""

import pytest

from distill.checkpoint_formats import model_card


@pytest.fixture
def record(tmp_path):
  """Returns a function that reads the record of a config.gin."""

  def read(text):
    (tmp_path / "checkpoint_1").mkdir()
    (tmp_path / "config.gin").write_text(text)
    return model_card.TrainingRecord(str(tmp_path / "checkpoint_1"))

  return read


@pytest.mark.parametrize(
  ("text", "shown"),
  [
    ("MODEL_DIR = '/home/me/runs/one'", "MODEL_DIR = '…/one'"),
    ("MODEL_DIR = \\\n    '/home/me/one'", "MODEL_DIR = \\\n    '…/one'"),
    ("A = ('/home/me and '\n     'my friends/one')", "A = ('…/one')"),
    ("A = ['~/one', 'file:///home/me/two']", "A = ['…/one', '…/two']"),
    ("A = {'x': '../../me/one'}", "A = {'x': '…/one'}"),
    ("A = 'gs://bucket/one'", "A = 'gs://bucket/one'"),
    ("A = 'constant * linear_warmup'", "A = 'constant * linear_warmup'"),
  ],
)
def test_no_path_of_the_machine_is_shown(record, text, shown):
  assert record(text).text == shown


@pytest.mark.parametrize(
  ("path", "name"),
  [
    ("[]", ""),
    ("'gs://t5-data/pretrained_models/t5x/t5_1_1_base/checkpoint_1000000'",
     "google/t5-v1_1-base"),
    ("['/data/byt5_small/checkpoint_5']", "google/byt5-small"),
    ("'/home/me/my_t5'", "my_t5"),
    ("'/home/me/my_t5/checkpoint_7'", "my_t5"),
  ],
)  # fmt: skip
def test_the_base_model_has_its_public_name(record, path, name):
  assert record(f"INITIAL_CHECKPOINT_PATH = {path}").base_model() == name


def test_what_is_not_there_is_not_known(record):
  empty = record("")
  assert (empty.base_model(), empty.task(), empty.extra_ids()) == (
    None,
    "",
    None,
  )
  assert empty.teachers() == [] and empty.metrics() == {}


def test_the_sentinels_of_the_vocabulary_are_those_of_gin(tmp_path, record):
  found = record(
    "VOCABULARY_FILE = '/v/sentencepiece.model'\n"
    "VOCABULARY/seqio.SentencePieceVocabulary.extra_ids = 100\n"
  )
  assert (found.vocabulary(), found.extra_ids()) == (
    "/v/sentencepiece.model",
    100,
  )
