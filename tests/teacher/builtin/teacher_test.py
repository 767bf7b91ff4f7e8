"""The built-in teacher, through the path of any teacher's answers."""

import asyncio
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.answers.completions import ParsedCompletion, parse_completion
from distill.answers.rules import NumberAnswer, TextAnswer, YesNoAnswer
from distill.data.procedural import (
  ChainedArithmetic,
  CoinFlip,
  LastLetters,
  TrackingShuffledObjects,
)
from distill.errors import UserError
from distill.teacher.builtin.teacher import BuiltinTeacher
from distill.teacher.interface import Request
from distill.teacher.prompts import load_prompt

SIZES = {"train": 400}
CASES = [
  (LastLetters(sizes=SIZES, words=4), TextAnswer()),
  (CoinFlip(sizes=SIZES, people=4), YesNoAnswer()),
  (TrackingShuffledObjects(sizes=SIZES, people=2, swaps=1), TextAnswer()),
  (TrackingShuffledObjects(sizes=SIZES, people=5, swaps=4), TextAnswer()),
  (ChainedArithmetic(sizes=SIZES, steps=5), NumberAnswer()),
]


def answers(teacher, dataset, rule):
  """Returns the dataset's examples with the teacher's parsed answers."""
  prompt = load_prompt(f"few_shot_{dataset.name}")
  examples = dataset.examples("train")
  requests = [Request(prompt.render(example.input)) for example in examples]

  async def ask():
    return [await teacher.complete(request) for request in requests]

  responses = asyncio.run(ask())
  assert {response.finish_reason for response in responses} == {"stop"}
  parsed = [parse_completion(response.text, rule) for response in responses]
  return list(zip(examples, parsed, strict=True))


def supports_letters(rationale, answer):
  shown = re.findall(r"(?:ends )?in (\w)\b", rationale)
  return answer == "".join(shown) == rationale[:-1].split(": ")[1]


def supports_coin(rationale, answer):
  return answer == ("yes" if rationale.endswith("heads.") else "no")


def supports_tracking(rationale, answer, question):
  people, states = rationale.removesuffix(".").split(" hold ")
  asked = re.search(r"What does (\w+)", question)[1]
  final = states.split("; then ")[-1].split(", ")
  return answer == final[people.split(", ").index(asked)]


def broken_sums(rationale):
  signs = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
  sums = re.findall(r"(\d+) (\S) (\d+) = (\d+)", rationale)
  for (*_, result), (start, *_) in zip(sums, sums[1:], strict=False):
    assert result == start  # Each step goes on from the one before.
  return sums[-1][3], sum(
    signs[s](int(a), int(b)) != int(c) for a, s, b, c in sums
  )


def supports(dataset, rationale, answer, question, mistakes):
  if dataset.name == "last_letters":
    return supports_letters(rationale, answer)
  if dataset.name == "coin_flip":
    return supports_coin(rationale, answer)
  if dataset.name == "tracking_shuffled_objects":
    return supports_tracking(rationale, answer, question)
  return broken_sums(rationale) == (answer, mistakes)


@pytest.mark.parametrize("dataset, rule", CASES)
def test_without_errors_every_answer_is_gold_and_reasoned(dataset, rule):
  for example, parsed in answers(BuiltinTeacher(), dataset, rule):
    assert rule.equal(parsed.answer, example.label), example
    assert supports(dataset, parsed.rationale, parsed.answer, example.input, 0)


@pytest.mark.parametrize("dataset, rule", CASES)
def test_an_error_makes_the_answer_wrong_and_the_reasoning_agree(dataset, rule):
  right = answers(BuiltinTeacher(), dataset, rule)
  wrong = answers(BuiltinTeacher(error_rate=1.0), dataset, rule)
  for (example, good), (_, bad) in zip(right, wrong, strict=True):
    assert bad.answer and not rule.equal(bad.answer, example.label), example
    assert bad.rationale != good.rationale
    assert supports(dataset, bad.rationale, bad.answer, example.input, 1)


def test_the_error_rate_is_the_share_of_wrong_answers():
  dataset, rule = LastLetters(sizes={"train": 2000}), TextAnswer()

  def wrong(seed):
    rows = answers(BuiltinTeacher(error_rate=0.3, seed=seed), dataset, rule)
    return [
      e.id for e, parsed in rows if not rule.equal(parsed.answer, e.label)
    ]

  # Three standard errors of a share of 0.3 among 2,000.
  assert abs(len(wrong(0)) / 2000 - 0.3) < 0.031
  assert wrong(0) == wrong(0) != wrong(1)


def complete(prompt, teacher=None, **settings):
  teacher = teacher or BuiltinTeacher()
  return asyncio.run(teacher.complete(Request(prompt, **settings)))


QUESTION = 'Q: Join the last letters of "mifo taru keb".\nA:'


def test_it_answers_the_last_question_of_the_prompt():
  shots = "Q: Mia has 5 pens. Mia sells 3. How many pens?\nA: So 2.\n\n"
  expected = " mifo ends in o, taru in u, keb in b: oub. So the answer is oub."
  assert complete(shots + QUESTION).text == expected
  assert complete(QUESTION).text == expected
  swapped = complete(QUESTION + " So 2.\n\n" + shots)
  assert swapped.text == " 5 - 3 = 2. So the answer is 2."


@pytest.mark.parametrize(
  "question",
  [
    "What is the capital of France?",
    # Close to what it knows, with a step that it cannot read.
    "Mia has 5 pens. Mia breaks 3. How many pens does Mia have?",
    "Ann holds the key, Bob the cup. Ann and Zoe swap. What does Ann hold?",
    "premise: A dog runs. hypothesis: It moves.",
    "",
  ],
)
def test_an_unsolvable_question_gets_no_answer(question):
  for teacher in (BuiltinTeacher(), BuiltinTeacher(error_rate=1.0)):
    response = complete(f"Q: {question}\nA:", teacher)
    assert response.text == " I do not know how to answer this question."
    parsed = parse_completion(response.text, TextAnswer())
    assert (parsed.rationale, parsed.answer) == ("", "")


FRAGMENTS = st.sampled_from(
  'last letters|"|a b|""|flips it|still heads up|Ann|holds the|key|,| and '
  "|swap|What does|hold?|. |has|5|pens|sells|3|0 times as many|How many".split(
    "|"
  )
)


@given(st.text() | st.lists(FRAGMENTS).map(" ".join), st.sampled_from([0, 1]))
def test_no_question_raises(question, error_rate):
  response = complete(f"Q: {question}\nA:", BuiltinTeacher(error_rate))
  assert response.finish_reason == "stop"


KNOBS = [
  ({"verbosity": "terse"}, "o, u, b: oub."),
  (
    {"verbosity": "verbose"},
    "Let us think step by step. Step 1: mifo ends in o, Step 2: taru in u,"
    " Step 3: keb in b: Step 4: oub. This leads to oub.",
  ),
  (
    {"error_rate": 1.0, "flaw": "answer_first"},
    "The answer is oub: mifo ends in o, taru in u, keb in b: oub.",
  ),
  (
    {"error_rate": 1.0, "flaw": "answer_first", "verbosity": "terse"},
    "oub: o, u, b: oub.",
  ),
]


@pytest.mark.parametrize("options, rationale", KNOBS)
def test_the_wording_of_an_explanation(options, rationale):
  text = complete(QUESTION, BuiltinTeacher(**options)).text
  assert text == f" {rationale} So the answer is oub."
  # The answer's first place is not where the rationale ends.
  assert parse_completion(text, TextAnswer()) == (
    ParsedCompletion(rationale, "oub")
  )


def rationales(flaw, question=QUESTION):
  teacher = BuiltinTeacher(1.0, flaw=flaw)
  texts = {complete(question, teacher, sample=i).text for i in range(60)}
  return {text.partition(" So the answer is ")[0] for text in texts}


def test_any_step_but_the_last_may_be_skipped():
  assert rationales("skipped_step") == {
    " taru in u, keb in b: oub.",
    " mifo ends in o, keb in b: oub.",
    " mifo ends in o, taru in u, oub.",
  }
  only = "Q: Mia has 5 pens. Mia sells 3. How many pens?\nA:"
  assert rationales("skipped_step", only) == {" 5 - 3 = 2."}


def test_an_irrelevant_sentence_stands_before_any_step():
  found = rationales("irrelevant")
  asides = {text[text.index("(") : text.index(")") + 2] for text in found}
  assert len(asides) == 3
  assert {
    text.replace(a, "") for text in found for a in asides if a in text
  } == {" mifo ends in o, taru in u, keb in b: oub."}
  assert len({text.index("(") for text in found}) == 4


@pytest.mark.parametrize("flaw", ["skipped_step", "irrelevant", "answer_first"])
@pytest.mark.parametrize("dataset, rule", CASES)
def test_such_a_flaw_leaves_the_answer_right(dataset, rule, flaw):
  plain = answers(BuiltinTeacher(), dataset, rule)
  teacher = BuiltinTeacher(0.5, flaw=flaw)
  flawed = answers(teacher, dataset, rule)
  for (example, _), (_, parsed) in zip(plain, flawed, strict=True):
    assert rule.equal(parsed.answer, example.label), example
  changed = sum(a != b for (_, a), (_, b) in zip(plain, flawed, strict=True))
  one_step = dataset == TrackingShuffledObjects(SIZES, people=2, swaps=1)
  assert one_step or abs(changed / len(plain) - 0.5) < 0.075


@pytest.mark.parametrize(
  "options, name",
  [
    ({}, "builtin"),
    ({"flaw": "none"}, "builtin"),
    ({"flaw": "none", "error_rate": 0.5}, "builtin"),
    ({"verbosity": "terse"}, "builtin(verbosity=terse)"),
    ({"error_rate": 0.5}, "builtin(error_rate=0.5,seed=0)"),
    (
      {"error_rate": 0.5, "flaw": "irrelevant", "verbosity": "verbose"},
      "builtin(error_rate=0.5,seed=0,flaw=irrelevant,verbosity=verbose)",
    ),
  ],
)
def test_the_name_says_what_changes_answers(options, name):
  assert BuiltinTeacher(**options).name == name


@pytest.mark.parametrize(
  "options, words",
  [
    ({"verbosity": "chatty"}, "terse"),
    ({"flaw": "skip"}, "skipped_step"),
    ({"flaw": "irrelevant"}, "above 0"),
    ({"error_rate": -0.5}, "from 0 to 1"),
  ],
)
def test_options_out_of_range_are_refused(options, words):
  with pytest.raises(UserError, match=words):
    BuiltinTeacher(**options)


def test_limits_and_stops_cut_as_a_models_would():
  cut = complete(QUESTION, max_tokens=3)
  assert (cut.text, cut.finish_reason) == (" mifo ends in", "length")
  assert cut.completion_tokens == 3
  stopped = complete(QUESTION, stop=(", taru", "zzz"))
  assert (stopped.text, stopped.finish_reason) == (" mifo ends in o", "stop")
  # Words between whitespace: 'Q:', eight of the question, and 'A:'.
  assert stopped.prompt_tokens == 10


def test_samples_of_one_prompt_may_err_differently():
  teacher = BuiltinTeacher(error_rate=0.5)
  texts = {complete(QUESTION, teacher, sample=i).text for i in range(20)}
  assert len(texts) > 2
