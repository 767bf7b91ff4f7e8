"""Numbers of every notation become plain digits and ASCII signs."""

from fractions import Fraction

import pytest

from distill.answers import notation


@pytest.mark.parametrize(
  "text, plain",
  [
    ("1\u202f250", "1250"),
    ("1\xa0250", "1250"),
    ("1.5e3", "1500"),
    ("1.5E+03", "1500"),
    ("2e-2", "0.02"),
    ("1 million", "1000000"),
    ("2.5 billion dollars", "2500000000 dollars"),
    ("\u20133", "-3"),
    ("\u22123", "-3"),
    ("3 1/2 hours", "(3+1/2) hours"),
    ("3\xbd", "(3+1/2)"),
    ("\xbd", " 1/2"),
    ("2 and a half", "(2+1/2)"),
    ("3 dozen", "36"),
    ("5k", "5000"),
    ("\u20ac5", "$5"),
    ("10\u2076", "10^(6)"),
    ("1.250,50", "1250.50"),
    ("1.250.000", "1250000"),
    ("1'250", "1250"),
    ("1_250", "1250"),
    ("12,50,000", "1250000"),
    ("0,5", "0.5"),
    ("\u0661\u0668", "18"),
    ("\uff11\uff18", "18"),
    ("100,000", "100000"),
    ("<<3+4=7>>7", " 7"),
    ("\u20131/2", "-1/2"),
    ("1.2 thousand", "1200"),
    ("US$ 5", "$ 5"),
    ("Rs. 500", "$500"),
    ("4 \xd7 5", "4 * 5"),
    ("5\xb2", "5^(2)"),
    ("\xa31.2m", "$1200000"),
    ("1 250 000", "1250000"),
    ("minus 3", "-3"),
    ("negative $3", "-$3"),
    ("1.2M", "1200000"),
  ],
)
def test_a_number_becomes_plain(text, plain):
  assert notation.normalized(text) == plain
  # What is plain stays as it is.
  assert notation.normalized(plain) == plain


def test_text_without_another_notation_stays_as_it_is():
  text = "In 2021, Ann had 3.5 km to go: 1:30, 2020-05-01, 1,2 and 1.2.3."
  assert notation.normalized(text) == text


@pytest.mark.parametrize(
  "value, written",
  [("1/2", "0.5"), ("-1/8", "-0.125"), ("2/3", "2/3"), ("1250", "1250")],
)
def test_a_value_is_a_decimal_if_it_has_one(value, written):
  assert notation.written(Fraction(value)) == written
