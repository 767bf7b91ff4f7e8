"""Filters: what each keeps of one record, and in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.answers.rules import NumberAnswer
from distill.data.cache import records
from distill.data.filters import Filters, choose, select, split_up
from distill.errors import UserError

ROW = records.Record(
  id="7",
  input="5 + 3?",
  label="8",
  rationales=("a b c d e", "A b c d e!", "", "x y", "a b c z", "p q r s t u"),
  teacher_labels=("8", "8.0", "", "9", "9", "9"),
  agrees=(1, 1, 0, 0, 0, 0),
  finish_reasons=("stop", "stop", "length", "stop", "stop", "stop"),
  teachers=("big", "small", "small", "big", "small", "big"),
  hinted=(0, 1, 0, 0, 0, 0),
  verdicts=(1, 0, -1, -1, -1, -1),
  logprobs=(-3.0, -1.0, -2.0, -6.0, -5.0, -4.0),
)


def kept(row=ROW, **options):
  """Returns the places of the answers that are kept, in their order."""
  content, _ = choose([row], Filters(**options).steps(NumberAnswer()), False)
  return [ROW.logprobs.index(p) for r in content for p in r.logprobs]


@pytest.mark.parametrize(
  "options, places",
  [
    ({}, [0, 1, 2, 3, 4, 5]),
    ({"agrees": True}, [0, 1]),
    # '8' and '8.0' are one answer, but '9' is more frequent.
    ({"majority": True}, [3, 4, 5]),
    ({"majority": True, "teachers": ("small",)}, [1]),
    ({"complete": True}, [0, 1, 3, 4, 5]),
    ({"verified": True}, [0]),
    ({"unhinted": True}, [0, 2, 3, 4, 5]),
    ({"min_words": 3, "max_words": 5}, [0, 1, 4]),
    ({"max_words": 0}, [2]),
    # The second is the first but for case; an empty one is like no other.
    ({"deduplicate": True}, [0, 2, 3, 4, 5]),
    ({"pick": 2}, [0, 1]),
    ({"pick": 2, "agrees": True}, [0, 1]),
    ({"pick": 3, "by": "likelihood"}, [1, 2, 0]),
    ({"pick": 9, "by": "teacher", "teachers": ("small", "big")},
     [1, 2, 4, 0, 3, 5]),
    # The first, then the least like it.
    ({"pick": 3, "by": "diversity", "complete": True}, [0, 3, 5]),
    ({"pick": 0}, []),
  ],
)  # fmt: skip
def test_each_filter_keeps_what_it_says(options, places):
  assert kept(**options) == places


def test_a_random_pick_is_the_seeds_and_the_examples():
  picks = [tuple(kept(pick=2, by="random", seed=seed)) for seed in range(300)]
  assert picks[3] == tuple(kept(pick=2, by="random", seed=3))
  assert len(set(picks)) == 30 and all(len(set(pick)) == 2 for pick in picks)


def test_what_is_left_of_a_record_stays_aligned():
  row = select(ROW, [4, 0])
  assert row.rationales == ("a b c z", "a b c d e")
  assert (row.agrees, row.teachers) == ((0, 1), ("small", "big"))
  assert row.completions == ()
  assert [one.id for one in split_up(row)] == ["7", "7/1"]
  assert [one.agrees for one in split_up(row)] == [(0,), (1,)]
  content, taken = choose(
    [ROW, select(ROW, [3])], Filters(agrees=True).steps(NumberAnswer()), True
  )
  assert [one.id for one in content] == ["7", "7/1"]
  assert taken == {"agrees": 5}


@given(
  st.permutations(range(6)),
  st.sampled_from(["first", "random", "diversity", "likelihood"]),
  st.integers(0, 7),
)
def test_a_pick_is_at_most_k_of_what_was_there(order, by, count):
  row = select(ROW, order)
  places = kept(row, pick=count, by=by)
  assert len(places) == len(set(places)) == min(count, 6)


def test_a_pick_that_cannot_be_made_is_refused():
  unknown = records.Record(**{**ROW.to_dict(), "logprobs": ()})
  with pytest.raises(UserError, match="'7' have no likelihood"):
    kept(unknown, pick=1, by="likelihood")
  with pytest.raises(UserError, match="diversity"):
    Filters(by="best")
  with pytest.raises(UserError, match="--teachers"):
    Filters(by="teacher")
