"""Arithmetic by exact fractions, and where it ends."""

from fractions import Fraction

import pytest

from distill.answers.expressions import evaluate, evaluate_in_floats, find


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
  assert find(text) == expression


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
