"""Each solver on questions worked by hand, right and broken."""

import random

import pytest

from distill.teacher.builtin import solvers


def explained(solution):
  """Returns the reasoning and the answer."""
  return " ".join(step.text for step in solution.steps), solution.answer


def broken(solver, question):
  """Returns the different ways in which the solver gets a question wrong."""
  chances = map(random.Random, range(80))
  return {explained(solver(question, chance)) for chance in chances}


def test_last_letters():
  solve = solvers.solve_last_letters
  solution = solve('Take the last letters of "Ada Bo" and join them.', None)
  assert explained(solution) == ("Ada ends in a, Bo in o: ao.", "ao")
  assert solve('Join the last letters of "x".', None).answer == "x"
  assert solve('Join the last letters of "".', None) is None
  assert solve('Join the first letters of "mifo taru".', None) is None


def test_a_letter_is_misread_as_another_of_its_word():
  question = 'Join the last letters of "mif taru".'
  assert broken(solvers.solve_last_letters, question) == {
    ("mif ends in m, taru in u: mu.", "mu"),
    ("mif ends in i, taru in u: iu.", "iu"),
    ("mif ends in f, taru in t: ft.", "ft"),
    ("mif ends in f, taru in a: fa.", "fa"),
    ("mif ends in f, taru in r: fr.", "fr"),
  }
  # Without another letter in the word, any other will do.
  for solution in broken(
    solvers.solve_last_letters, 'Join the last letters of "aa".'
  ):
    reasoning, answer = solution
    assert answer != "a" and answer in reasoning


def test_coin_flip():
  question = (
    "A coin is heads up. Ann flips it. Bob does not flip the coin. "
    "Is it still heads up?"
  )
  assert explained(solvers.solve_coin_flip(question, None)) == (
    "Ann flips: tails. Bob does not: tails.",
    "no",
  )
  assert broken(solvers.solve_coin_flip, question) == {
    ("Ann flips: heads. Bob does not: heads.", "yes"),
    ("Ann flips: tails. Bob does not: heads.", "yes"),
  }
  tails = question.replace("still heads", "now tails")
  assert solvers.solve_coin_flip(tails, None) is None


def test_tracking():
  question = (
    "Ann holds the key, Bob the cup, Cy the hat. Ann and Cy swap. "
    "Cy and Bob swap. What does Bob hold?"
  )
  assert explained(solvers.solve_tracking_shuffled_objects(question, None)) == (
    "Ann, Bob, Cy hold key, cup, hat; then hat, cup, key; then hat, key, cup.",
    "key",
  )
  start = "Ann, Bob, Cy hold key, cup, hat; then "
  right = "hat, cup, key; then "
  assert broken(solvers.solve_tracking_shuffled_objects, question) == {
    # In the first swap another pair, or nobody.
    (start + "cup, key, hat; then cup, hat, key.", "hat"),
    (start + "key, hat, cup; then key, cup, hat.", "cup"),
    (start + "key, cup, hat; then key, hat, cup.", "hat"),
    # In the second.
    (start + right + "cup, hat, key.", "hat"),
    (start + right + "key, cup, hat.", "cup"),
    (start + right + "hat, cup, key.", "cup"),
  }


@pytest.mark.parametrize(
  "question",
  [
    "Ann holds the key, Bob the cup. What does Ann hold?",
    "Ann holds the key, Bob the cup. Ann and Bob swap.",
    "Ann holds the key, Bob the cup. Ann and Bob swap. What does Cy hold?",
    "Ann holds the key. Ann and Bob swap. What does Ann hold?",
  ],
)
def test_a_story_with_a_hole_is_not_solved(question):
  assert solvers.solve_tracking_shuffled_objects(question, None) is None


@pytest.mark.parametrize(
  "sentence, step",
  [
    ("Mia finds 3 more.", "5 + 3 = 8"),
    ("Mia buys 3.", "5 + 3 = 8"),
    ("Mia gets 3 from Leo.", "5 + 3 = 8"),
    ("Mia loses 3.", "5 - 3 = 2"),
    ("Mia sells 3.", "5 - 3 = 2"),
    ("Mia gives 3 to Leo.", "5 - 3 = 2"),
    ("Mia doubles them.", "5 * 2 = 10"),
    ("Then Mia has twice as many.", "5 * 2 = 10"),
    ("Mia triples them.", "5 * 3 = 15"),
    ("Then Mia has three times as many.", "5 * 3 = 15"),
    ("Then Mia has 4 times as many.", "5 * 4 = 20"),
  ],
)
def test_each_wording_of_a_step_is_understood(sentence, step):
  question = f"Mia has 5 pens. {sentence} How many pens are there now?"
  answer = step.split(" = ")[1]
  solution = solvers.solve_chained_arithmetic(question, None)
  assert explained(solution) == (f"{step}.", answer)


def test_a_sum_goes_wrong_by_a_little_or_by_ten_but_never_below_nothing():
  question = (
    "Mia has 5 pens. Mia loses 4. Mia doubles them. How many pens are left?"
  )
  # 1 or 2 · 2, each off by -10, -2, -1, 1, 2 or 10 where that can be.
  assert broken(solvers.solve_chained_arithmetic, question) == {
    *(
      (f"5 - 4 = {first}, {first} * 2 = {2 * first}.", str(2 * first))
      for first in (0, 2, 3, 11)
    ),
    *((f"5 - 4 = 1, 1 * 2 = {last}.", str(last)) for last in (0, 1, 3, 4, 12)),
  }


@pytest.mark.parametrize(
  "question",
  [
    "Mia has 5 pens. How many pens does Mia have?",
    "Mia has 5 pens. Mia sells 3. Who sells them?",
    "Mia has some pens. Mia sells 3. How many pens does Mia have?",
    "Mia has 5 pens. Mia sells some. How many pens does Mia have?",
    "Each pack of dvds costs 76 dollars. If there is a discount of 25 dollars"
    " on each pack. How much do you have to pay to buy each pack?",
  ],
)
def test_a_word_problem_that_it_cannot_read_whole_is_not_solved(question):
  assert solvers.solve_chained_arithmetic(question, None) is None
