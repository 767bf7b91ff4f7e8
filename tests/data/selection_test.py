"""Parts are exact, nested, the seed's own; bad macros are named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.answers.rules import NumberAnswer
from distill.data.cache import records
from distill.data.cache.records import Record
from distill.data.examples import Choice
from distill.data.selection import Filters, Selection, choose, select, split_up
from distill.errors import UserError

IDS = [f"id{number}" for number in range(800)]
TEXTS = ("one", "", "one two three", "one two", "four words are these")
AGREES = (1, 0, 0, 1, 0)


def record(texts=TEXTS, agrees=AGREES, name="x", logprobs=()):
  count = len(texts)
  labels = tuple("ab"[1 - agree] for agree in agrees)
  none = (0,) * count
  return Record(
    *(name, "q", "a", texts, labels, agrees),
    *(("stop",) * count, ("t",) * count, none, none, logprobs),
  )


def test_by_default_nothing_is_left_out():
  assert Selection().is_everything
  assert Selection(seed=3, pick="random").is_everything
  assert not Selection(coverage=0.5).is_everything
  assert Selection().chosen(IDS) == set(IDS)
  assert list(Selection().kept(record())) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("seed", [0, 1])
def test_fractions_are_exact_and_nested(seed):
  parts = [
    Selection(fraction=share, seed=seed).chosen(IDS)
    for share in (0.125, 0.25, 0.5, 0.75, 1.0)
  ]
  assert [len(part) for part in parts] == [100, 200, 400, 600, 800]
  few = [
    Selection(num_examples=count, seed=seed).chosen(IDS)
    for count in (8, 32, 128)
  ]
  assert [len(part) for part in few] == [8, 32, 128]
  whole = sorted([*parts, *few], key=len)
  assert all(a < b for a, b in zip(whole, whole[1:], strict=False))


def test_a_part_depends_on_ids_and_seed_alone():
  part = Selection(fraction=0.25).chosen(IDS)
  assert part == Selection(fraction=0.25).chosen(IDS[::-1])
  assert part != Selection(fraction=0.25, seed=1).chosen(IDS)
  assert 8 < len(part & Selection(fraction=0.25, seed=1).chosen(IDS)) < 100


def test_coverage_is_nested_and_of_the_same_order():
  chosen = Selection(fraction=0.5).chosen(IDS)
  sizes = {0: 0, 0.25: 100, 0.5: 200, 1: 400}
  parts = {c: Selection(coverage=c).covered(chosen) for c in sizes}
  assert {c: len(part) for c, part in parts.items()} == sizes
  assert parts[0.25] < parts[0.5] < parts[1] == chosen
  assert parts[0.25] == Selection(fraction=0.125).chosen(IDS)


def test_a_count_beyond_the_data_is_refused():
  assert Selection(num_examples=8, fraction=0.01).count(800) == 8
  with pytest.raises(UserError, match="NUM_TRAIN_EXAMPLES") as error:
    Selection(num_examples=9, fraction=0.01).count(800)
  assert error.value.expected.startswith("at most 8")
  assert Selection(fraction=0.001).count(800) == 1


@pytest.mark.parametrize(
  "options, kept",
  [
    ({"max_words": 2}, ("one", "one two")),
    ({"min_words": 2, "max_words": 3}, ("one two three", "one two")),
    ({"rationales": 2}, ("one", "one two three")),
    ({"rationales": 2, "min_words": 3}, ("one two three", TEXTS[4])),
    ({"rationales": 2, "pick": "diversity"}, ("one", TEXTS[4])),
    ({"rationales": 1, "pick": "likelihood"}, (TEXTS[4],)),
    ({"rationales": 9}, tuple(text for text in TEXTS if text)),
  ],
)
def test_rationales_are_picked_with_what_belongs_to_them(options, kept):
  whole = record(logprobs=(-5.0, -1.0, -4.0, -3.0, -2.0))
  found = select(whole, Selection(**options).kept(whole))
  assert found.rationales == kept
  places = [TEXTS.index(text) for text in kept]
  assert found.agrees == tuple(AGREES[place] for place in places)
  assert found.logprobs == tuple(whole.logprobs[place] for place in places)


def test_random_picks_are_the_seed_s():
  def picked(seed, count):
    options = {"seed": seed, "rationales": count, "pick": "random"}
    return select(record(), Selection(**options).kept(record())).rationales

  assert picked(1, 2) == picked(1, 2)
  assert len({picked(seed, 2) for seed in range(20)}) > 3


@pytest.mark.parametrize(
  "options, limits",
  [
    ({}, False),
    ({"coverage": 0.5, "num_examples": 3, "pick": "random"}, False),
    ({"min_words": 9}, True),
    ({"max_words": 0}, True),
    ({"rationales": 9}, True),
  ],
)
def test_some_selections_depend_on_the_answers(options, limits):
  assert Selection(**options).limits_answers == limits


@pytest.mark.parametrize("options", [{"min_words": 9}, {"max_words": 0}])
def test_no_answer_may_be_left(options):
  assert not Selection(**options).kept(record())


def test_easy_examples_have_short_rationales_or_teachers_that_agree():
  length = Selection(curriculum="rationale_length")
  assert length.hardness(record()) == 10 / 4
  assert length.hardness(record(("",), (0,))) == float("inf")
  agreement = Selection(curriculum="teacher_agreement")
  assert agreement.hardness(record()) == -2 / 5
  assert agreement.hardness(record((), ())) == float("inf")


def test_a_curriculum_is_never_shuffled():
  with pytest.raises(UserError, match="curriculum") as error:
    Selection(curriculum="rationale_length").check_order(shuffle=True)
  assert "SHUFFLE=False" in error.value.remedy
  Selection(curriculum="rationale_length").check_order(shuffle=False)
  Selection().check_order(shuffle=True)


@pytest.mark.parametrize(
  "options, macro",
  [
    ({"fraction": 1.5}, "DATA_FRACTION"),
    ({"coverage": -0.1}, "RATIONALE_COVERAGE"),
    ({"num_examples": 0}, "NUM_TRAIN_EXAMPLES"),
    ({"rationales": 0}, "RATIONALES_PER_EXAMPLE"),
    ({"pick": "best"}, "RATIONALE_PICK"),
    ({"curriculum": "age"}, "CURRICULUM"),
  ],
)
def test_values_that_cannot_be(options, macro):
  with pytest.raises(UserError, match=macro) as error:
    Selection(**options)
  assert error.value.found == repr(*options.values())


@pytest.mark.parametrize("share, seed", [(0.25, 0), (0.25, 7), (0.5, 7)])
def test_who_asks_about_a_part_trains_on_that_part(toy, share, seed):
  dataset = toy.Dataset(rows=tuple((str(i), "a") for i in range(200)))
  asked = Choice(fraction=share, seed=seed).examples(dataset, "train")
  everything = [example.id for example in dataset.examples("train")]
  part = Selection(fraction=share, seed=seed).chosen(everything)
  assert {example.id for example in asked} == part
  assert len(part) == 200 * share
  covered = Selection(coverage=share, seed=seed).covered(everything)
  assert covered == part
  places = [everything.index(example.id) for example in asked]
  assert places == sorted(places)


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
