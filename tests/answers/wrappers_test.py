"""Wrappers around answers: quotation marks, Markdown, LaTeX, chat tokens."""

import pytest

from distill.answers import wrappers
from distill.answers.rules import ExpressionAnswer, TextAnswer

TEXT, EXPRESSION = TextAnswer(), ExpressionAnswer()


@pytest.mark.parametrize(
  "text, answer",
  [
    ('"fnel"', "fnel"),
    ("\u201cfnel\u201d.", "fnel"),
    ("'fnel'", "fnel"),
    ("**fnel**", "fnel"),
    ("`fnel`", "fnel"),
    ("*fnel*.", "fnel"),
    ("\\boxed{fnel}", "fnel"),
    ("\\boxed{\\text{fnel}}", "fnel"),
    ('$\\boxed{\\text{"fnel"}}$', "fnel"),
    ("fnel<|eot_id|>", "fnel"),
    ("fnel</s>", "fnel"),
    ("\xabfnel\xbb", "fnel"),
    ("fnel, because", "fnel"),
    ('**"fnel"**.', "fnel"),
    ('"fnel."', "fnel"),
    ('The answer is "fnel".', "fnel"),
    ("### fnel", "fnel"),
    ("```\nfnel\n```", "fnel"),
    ("**Answer:** fnel", "fnel"),
    ("<|im_start|>assistant\nfnel<|im_end|>", "fnel"),
    ("\u2018fnel\u2019", "fnel"),
    ("\u201efnel\u201c", "fnel"),
    ("fnel!", "fnel"),
    ("FNEL", "fnel"),
    ("- fnel", "fnel"),
    ("the red ball", "the red ball"),
    ("the **red** ball", "the red ball"),
    ("it's", "it's"),
    ("snake_case", "snake_case"),
  ],
)
def test_a_wrapper_is_no_part_of_an_answer(text, answer):
  assert TEXT.equal(text, answer)


@pytest.mark.parametrize(
  "text, value",
  [
    ("$(10 \\times 45)$", "450"),
    ("\\boxed{(10*45)}", "450"),
    ("**(12 - 2) - 7**", "3"),
    ("`(12 - 2)`", "10"),
    ("\\frac{84}{2}", "42"),
    ("(84 \xf7 2)", "42"),
    ("1{,}250 - 50", "1200"),
    ("50 * 20%", "10"),
    ("12 %", "12"),
    ("8 \u2013 3", "5"),
    ("3^2", "9"),
    ("1.5e3 + 1", "1501"),
    ("(1 million / 2)", "500000"),
    ("3 apples + 4 apples", None),
    ("5x + 3", None),
    ("x + 5", None),
    ("4 + some", None),
    ('"(3 + 4)"', "7"),
    ("(3 + 4) * 2", "14"),
    ("3*4*5", "60"),
    ("2**3**2", "512"),
    ("( 7.0 * 30.0 )", "210"),
    ("\xbd + 1", "1.5"),
    ("\u22125 + 3", "-2"),
    ("$5 * 3", "15"),
    ("10:30", None),
    ("So the expression is (3+4)", "7"),
    ("$1,250 + $250", "1500"),
    ("(3 x 4)", "12"),
    ("3 \xd7 4", "12"),
    ("5 - 3 = 2", "2"),
    ("\\left( 3 + 4 \\right) \\cdot 2", "14"),
  ],
)
def test_nor_of_an_expression(text, value):
  if value is None:
    assert EXPRESSION.parse(text) is None
  else:
    assert EXPRESSION.equal(text, value)


def test_what_braces_balance_is_in_the_box():
  text = r"\boxed{\text{a {b} c}} and {more}"
  assert wrappers.boxed(text, 7) == (r"\text{a {b} c}", 22)
  assert wrappers.first_line(r"x \boxed{a} y \boxed{b} z") == "b"
  # Never closed: it goes to the end.
  assert wrappers.first_line(r"\boxed{ab") == "ab"


def test_the_next_turn_is_not_read():
  text = "<|im_start|>assistant\nab<|im_end|>\n<|im_start|>user\ncd"
  assert wrappers.own_turn(text).strip() == "ab"
  assert wrappers.own_turn("a < b | c > d") == "a < b | c > d"
