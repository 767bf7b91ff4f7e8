"""What a look at the data finds, task by task, before any step."""

import pytest
import seqio
import tensorflow as tf

from distill import errors
from distill.data import dataset_checks

NAMES = ("checks_train_only", "checks_both")
FEATURE = seqio.Feature(seqio.ByteVocabulary(), dtype=tf.int32)


@pytest.fixture(scope="module", autouse=True)
def mixture():
  def source(splits, target):
    def dataset_fn(split, shuffle_files=False, seed=None):
      values = {"inputs": ["ab"] * 3, "targets": ["x", target, "x"]}
      return tf.data.Dataset.from_tensor_slices(values)

    return seqio.FunctionDataSource(dataset_fn, splits=splits)

  splits = (["train"], ["train", "validation"])
  for name, names, target in zip(NAMES, splits, ("xxxx", "xx"), strict=True):
    seqio.TaskRegistry.add(
      name,
      source=source(names, target),
      preprocessors=[seqio.preprocessors.tokenize],
      output_features={"inputs": FEATURE, "targets": FEATURE},
    )
  seqio.MixtureRegistry.add("checks_mixture", NAMES, default_rate=1.0)
  yield seqio.get_mixture_or_task("checks_mixture")
  seqio.MixtureRegistry.remove("checks_mixture")
  for name in NAMES:
    seqio.TaskRegistry.remove(name)


def check(mixture, split, targets):
  lengths = {"inputs": 2, "targets": targets}
  dataset_checks.check_examples(mixture, split, lengths, False, False)


def test_the_task_of_a_mixture_that_does_not_fit_is_named(mixture):
  check(mixture, "train", targets=4)
  with pytest.raises(errors.UserError) as caught:
    check(mixture, "train", targets=3)
  assert "checks_mixture" in caught.value.what and NAMES[0] in caught.value.what
  assert "at least 4, the longest of 3" in caught.value.expected
  assert caught.value.found == "3, which cuts 1 of them"


def test_a_task_without_the_split_is_not_asked_for_it(mixture):
  dataset_checks.check_split(mixture, "validation")
  check(mixture, "validation", targets=2)
  with pytest.raises(errors.UserError, match="no split 'test'") as caught:
    dataset_checks.check_split(mixture, "test")
  assert caught.value.expected == "one of train, validation"


def test_a_vocabulary_may_fill_the_embedding_to_the_last_row(mixture):
  size = FEATURE.vocabulary.vocab_size
  dataset_checks.check_vocabulary(mixture, size)
  with pytest.raises(errors.UserError, match="checks_mixture") as caught:
    dataset_checks.check_vocabulary(mixture, size - 1)
  assert f"at least {size}" in caught.value.expected


def rows(*labels):
  return tuple((f"q{i}", label) for i, label in enumerate(labels))


@pytest.mark.usefixtures("byte_vocabulary")
def test_labels_that_are_missing_are_said(toy, caplog):
  with toy.registered(toy.Dataset("some", rows("a", "", "b"))):
    task = seqio.get_mixture_or_task("some_finetune")
    check(task, "validation", targets=9)
    assert "1 of 3 rows of 'some' in the split" in caplog.text
  with toy.registered(toy.Dataset("none", rows("", ""))):
    task = seqio.get_mixture_or_task("none_finetune")
    with pytest.raises(errors.UserError, match="empty") as caught:
      check(task, "test", targets=9)
  assert "2 of 2 rows of 'none'" in caught.value.found
  assert "gold label" in caught.value.remedy
