"""e-SNLI through TFDS, without a download."""

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from distill.data.published.esnli import ESnli
from distill.errors import UserError

ROWS = {
  "premise": ["A dog runs.", "Ein Löwe schläft.", "A dog runs."],
  "hypothesis": ["It moves.", "It is awake.", "It moves."],
  "label": [0, 2, 1],
}


def rows_of(builder, split, **kwargs):
  assert split == "validation" and not kwargs.get("shuffle_files")
  return tf.data.Dataset.from_tensor_slices(ROWS)


def test_rows_become_marked_premises_and_hypotheses_with_text_labels():
  with tfds.testing.mock_data(as_dataset_fn=rows_of):
    first, second, third = ESnli().examples("validation")
  assert first.input == "premise: A dog runs. hypothesis: It moves."
  assert first.label == "entailment"
  assert second.input == "premise: Ein Löwe schläft. hypothesis: It is awake."
  assert (second.label, third.label) == ("contradiction", "neutral")
  assert third.id == first.id + "-1"


def test_the_rows_of_tfds_itself_can_be_read():
  with tfds.testing.mock_data(num_examples=7):
    examples = ESnli().examples("train")
  assert len(examples) == 7
  labels = {example.label for example in examples}
  assert labels <= {"entailment", "neutral", "contradiction"}


def test_data_that_tfds_cannot_prepare_is_one_clear_error(tmp_path):
  in_the_way = tmp_path / "file"
  in_the_way.write_text("not a folder")
  with pytest.raises(UserError, match="TFDS_DATA_DIR") as error:
    ESnli(data_dir=str(in_the_way)).examples("test")
  assert str(in_the_way) in error.value.expected


def test_an_unknown_split_is_refused_before_any_download():
  with pytest.raises(UserError, match="'dev'"):
    ESnli(data_dir="/nowhere").examples("dev")
