"""Arithmetic by exact fractions, and where it ends."""

from fractions import Fraction

import pytest

from distill.answers.arithmetic import (
  evaluate,
  evaluate_in_floats,
  find_expression,
)
from distill.answers.completions import parse_completion
from distill.answers.rules import NumberAnswer

NUMBER = NumberAnswer()


@pytest.mark.parametrize(
  "expression, value",
  [
    ("( ( 17.0 + 15.0 ) + 2.0 )", 34),
    ("1 - 2 - 3", -4),
    ("8 / 4 / 2", 1),
    ("2 + 3 * 4", 14),
    ("2 ** 3 ** 2", 512),
    ("-2 ** 2", -4),
    ("2 ** -2", Fraction(1, 4)),
    ("10 / 4", Fraction(5, 2)),
    ("(1 / 3) * 3 - 1", 0),
    ("0.1 * 3", Fraction(3, 10)),
    ("+5", 5),
    ("  7 ", 7),
  ],
)
def test_values_are_those_of_school(expression, value):
  assert evaluate(expression) == value


@pytest.mark.parametrize(
  "expression",
  [
    "",
    "()",
    "(1",
    "1 2",
    "(1)(2)",
    "1, 2",
    "1 if 1 else 2",
    "[1]",
    "'1'",
    "True",
    "1e3",
    "0x10",
    "1 // 2",
    "...",
    "1 / 0",
    "0 ** -1",
    "4 ** 0.5",
    "exit()",
    "().__class__",
  ],
)
def test_what_is_not_arithmetic_has_no_value(expression):
  assert evaluate(expression) is None


@pytest.mark.parametrize(
  "last, first_beyond",
  [
    # Powers, bits of a result and of a numeral, nesting, characters.
    ("2 ** 16", "2 ** 17"),
    ("2 ** 15 * " * 16 + "2 ** 15", "2 ** 15 * " * 16 + "2 ** 15 * 2"),
    (f"{2**256 - 1}", f"{2**256}"),
    ("-" * 31 + "1", "-" * 32 + "1"),
    ("1" + " " * 197 + "+1", "1" + " " * 198 + "+1"),
  ],
)
def test_limits_hold_from_where_they_stand(last, first_beyond):
  assert evaluate(last) is not None
  assert evaluate(first_beyond) is None


@pytest.mark.parametrize(
  "text, expression",
  [
    ("he has (3 + 4) * 2 = 14 apples", "(3 + 4) * 2"),
    ("A - then - (3 + 4)", None),
    ("it is -5 degrees", "-5"),
    ("12,345 - 6,789.", "12345 - 6789"),
    ("(1, 2)", None),
    ("3 x 4", "3 * 4"),
    ("3 x", "3"),
    ("(3 x)", None),
    # Which of them is not said.
    ("(1 or (2 or 3", None),
    ("(1 or " * 8 + "3", None),
  ],
)
def test_the_first_whole_expression_of_a_text_is_found(text, expression):
  assert find_expression(text) == expression


@pytest.mark.parametrize(
  "expression, value",
  [
    ("0.1 + 0.2", 0.1 + 0.2),
    ("(84 / 2)", 42),
    ("((29/2) and (30/2))", 15),
    ("3 and 0 and 4", 0),
    ("(3 or 4)", None),
    ("9.0 ** 9 ** 9", None),
    ("1" * 199, None),
    ("1 / 0", None),
  ],
)
def test_floats_are_those_of_python_within_the_same_limits(expression, value):
  assert evaluate_in_floats(expression) == value
  assert " and " not in expression or evaluate(expression) is None


@pytest.mark.parametrize(
  "text, value",
  [
    ("1{,}250", "1250"),
    ("1 250", "1250"),
    ("1/2", "0.5"),
    ("\\frac{3}{4}", "0.75"),
    ("\\dfrac{3}{4}", "0.75"),
    ("-\\frac{1}{2}", "-0.5"),
    ("1\\frac{1}{2}", "1.5"),
    ("-3", "-3"),
    ("12 %", "12"),
    ("12%", "12"),
    ("12 percent", "12"),
    ("$1,250.50", "1250.5"),
    (".5", "0.5"),
    ("\xbe cup", "0.75"),
    ("$5M", "5000000"),
    ("5 \u20ac", "5"),
    ("-$5", "-5"),
    ("$-5", "-5"),
    ("10^6", "1000000"),
    ("2^{10}", "1024"),
    ("1.5 \xd7 10^3", "1500"),
    ("1.5 \\times 10^{3}", "1500"),
    ("1.5 \\cdot 10^3", "1500"),
    ("5 - 8 = -3", "-3"),
    ("10 - 4 = 6", "6"),
    ("5 + 3 = 8 apples", "8"),
    ("x = 5", "5"),
    ("x=5", "5"),
    ("\\boxed{18 \\text{ apples}}", "18"),
    ("\\boxed{\\$18}", "18"),
    ("$\\boxed{\\frac{1}{2}}$", "0.5"),
    ("\\(18\\)", "18"),
    ("\\[ 18 \\]", "18"),
    ("$18$", "18"),
    ("$$18$$", "18"),
    ("**18**", "18"),
    ("_18_", "18"),
    ("`18`", "18"),
    ('"18"', "18"),
    ("\u201c18\u201d", "18"),
    ("18<|im_end|>", "18"),
    ("18</s>", "18"),
    ("### 18", "18"),
    ("**$18**", "18"),
    ("1,250,000.75", "1250000.75"),
    ("approximately 5", "5"),
    ("about $5.50 each", "5.5"),
    ("18.", "18"),
    ("18.00", "18"),
    ("+5", "5"),
    ("7 (since 3+4)", "7"),
    ("7 (3 + 4 = 7)", "7"),
    ("20% of 50 = 10", "10"),
    ("1,\\!250", "1250"),
    ("1\\,250", "1250"),
    ("18\xb0C", "18"),
    ("5'", "5"),
    ("5kg", "5"),
    ("the 4th", "4"),
    ("4th", "4"),
    ("18\n\nQ: 5", "18"),
    ("~5", "5"),
    ("\u2248 5", "5"),
    ("5!", "5"),
    ("1 1/2", "1.5"),
    ("-1/2", "-0.5"),
    ("2 hundred", "200"),
    ("a total of 1,250 (one thousand)", "1250"),
    ("5 dollars and 50 cents", "5"),
    ("USD 5", "5"),
    ("5 USD", "5"),
    ("3 m\xb2", "3"),
    ("\\text{18}", "18"),
    ("18 \\%", "18"),
    ("{18}", "18"),
    ("1.5 \xd7 10\xb3", "1500"),
    ("0.333...", "0.333"),
    ("2/3", "2/3"),
    ("f(3) = 9", "9"),
    ("(5)", "5"),
    ("[5]", "5"),
    ("1250.5 km/h", "1250.5"),
    ("=18", "18"),
    ("10 000", "10000"),
    ("8 quarters", "8"),
  ],
)
def test_a_number_is_its_value(text, value):
  assert NUMBER.equal(text, value)
  for form in ("So the answer is {}.", "Sum.\n\n**Answer:** {}", "#### {}"):
    parsed = parse_completion(form.format(text), NUMBER)
    assert NUMBER.equal(parsed.answer, value)


@pytest.mark.parametrize(
  "text",
  [
    "- 5",
    "1:30",
    "3-5",
    "3\u20135",
    "3 to 5",
    "3 or 5",
    "5/3/2021",
    "2020-05-01",
    "\\sqrt{2}",
    "2\\pi",
    "2x",
    "2x + 3",
    "1.2.3",
    "1,2",
    "5 \xb1 2",
    "1/0",
    "eighteen",
    "between 3 and 5",
    "COVID-19",
    "sin(30)",
    "3:4",
    "1e400",
    "1,000,00",
    "0x1F",
    "We add 5 and 3.",
    "5 thousandths",
    "5 squared",
    "three",
  ],
)
def test_what_has_no_clear_value_is_no_number(text):
  assert NUMBER.parse(text) is None
  assert parse_completion(f"So the answer is {text}", NUMBER).answer == ""


def test_the_last_number_is_that_of_the_last_line_that_has_one():
  rule = NumberAnswer(last=True)
  assert rule.parse("5 + 3 = 8 boxes.\nThen 12.\n\nThat is all.") == "12"
  assert rule.parse("None at all.") is None
