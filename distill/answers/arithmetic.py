r"""Numbers and arithmetic in text: found and evaluated, with exact fractions.

'1,250', '1 250' and '1.250,00' are the same number. '3 1/2', '½', '1.5e3', '2 ×
10³', '1 million' and '5 - 8 = –3' have a value. Dates, times, ratios, ranges,
'2x', '√2' and '1,2,3' have none. A percent sign and a currency are units: '12
%' is 12, except within arithmetic, where it is 12/100.

The paper's code runs `eval` on model output. This module walks a syntax tree of
numbers and + - * / ** with limits on its length, depth and magnitude. No text
runs code, raises an error or takes long.
"""

import ast
import operator
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, TypeVar

from distill.answers import notation

_LONGEST_TEXT = 2000
_LONGEST_EXPRESSION = 200
_LONGEST_NUMBER = 64
_MOST_CANDIDATES = 8
_DEEPEST = 32
_MOST_BITS = 256
_HIGHEST_POWER = 16

_ARITHMETIC = re.compile(r"[0-9.+\-*/() ]+")
_WRITTEN = re.compile(r"[0-9.+\-*/^()% $]+")
# An incomplete expression, as in 'some - 8' or '8 - some'.
_HALF = re.compile(r"^[+*/]|^- |[-+*/]$")
# '√2', '5x', '10:30', '3 or 5'.
_UNKNOWN = re.compile(
  r"[√±∫π]|(?<![\w.])[0-9.]+[a-z](?![a-z])|[0-9][:,'][0-9]"
  r"|[0-9] (?:or|to) \$?[0-9]"
)
# A number and the arithmetic that continues it.
_CHUNK = re.compile(
  r"(?<![\w.])(?<![a-zA-Z]-)[-+($ ]{0,6}(?:[0-9]|\.[0-9])"
  r"(?:[0-9$%]|[.,:'](?=[0-9])|\s*(?:\*\*|[-+*/^=])[\s(]*|\)|\((?=[0-9])"
  r"|\s+(?=[0-9]))*"
)
_SIMPLE = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_DATE = re.compile(r"[0-9][-/][0-9]+[-/][0-9]|(?<![0-9.])0[0-9]")
# Text that makes the number beside it a part of something else.
_POISON_BEFORE = re.compile(
  r"(?:[√±][({]?|[—―]|\b(?:log|ln|sin|cos|tan|between) )$"
)
_CALL_BEFORE = re.compile(r"[a-zA-Z]\($")
_POISON_AFTER = re.compile(
  r"\s?[±π√^]|[xyzniπ](?![a-zA-Z])|[a-zA-Z]+[0-9]|[:,.'][0-9]"
  r"|\s(?:or|to)\s(?:[-$]?[0-9]|the power)|\s(?:squared|cubed)\b"
  r"|\s(?:ten|hundred|thousand|four|fif|six|seven|eigh|nin)ths\b|\sthirds\b"
)
_PLAIN = re.compile(r"-?[0-9]*\.?[0-9]+")
_HUNDREDTHS = re.compile(
  r"(?<![0-9.])([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s?%(?!\s?[0-9(])"
)
_Number = TypeVar("_Number", Fraction, float)
_Operation = Callable[[Any, Any], Any]
_OPERATORS: dict[type[ast.operator], _Operation] = {
  ast.Add: operator.add,
  ast.Sub: operator.sub,
  ast.Mult: operator.mul,
  ast.Div: operator.truediv,
}


class _NoValueError(Exception):
  """The tree is not arithmetic, or exceeds a limit."""


def find_expression(text: str) -> str | None:
  """Returns the first expression in `text` that has a value, or None.

  It is as written, without extra whitespace, currencies, separators of
  thousands and typographic signs. A percentage within it is divided by 100. An
  expression with words ('some bags + 4', '3 apples + 4 apples') has no value.
  """
  text = notation.normalized(" ".join(text[:_LONGEST_TEXT].split()))
  found = (
    match[0].replace("$", " ").replace("^", "**").strip(". ")
    for match in _WRITTEN.finditer(text)
  )
  pieces = [
    " ".join(piece.split()) for piece in found if re.search("[0-9]", piece)
  ]
  if any(map(_HALF.search, pieces)) or _UNKNOWN.search(text):
    return None
  for piece in pieces[:_MOST_CANDIDATES]:
    candidate = piece
    if "%" in piece:
      alone = piece.rstrip("% ")
      candidate = alone
      if not _PLAIN.fullmatch(alone):
        candidate = _HUNDREDTHS.sub(r"(\1 / 100)", piece)
    if evaluate(candidate) is not None:
      return candidate
  return None


def evaluate(expression: str) -> Fraction | None:
  """Returns the exact value of an expression, None if it has none.

  There is none for text that is not arithmetic, for a division by zero, and for
  numbers beyond 256 bits in numerator or denominator.
  """
  return _evaluate(expression, Fraction)


def evaluate_in_floats(expression: str) -> float | None:
  """Returns the value by Python's floating-point arithmetic, None if none.

  The published figures use `eval`. So rounding errors (0.1 + 0.2) are kept, and
  '3 and 4' is 4.
  """
  return _evaluate(expression, float)


def _evaluate(expression: str, number: type[_Number]) -> _Number | None:
  expression = expression.strip()
  if len(expression) > _LONGEST_EXPRESSION:
    return None
  # Letters, quotes and commas are not arithmetic and never reach the parser.
  allowed = expression.replace(" and ", "  ") if number is float else expression
  if not _ARITHMETIC.fullmatch(allowed):
    return None
  try:
    return _value(ast.parse(expression, mode="eval").body, _DEEPEST, number)
  except (
    _NoValueError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    MemoryError,
    RecursionError,
  ):
    return None


def _value(node: ast.expr, depth: int, number: type[_Number]) -> _Number:
  if depth == 0:
    raise _NoValueError
  if isinstance(node, ast.Constant):
    return _limited(number(str(node.value)))
  if isinstance(node, ast.UnaryOp):
    value = _value(node.operand, depth - 1, number)
    if isinstance(node.op, ast.USub):
      return -value
    if isinstance(node.op, ast.UAdd):
      return value
  if isinstance(node, ast.BoolOp):
    values = [_value(part, depth - 1, number) for part in node.values]
    return next((value for value in values if not value), values[-1])
  if isinstance(node, ast.BinOp):
    left = _value(node.left, depth - 1, number)
    right = _value(node.right, depth - 1, number)
    if isinstance(node.op, ast.Pow):
      return _power(left, right)
    if type(node.op) in _OPERATORS:
      return _limited(_OPERATORS[type(node.op)](left, right))
  raise _NoValueError


def _power(base: _Number, exponent: _Number) -> _Number:
  if exponent != int(exponent) or abs(exponent) > _HIGHEST_POWER:
    raise _NoValueError
  return _limited(base ** int(exponent))


def _limited(value: _Number) -> _Number:
  # An infinite float raises an OverflowError here.
  exact = Fraction(value)
  if isinstance(value, Fraction) or abs(value) > 1:
    widest = max(exact.numerator.bit_length(), exact.denominator.bit_length())
    if widest > _MOST_BITS:
      raise _NoValueError
  return value


def find_numbers(text: str) -> Iterator[str | None]:
  """Yields each number in a text, None for one whose value is unclear.

  A number is as it is written, without separators and units. An expression ('3
  1/2', '5 - 8 = -3') is replaced by its value.
  """
  text = notation.normalized(text)
  for match in _CHUNK.finditer(text):
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    before = text[max(0, start - 12) : start]
    clear = not (
      _POISON_BEFORE.search(before)
      or _POISON_AFTER.match(text, match.end())
      # 'f(3) = 9' has a value, 'sin(30)' does not.
      or (_CALL_BEFORE.search(before) and "=" not in match[0])
    )
    yield _value_of(match[0].strip()) if clear else None


def starts_with_number(text: str) -> bool:
  """Returns whether a text starts with a number."""
  return bool(_CHUNK.match(notation.normalized(text).strip()))


def _value_of(chunk: str) -> str | None:
  """Returns the value of a piece of arithmetic, None if it has none."""
  if re.match(r"[-+]\s", chunk):  # A dash between words, or a minus.
    return None
  chunk = re.split(r"(?<=[0-9%]) \(", chunk.rsplit("=", 1)[-1])[0].strip()
  chunk = re.sub(r"[-+*/^=(\s]+$", "", chunk.replace("$", " "))
  chunk = re.sub(r"^([-+]?)\s+", r"\1", chunk).strip()
  if _SIMPLE.fullmatch(chunk.rstrip("% ")):
    number = chunk.rstrip("% ").removeprefix("+")
    return number if len(number) <= _LONGEST_NUMBER else None
  if _DATE.search(chunk):
    return None
  chunk = _HUNDREDTHS.sub(r"(\1/100)", chunk).replace("^", "**")
  value = evaluate(chunk)
  # '3-5' is a range. A subtraction with a negative result states the result.
  if value is None or (value < 0 and re.search(r"[0-9] ?- ?[0-9]", chunk)):
    return None
  return notation.written(value)
