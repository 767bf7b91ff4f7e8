"""The schema: what is written is what is read."""

import dataclasses

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from distill.data.cache import records

RECORD = records.Record(
  id="7",
  input="Zoë asks:\n1 + 1?",
  label="2",
  rationales=("One more than 1.", ""),
  teacher_labels=("2", ""),
  agrees=(records.AGREES, records.DISAGREES),
  finish_reasons=("stop", "length"),
  teachers=("gpt", "builtin"),
  hinted=(0, 1),
  verdicts=(records.SUPPORTED, records.NOT_JUDGED),
  logprobs=(-1.5, -0.25),
  completions=("1 + 1. So the answer is 2", "\0"),
)


@pytest.mark.parametrize(
  "record",
  [RECORD, dataclasses.replace(RECORD, logprobs=(), completions=(), label="")],
)
def test_a_record_survives_its_serialisation(record):
  content = records.serialise(record)
  decoded = tfds.as_numpy(records.features().deserialize_example(content))
  assert records.Record.from_dict(decoded) == record
  assert records.deserialise(content) == record
  assert records.heading(content) == ("7", record.input, 2)


def test_the_schema_is_the_record():
  fields = [field.name for field in dataclasses.fields(records.Record)]
  assert list(records.features()) == fields


def test_serialised_fields_have_one_order():
  example = tf.train.Example.FromString(records.serialise(RECORD))
  keys = [key.encode() for key in sorted(example.features.feature)]
  places = [records.serialise(RECORD).index(key + b"\x12") for key in keys]
  assert len(keys) == 12 and places == sorted(places)


@pytest.mark.parametrize(
  "field",
  ["teacher_labels", "agrees", "finish_reasons", "teachers", "hinted"]
  + ["verdicts", "logprobs", "completions"],
)
def test_answers_that_are_not_aligned_are_refused(field):
  shorter = getattr(RECORD, field)[:1]
  with pytest.raises(ValueError, match="record 7"):
    dataclasses.replace(RECORD, **{field: shorter})
