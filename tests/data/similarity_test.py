"""Near neighbours: the same as by comparing all with all."""

import json
import os
import pathlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.similarity import Index, near_neighbours, words

REAL = pathlib.Path(os.environ.get("DISTILL_TEST_DATA", "nowhere"))
TEXTS = st.lists(
  st.lists(st.sampled_from("abcdefg"), max_size=7).map(" ".join), max_size=12
)


def jaccard(a, b):
  a, b = set(words(a)), set(words(b))
  return len(a & b) / len(a | b) if a and b else 0.0


@given(TEXTS, TEXTS, st.sampled_from([0.3, 0.5, 0.7, 1.0]))
def test_a_neighbour_is_found_if_and_only_if_there_is_one(texts, others, limit):
  for text, found in zip(
    texts, near_neighbours(texts, others, limit), strict=True
  ):
    near = [i for i, o in enumerate(others) if jaccard(text, o) >= limit]
    assert found in near if near else found == -1
  for place, found in enumerate(near_neighbours(texts, threshold=limit)):
    near = [i for i in range(place) if jaccard(texts[i], texts[place]) >= limit]
    # Of equal ones the first stands for all.
    assert found in near if near else found == -1


def test_case_and_punctuation_are_no_difference():
  assert near_neighbours(["A cat,\nsat.", "a CAT sat!", ""]) == [-1, 0, -1]
  assert near_neighbours(["2 cats", "3 cats"]) == [-1, -1]
  assert near_neighbours(["2 cats", "3 cats", "4"], numbers=False) == [
    -1,
    0,
    -1,
  ]


def test_thousands_of_one_template_take_no_square():
  texts = [f"Pat {i} flips: tails. Gus {i + 1} flips" for i in range(4000)]
  start = time.process_time()
  near_neighbours(texts, threshold=0.9)
  assert time.process_time() - start < 10


@pytest.mark.skipif(not REAL.is_dir(), reason="DISTILL_TEST_DATA is not set")
def test_the_known_leak_of_svamps_random_split():
  folder = REAL / "distilling_step_by_step" / "svamp"
  train, test = (
    [
      json.loads(line)["input"]
      for line in (folder / f"svamp_{split}.json").read_text().split("\n")
      if line
    ]
    for split in ("train", "test")
  )
  # 186 of 200 ask what a train row asks, of other numbers.
  near = near_neighbours(test, train, 0.7, numbers=False)
  assert sum(place >= 0 for place in near) == 186


KNOWN = {
  "dog": "premise: A dog runs. hypothesis: It moves.",
  "place": "Where is it? Answer choices: (A) the house, (B) a car.",
  "date": "It is May 1. What is tomorrow? Which choice is true? Answer"
  " choices: (A) 05/02, (B) 05/03.",
  "roots": "How long?\nAnswer Choices:\n(a) 5 (√3 + 1)\n(b) 8 (√3 – 2)\n(c) 9",
  "minus": "What is 5 - 3?",
  "body": "Jo has 3 apples.\nHow many are left after 2 days?",
  "hindi": "हिन्दी में क्या है?",
  "smile": "😀",
}


@pytest.fixture(scope="module")
def index():
  found = Index()
  for name, text in KNOWN.items():
    found.add(text, name)
  return found


@pytest.mark.parametrize(
  "text, name",
  [
    *((text, name) for name, text in KNOWN.items()),
    ("Premise: a dog runs\nHypothesis: it moves", "dog"),
    ("nli premise: A dog runs. hypothesis: It moves.", "dog"),
    ("Q: Where is it?\nA) the house\nB) a car\nA:", "place"),
    ("where is it ?\n- a car\n- the house", "place"),
    ("Where is it", "place"),
    ("It is May 1. What is tomorrow?\nOptions:\n(A) 05/02\n(B) 05/03\nA:"
     " Let's think step by step.", "date"),
    ("How long? Choices: (A) 5(√3 + 1), (B) 8(√3 – 2), (C) 9", "roots"),
    ("What is 5-3", "minus"),
    ("Jo has 3 apples. Question: How many are left after 2 days?", "body"),
    ("Q: x?\nA: y.\n\nQ: Jo has 3 apples. How many are left after 2 days?\nA:",
     "body"),
    ("हिन्दी में क्या है", "hindi"),
  ],
)  # fmt: skip
def test_a_reworded_question_is_found(index, text, name):
  assert index.find(text) == [name]


@pytest.mark.parametrize(
  "text",
  [
    "premise: It moves. hypothesis: A dog runs.",
    "Where is it? (A) the garden (B) a train",
    "What is 5 + 3?",
    "What is 53?",
    "What is -5 - 3?",
    "Jo has 4 apples.\nHow many are left after 2 days?",
    "हिन्दी में कया है?",
    "😁",
    "",
    "?!",
  ],
)
def test_another_question_is_not(index, text):
  assert index.find(text) == []
