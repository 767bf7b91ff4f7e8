"""The same question in other words is found, and another one is not."""

import pytest

from distill.data.wordings import Index

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
