"""Ids: stable, blind to case and spacing, unique in a split."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data import examples
from distill.data.procedural import CoinFlip
from distill.errors import UserError


def test_an_id_never_changes_between_releases():
  # Caches join on it: sha256("a b")[:16], by `printf 'a b' | sha256sum`.
  assert examples.example_id("A  b\n") == "c8687a08aa5d6ed2"


@given(st.text())
def test_case_and_spacing_change_neither_id_nor_bucket(text):
  spaced = f"  {text}\n".replace(" ", " \t")
  assert examples.example_id(spaced) == examples.example_id(text)
  assert examples.hash_bucket(spaced, 10) == examples.hash_bucket(text, 10)
  assert examples.normalise(examples.normalise(text)) == examples.normalise(
    text
  )


def test_buckets_are_even():
  counts = collections.Counter(
    examples.hash_bucket(f"question {i}", 10) for i in range(5000)
  )
  assert set(counts) == set(range(10))
  assert max(counts.values()) - min(counts.values()) < 150


def test_repeated_inputs_keep_their_place_and_get_their_own_id():
  first, other, second, third = examples.with_ids(
    [("a", "1"), ("b", "2"), ("A", "3"), ("a ", "")]
  )
  assert second.id == first.id + "-1" and third.id == first.id + "-2"
  assert len({first.id, other.id, second.id, third.id}) == 4
  assert (second.input, second.label, third.label) == ("A", "3", "")


def test_an_unknown_split_is_named_with_those_that_exist():
  with pytest.raises(UserError, match="coin_flip.*'dev'") as error:
    CoinFlip().examples("dev")
  assert error.value.expected == "one of train, validation, test"


@pytest.mark.parametrize(
  "row, found",
  [
    (("a", "b", "c"), "no pair"),
    ("ab", "no pair"),
    (("a", None), "label is malformed: null"),
    ((["a"], "b"), "input is malformed"),
    (("\t", "b"), "blank"),
  ],
)
def test_what_is_no_row_is_named(row, found):
  with pytest.raises(UserError, match="Row 1") as error:
    examples.with_ids([("a", 1), row])
  assert found in error.value.found


class Twice:
  """A dataset whose own ids are not unique."""

  name, splits = "twice", ("train",)

  def examples(self, split):
    return [examples.Example("x", text, "") for text in ("a", "b")]


def test_two_examples_with_one_id_are_refused():
  with pytest.raises(UserError, match="Example 1 of twice") as error:
    examples.read_split(Twice(), "train")
  assert "'x'" in error.value.found
