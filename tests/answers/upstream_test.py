"""The seed systems' parsers, as published; and what no text may do to any."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.answers import upstream
from distill.answers.completions import FORMS, parse_completion
from distill.answers.rules import (
  ChoiceAnswer,
  ExpressionAnswer,
  ListedChoiceAnswer,
  NumberAnswer,
  TextAnswer,
)
from distill.answers.upstream import PARSERS, find_parser
from distill.errors import UserError

THEN = "\nTherefore, the answer is"


@pytest.mark.parametrize(
  "name, text, rationale, answer",
  [
    ("dss_cqa", "It is. So the answer is (d) a b.\n\nQ: x", "It is.", "a b"),
    ("dss_cqa", "So the answer is either (b) x y or (c) z.", "", "x y or"),
    ("dss_cqa", "It is. So the answer is sky.", "It is.", ""),
    ("dss_cqa", "So the answer is (a) b. So the answer is (a) b.", "", ""),
    ("dss_svamp", "84 / 2. The answer is (84 / 2).\n\nQ: (1)", "84 / 2.",
     "(84 / 2)"),
    # Greedy to the last ')', and blind to what follows it.
    ("dss_svamp", "The answer is (1 + (2)) - 7.", "", "(1 + (2))"),
    ("dss_svamp", "The answer is 8.", "", ""),
    ("dss_esnli", "So.\nAnswer: neutral\n\nPremise: A", "So.", "neutral"),
    ("dss_esnli", "So.\nAnswer: neutral\n\nPre", "So.", "neutral\n\nPre"),
    ("dss_esnli", "So.", "", ""),
    ("dss_anli", "It. So the answer is neutral.\n\nPremise:", "It.",
     "neutral"),
    ("dss_anli", "It. So the answer is neutral", "It.", "neutra"),
    ("scotd", "\nA. So the answer is: (d)\n\nQ: So the answer is: (a)", "A.",
     "(d)"),
    ("scotd", "A. So the answer is: b. So the answer is: 0123456789x",
     "A. So the answer is: b.", "0123456789"),
    ("scotd", "A. So the answer is (d)", "", ""),
    ("fine_tune_cot_svamp", f"1,250 - 7{THEN} $1,243.0 or 9", "1,250 - 7",
     "1243.0"),
    # Any capital letter counts, even one inside a word.
    ("fine_tune_cot_aqua", f"So{THEN} Definitely (A)", "So", "D"),
    ("fine_tune_cot_date_understanding", f"So{THEN} (F)", "So", "F"),
    ("fine_tune_cot_coin_flip", f"So{THEN}: 'Yes.' no", "So", "yes"),
    ("fine_tune_cot_last_letter_concatenation", f'o{THEN} "o u b."', "o",
     "oub"),
    # Where the prefix is missing, the last candidate of all.
    ("fine_tune_cot_gsm8k_fs_cot", "5 + 3. The answer is 8. 9", "5 + 3.", "8"),
    ("fine_tune_cot_gsm8k_fs_cot", "5 + 3 = 8, of 9.", "", "9"),
    ("fine_tune_cot_gsm8k_ft_cot_token", "5 + 3 --> 8", "5 + 3", "8"),
    ("fine_tune_cot_gsm8k", "5 + 3 = 8", "", ""),
  ],
)  # fmt: skip
def test_each_reads_as_its_system_did(name, text, rationale, answer):
  parsed = find_parser(name).parse(text)
  assert (parsed.rationale, parsed.answer) == (rationale, answer)


@pytest.mark.parametrize(
  "name, a, b, same",
  [
    ("dss_cqa", "French government", "french government", False),
    ("dss_svamp", "(84 / 2)", "( 84.0 / 2.0 )", True),
    # Floats, without a tolerance; what has no value equals nothing.
    ("dss_svamp", "(0.1 + 0.2)", "0.3", False),
    ("dss_svamp", "(175, 5)", "(175, 5)", False),
    ("fine_tune_cot_svamp", "70", "70.0", True),
    ("fine_tune_cot_svamp", "", "", False),
    ("fine_tune_cot_gsm8k", "70", "70.00", False),
    ("fine_tune_cot_gsm8k", "1250", "1,250", True),
    ("fine_tune_cot_strategy_qa", "yes", "Yes", True),
    ("scotd", "(D)", "(d)", True),
  ],
)
def test_answers_are_equal_as_its_system_had_it(name, a, b, same):
  assert find_parser(name).equal(a, b) is same


def test_an_unknown_parser_gets_the_list_of_those_that_exist():
  with pytest.raises(UserError, match="dss_esnli"):
    find_parser("dss_snli")


EVERY = {name: parser.parse for name, parser in PARSERS.items()}
for form in FORMS:
  for rule in (TextAnswer(), NumberAnswer(), ChoiceAnswer(("yes", "no"))):
    EVERY[f"{form} {rule}"] = lambda text, rule=rule, form=form: (
      parse_completion(text, rule, form)
    )
PIECES = st.sampled_from(
  ["So the answer is", "The answer is", "Answer: ", "Premise", "Q:", " --> "]
  + ["<think>", "</think>", "<answer>", "</answer>", "{", '{"answer":', "}"]
  + [THEN, "####", "\\boxed{", "(a)", "(", ")", "9" * 5000, "[" * 2000, "\n"]
  + ['{"answer":' + "[" * n + "]" * n + "}" for n in (400, 990, 5000)]
  + [" So the answer is: ", "yes", "\0", "\ud800", "\u0130", "٣", "1e999"]
)
HOSTILE = st.text(max_size=40) | st.lists(PIECES, max_size=10).map("".join)


@given(HOSTILE, HOSTILE)
def test_no_text_makes_a_parser_raise(text, other):
  for parse in EVERY.values():
    parse(text)
  for parser in PARSERS.values():
    parser.equal(text, other)
    parser.equal(text, text)


@pytest.mark.parametrize(
  "text",
  [
    " " * 10**6,
    "9" * 10**6,
    "1," * 10**6,
    "-1." * 10**6,
    "(" * 10**6,
    "(a)" * 10**6,
    "[" * 10**6,
    '{"answer":' * 10**5,
    "<answer>" * 10**5,
    "<think>" * 10**5,
    "So the answer is" * 10**4,
    "So the answer is (" + "(" * 10**6,
    "the answer (" * 10**5,
    "my best answer " * 10**5,
    f"{THEN} " * 10**4,
    "Q: " * 10**5,
    "\n" * 10**6,
    "ABC" * 10**6,
    "yes " * 10**6,
  ],
  ids=lambda text: text[:12],
)
def test_no_text_takes_long(text):
  for name, parse in EVERY.items():

    def seconds(parse=parse):
      start = time.process_time()
      parse(text)
      return time.process_time() - start

    # The best of three: a collection of garbage may fall into one.
    assert min(seconds() for _ in range(3)) < 0.02, name


def right(rule, said, gold):
  answer = rule.parse(said)
  return answer is not None and rule.equal(answer, gold)


@pytest.mark.parametrize(
  "theirs, ours, said, gold, verdicts",
  [
    # Exact text, case and all.
    ("dss cqa", ListedChoiceAnswer(), "French fries", "french fries", (0, 1)),
    ("dss cqa", ListedChoiceAnswer(), "bank", "bank", (1, 1)),
    # Floats compared without a tolerance.
    ("dss svamp", ExpressionAnswer(), "0.1 + 0.2", "( 0.3 )", (0, 1)),
    ("dss svamp", ExpressionAnswer(), "( 4 / 2 )", "( 1 + 1 )", (1, 1)),
    # Digits as text for two sets, numbers for the others.
    ("cot multiarith", NumberAnswer(), "70.00", "70", (0, 1)),
    ("cot single_eq", NumberAnswer(), "70.00", "70", (1, 1)),
    ("cot gsm8k", NumberAnswer(), "$1,000", "1,000", (1, 1)),
    # Any capital letter, also within a word.
    ("cot aqua", ChoiceAnswer(tuple("ABCDE")), "Certainly (A)", "C", (1, 0)),
    ("cot aqua", ChoiceAnswer(tuple("ABCDE")), "(b)", "B", (0, 1)),
    ("cot aqua", ChoiceAnswer(tuple("ABCDE")), "B", "B", (1, 1)),
  ],
)
def test_published_rules_and_ours(theirs, ours, said, gold, verdicts):
  paper, data = theirs.split()
  make = {"dss": upstream.step_by_step, "cot": upstream.fine_tune_cot}[paper]
  rule = make(data)["upstream"]
  assert (right(rule, said, gold), right(ours, said, gold)) == verdicts
  assert not right(rule, "", gold)
