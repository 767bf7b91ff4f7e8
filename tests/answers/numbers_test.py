"""Numbers as teachers and students write them: their value, or none."""

import pytest

from distill.answers.completions import parse_completion
from distill.answers.rules import NumberAnswer

NUMBER = NumberAnswer()


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
