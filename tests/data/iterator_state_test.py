"""An iterator's state as text: all of it, or an answer that it does not fit."""

import base64
import json
import zlib

import pytest
import tensorflow as tf

from distill.data import iterator_state


def numbers(count=50):
  """Shuffled, repeated, in batches: all that a position has to cover."""
  dataset = tf.data.Dataset.range(count).shuffle(20, seed=3).repeat()
  return iter(dataset.batch(4).prefetch(2))


def take(iterator, count):
  return [next(iterator).numpy().tolist() for _ in range(count)]


@pytest.mark.parametrize("consumed", [0, 1, 13])
def test_the_next_elements_are_those_of_the_iterator_that_was_packed(consumed):
  first, second = numbers(), numbers()
  take(first, consumed)
  state = json.loads(json.dumps(iterator_state.pack(first)))
  take(second, 5)  # wherever the other one was
  assert iterator_state.unpack(state, second)
  assert take(second, 6) == take(first, 6)


def test_packing_takes_no_element_away():
  first, second = numbers(), numbers()
  iterator_state.pack(first)
  assert take(first, 3) == take(second, 3)


def test_a_state_that_does_not_fit_is_said_so():
  state = iterator_state.pack(numbers())
  assert not iterator_state.unpack(None, numbers())
  assert not iterator_state.unpack(state | {"tensorflow": "1.0"}, numbers())
  lost = {n: t for n, t in state["files"].items() if n.endswith(".index")}
  assert not iterator_state.unpack(state | {"files": lost}, numbers())


def test_python_generators_have_no_state():
  spec = tf.TensorSpec((), tf.int32)
  dataset = tf.data.Dataset.from_generator(
    lambda: iter([1]), output_signature=spec
  )
  assert iterator_state.pack(iter(dataset)) is None


def test_a_forged_file_name_writes_nothing_elsewhere(tmp_path):
  state = iterator_state.pack(numbers())
  target = tmp_path / "forged"
  text = base64.b64encode(zlib.compress(b"evil")).decode()
  state["files"][f"../..{target}"] = text
  assert iterator_state.unpack(state, numbers())
  assert not target.exists()
