"""Choices, by letter and by text, however they are wrapped."""

import pytest

from distill.answers import choices
from distill.answers.rules import (
  ChoiceAnswer,
  ListedChoiceAnswer,
  YesNoAnswer,
  rule_for,
)

LISTED = rule_for(
  ListedChoiceAnswer(),
  "Where?\nAnswer Choices:\n(a) river\n(b) bank\n(c) the sky\n(d) river bank\n"
  "(e) an apple",
)
LETTERS = ChoiceAnswer(tuple("ABCDEF"))
NUMBERED = rule_for(
  LETTERS,
  "How many? Answer choices: (A) 21, (B) 21.5, (C) 22, (D) 23, (E) 24 km, (F) "
  "None of these.",
)
NLI = ChoiceAnswer(("entailment", "neutral", "contradiction"))
YES_NO = YesNoAnswer()


@pytest.mark.parametrize(
  "rule, text, choice",
  [
    (LISTED, "bank", "bank"),
    (LISTED, "Bank.", "bank"),
    (LISTED, "a bank", "bank"),
    (LISTED, "the Bank", "bank"),
    (LISTED, "THE BANK", "bank"),
    (LISTED, "sky", "the sky"),
    (LISTED, "apple", "an apple"),
    (LISTED, "An apple!", "an apple"),
    (LISTED, "b", "bank"),
    (LISTED, "B", "bank"),
    (LISTED, "(b)", "bank"),
    (LISTED, "(B)", "bank"),
    (LISTED, "b)", "bank"),
    (LISTED, "B.", "bank"),
    (LISTED, "b.", "bank"),
    (LISTED, "B)", "bank"),
    (LISTED, "(B) the bank", "bank"),
    (LISTED, "(b) bank", "bank"),
    (LISTED, "B: bank", "bank"),
    (LISTED, "B. bank", "bank"),
    (LISTED, "B - bank", "bank"),
    (LISTED, "B \u2013 bank", "bank"),
    (LISTED, "option B", "bank"),
    (LISTED, "Option (b)", "bank"),
    (LISTED, "choice b", "bank"),
    (LISTED, "Choice B: bank", "bank"),
    (LISTED, "B, because banks hold it", "bank"),
    (LISTED, "b, because it is", "bank"),
    (LISTED, "B because of it", "bank"),
    (LISTED, "B is correct", "bank"),
    (LISTED, "**B**", "bank"),
    (LISTED, "**(B)**", "bank"),
    (LISTED, "`B`", "bank"),
    (LISTED, "\\boxed{B}", "bank"),
    (LISTED, "\\boxed{\\text{B}}", "bank"),
    (LISTED, "$\\boxed{\\mathrm{(B)}}$", "bank"),
    (LISTED, "\\textbf{(B) bank}", "bank"),
    (LISTED, '"bank"', "bank"),
    (LISTED, "\u201cthe bank\u201d.", "bank"),
    (LISTED, "It is a Tuesday.", None),
    (LISTED, "I cannot tell from a text", None),
    (LISTED, "None of the choices is a date", None),
    (LISTED, "A", "river"),
    (LISTED, "a", "river"),
    (LISTED, "(a)", "river"),
    (LISTED, "a.", "river"),
    (LISTED, "A bank", "bank"),
    (LISTED, "a) river", "river"),
    (LISTED, "A, because", "river"),
    (LISTED, "A river", "river"),
    (LISTED, "a thing", None),
    (LISTED, "the letter B", "bank"),
    (LISTED, "B<|eot_id|>", "bank"),
    (LISTED, "B</s>", "bank"),
    (LISTED, "river bank", "river bank"),
    (LISTED, "It is the bank, of course", "bank"),
    (LISTED, "It is the river bank", "river bank"),
    (LISTED, "not the bank", None),
    (LISTED, "It is not the bank but the sky", "the sky"),
    (LISTED, "(a) or (b)", None),
    (LISTED, "A or B", None),
    (LISTED, "A and B", None),
    (LISTED, "A, B", None),
    (LISTED, "(a), (b)", None),
    (LISTED, "B/C", None),
    (LISTED, "either (b) bank or (c) sky", None),
    (LISTED, "(f)", None),
    (LISTED, "The answer is B", "bank"),
    (LISTED, "The correct option is (b).", "bank"),
    (LISTED, "Answer: (b)", "bank"),
    (LISTED, "It must be B.", "bank"),
    (LISTED, "I think it is B", "bank"),
    (LISTED, "bank (b)", "bank"),
    (LISTED, "**Answer: B**", "bank"),
    (LISTED, "> B", "bank"),
    (LISTED, "- B", "bank"),
    (LISTED, "### B", "bank"),
    (LISTED, "```\nB\n```", "bank"),
    (LISTED, "The final answer is **B** (bank).", "bank"),
    (LISTED, "[B]", "bank"),
    (LISTED, "{B}", "bank"),
    (LISTED, "<b>B</b>", "bank"),
    (LISTED, "B) The bank", "bank"),
    (LISTED, "bank, because money", "bank"),
    (LISTED, "Definitely bank", "bank"),
    (LISTED, "banks", None),
    (LISTED, "I'm not sure", None),
    (LISTED, "A good question", None),
    (LISTED, "e", "an apple"),
    (LISTED, "E", "an apple"),
    (LISTED, "Option E.", "an apple"),
    (LISTED, "river or bank", None),
    (LISTED, "none", None),
    (LISTED, "choose B", "bank"),
    (LISTED, "*B*", "bank"),
    (LISTED, "_bank_", "bank"),
    (LISTED, "B\n", "bank"),
    (LISTED, "'b'", "bank"),
    (LISTED, "B!", "bank"),
    (LISTED, "The answer is A.", "river"),
    (LISTED, "option A bank", "river"),
    (NUMBERED, "It is a Tuesday.", None),
    (NUMBERED, "I cannot tell from a text", None),
    (NUMBERED, "A", "A"),
    (NUMBERED, "a", "A"),
    (NUMBERED, "(a)", "A"),
    (NUMBERED, "**(b)**", "B"),
    (NUMBERED, "B) 21.5", "B"),
    (NUMBERED, "21.5", "B"),
    (NUMBERED, "The answer is 22.", "C"),
    (NUMBERED, "24 km", "E"),
    (NUMBERED, "none of these", "F"),
    (NUMBERED, "D", "D"),
    (NUMBERED, "option d", "D"),
    (NUMBERED, "E, because", "E"),
    (NUMBERED, "(C) 22", "C"),
    (NUMBERED, "A train", None),
    (NUMBERED, "B and C", None),
    (NUMBERED, "\\boxed{E}", "E"),
    (NUMBERED, "f", "F"),
    (NUMBERED, "F.", "F"),
    (NLI, "**Entailment**", "entailment"),
    (NLI, "an entailment", "entailment"),
    (NLI, "it is not an entailment", None),
    (NLI, '"neutral"', "neutral"),
    (NLI, "Contradiction.", "contradiction"),
    (NLI, "(c)", "contradiction"),
    (NLI, "C", "contradiction"),
    (NLI, "entailment (a)", "entailment"),
    (NLI, "The label is: neutral", "neutral"),
    (NLI, "neutral, because", "neutral"),
    (YES_NO, "Yes", "yes"),
    (YES_NO, "**Yes**", "yes"),
    (YES_NO, '"No"', "no"),
    (YES_NO, "no.", "no"),
    (YES_NO, "Yes, it is", "yes"),
    (YES_NO, "`no`", "no"),
    (YES_NO, "\\boxed{\\text{Yes}}", "yes"),
    (YES_NO, "True", "yes"),
    (YES_NO, "false", "no"),
    (YES_NO, "yes and no", None),
    (YES_NO, "yes or no", None),
    (YES_NO, "There is no doubt: yes", "yes"),
    (YES_NO, "There is no way to know", None),
    (YES_NO, "The answer is no.", "no"),
    (YES_NO, "I would say yes", "yes"),
    (YES_NO, "NO!", "no"),
    (YES_NO, "Yes<|im_end|>", "yes"),
    (YES_NO, "the coin is not heads up. no", "no"),
    (YES_NO, "Not yet", None),
    (LETTERS, "It is a Tuesday.", None),
    (LETTERS, "I cannot tell from a text", None),
    (LETTERS, "None of the choices is a date", None),
    (LETTERS, "A Tuesday", None),
    (LETTERS, "Certainly (A)", "A"),
    (LETTERS, "not A", None),
    (LISTED, "(a) river or (b) bank", None),
    (LISTED, "C) the sky, D) river bank, and E) an apple", None),
    (LISTED, "B) bank, not (a) river", "bank"),
    (LISTED, "(b) bank, because (a) is wet", "bank"),
  ],
)
def test_a_choice_is_read_where_it_stands_as_one(rule, text, choice):
  assert rule.parse(text) == choice


@pytest.mark.parametrize(
  "input, texts",
  [
    ("Q?\n(a) one\n(b) two", ("one", "two")),
    ("Q?\nA. one\nB. two\nC. three", ("one", "two", "three")),
    ("Q?\na) one\nb) two", ("one", "two")),
    ("Q? (A) one, (B) two; (C) three.", ("one", "two", "three")),
    # The last list counts, and one that skips a letter is none.
    ("(a) x (b) y\nQ? (a) one (b) two", ("one", "two")),
    ("See (a) and (c).", ()),
    ("Is an apple(s) (a fruit)?", ()),
  ],
)
def test_the_choices_of_an_input_are_found(input, texts):
  assert choices.listed(input) == texts


def test_choices_that_are_digits_are_texts():
  rule = ChoiceAnswer(("0", "1", "7"))
  assert [rule.parse(said) for said in ("B) 1", "(c)", "It is 7")] == [
    "1", "7", "7",
  ]  # fmt: skip


def test_a_text_is_compared_without_case_and_article():
  rule = ListedChoiceAnswer()
  assert rule.equal("A bank.", "the Bank") and rule.equal("(b) bank", "bank")
  assert not rule.equal("bank", "banks")
