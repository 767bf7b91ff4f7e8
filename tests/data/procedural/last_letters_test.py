"""Last letters: the label is in the question, and no guess finds it."""

from distill.data.procedural.last_letters import LastLetters

SIZES = {"train": 300}


def rows(**settings):
  dataset = LastLetters(sizes=SIZES, **settings)
  return [(row.input, row.label) for row in dataset.examples("train")]


def test_labels_are_those_of_the_quoted_words():
  lasts = set()
  for text, label in rows(words=4):
    words = text.split('"')[1].split()
    assert len(words) == 4
    assert label == "".join(word[-1] for word in words)
    lasts |= set(label)
  # Both vowels and consonants end words, or guessing would be easy.
  assert lasts >= set("aeiou") and len(lasts) > 12


def test_questions_fit_a_tiny_student():
  assert max(len(text) for text, _ in rows()) < 50


def test_neither_the_place_nor_the_vowel_of_a_letter_gives_it_away():
  words = [text.split('"')[1].split() for text, _ in rows()]
  lengths = [len(word) for three in words for word in three]
  assert set(lengths) == {3, 4, 5, 6}
  # Half of the letters asked for are vowels, give or take 3 deviations of 900.
  vowels = sum(word[-1] in "aeiou" for three in words for word in three)
  assert 405 < vowels < 495
