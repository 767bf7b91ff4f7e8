"""Notations of numbers, converted to plain digits and ASCII signs."""

import re
import unicodedata
from fractions import Fraction

_LONGEST_NUMBER = 64
_MOST_DECIMALS = 12

# Never from the middle of a number, which would take quadratic time.
_NUMBER = r"(?<![0-9.])(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_SPACES = " \u00a0\u2007\u2009\u202f"
_DIGITS = (
  r"(?:"
  rf"[0-9]{{1,3}}(?:,[0-9]{{3}})+(?:\.[0-9]+)?"
  rf"|[0-9]{{1,2}}(?:,[0-9]{{2}})+,[0-9]{{3}}(?:\.[0-9]+)?"  # 12,50,000
  rf"|[0-9]{{1,3}}(?P<gap>[{_SPACES}'\u2019_])[0-9]{{3}}(?:(?P=gap)[0-9]{{3}})*"
  r"(?:[.][0-9]+)?(?![0-9/])"
  r"|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+"  # 1.250,50
  r"|[0-9]{1,3}(?:\.[0-9]{3}){2,}"  # 1.250.000
  r"|0,[0-9]+|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
  r"(?![0-9]|[.,:'][0-9])"
)
_WRITTEN = re.compile(rf"(?<![\w.,:'])(?<![0-9] ){_DIGITS}")
_SCALES = {
  "dozen": 12,
  "hundred": 10**2,
  "thousand": 10**3,
  "lakh": 10**5,
  "million": 10**6,
  "mn": 10**6,
  "crore": 10**7,
  "billion": 10**9,
  "bn": 10**9,
  "trillion": 10**12,
}
_SCALED = re.compile(
  rf"({_NUMBER})[ -]?({'|'.join(_SCALES)})s?\b", re.IGNORECASE
)
_LETTER_SCALES = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
# '5k', '1.2M', '$5m'; elsewhere 5m may be metres and 5t tonnes.
_LETTER_SCALED = re.compile(
  rf"(?:(?<=\$)({_NUMBER}) ?([kKmMbBtT])|({_NUMBER})([kKMB]))(?!\w)"
)
_NEGATIVE = re.compile(r"\b(?:minus|negative) (?=\$?[0-9.])", re.IGNORECASE)
_SCIENTIFIC = re.compile(rf"(?<!\w)({_NUMBER})[eE]([+-]?[0-9]{{1,2}})(?![\w.])")
_PARTS = {"half": "1/2", "third": "1/3", "quarter": "1/4", "fourth": "1/4"}
_AND_A_PART = re.compile(
  rf"\b([0-9]+)\s+(?:and (?:an? |one[ -]))({'|'.join(_PARTS)})\b", re.I
)
_MIXED = re.compile(r"(?<![\w./])([0-9]+) (?:and )?([0-9]+)/([0-9]+)(?![\w/])")
_SHARE = re.compile(r"(?<=[0-9])\s?(?:%|percent) of (?=\$?[0-9])")
_POWERS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_POWER = re.compile(rf"(?<=[0-9)])(⁻?[{_POWERS}]+)")
_TIMES = re.compile(r"(?<=[0-9)] )x(?= [0-9(])|(?<=[0-9])(?<!\b0)x(?=[0-9])")
_CURRENCY = re.compile(r"(?:US|A|C)?\$|[€£¥₹₽₩]|\b(?:USD|EUR|GBP|INR|Rs\.?) ?")
_RANGE = re.compile(r"(?<=[0-9])[\u2012-\u2015](?=[$0-9])")
_MINUS = str.maketrans(
  dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-")
)
_OPERATORS = str.maketrans({"×": "*", "·": "*", "∗": "*", "÷": "/", "∕": "/"})
_STEPS = re.compile(r"<<[^<>]*>>")


def normalized(text: str) -> str:
  """Returns a text whose numbers are plain and whose arithmetic is ASCII."""
  text = "".join(_ascii(c) for c in text) if not text.isascii() else text
  text = _RANGE.sub(" to ", _STEPS.sub(" ", text))
  text = text.translate(_MINUS).translate(_OPERATORS)
  text = _CURRENCY.sub("$", text)
  text = _NEGATIVE.sub("-", _WRITTEN.sub(_plain, text))
  text = _SCIENTIFIC.sub(_scientific, text)
  text = _SCALED.sub(lambda m: _scaled(m[1], _SCALES[m[2].lower()]), text)
  text = _LETTER_SCALED.sub(_letter_scaled, text)
  text = _AND_A_PART.sub(lambda m: f"{m[1]} {_PARTS[m[2].lower()]}", text)
  text = _SHARE.sub("/100 * ", _POWER.sub(_power, text))
  text = _MIXED.sub(r"(\1+\2/\3)", text)
  return _TIMES.sub("*", text)


def _ascii(character: str) -> str:
  """Returns a digit of any script, or a fraction such as ½, in ASCII."""
  if character.isascii():
    return character
  digit = unicodedata.decimal(character, None)
  if digit is not None:
    return str(digit)
  if unicodedata.category(character) == "No":
    parts = unicodedata.normalize("NFKC", character).split("\N{FRACTION SLASH}")
    if len(parts) == 2 and all(part.isdecimal() for part in parts):
      return " " + "/".join(parts)
  return "/" if character == "\N{FRACTION SLASH}" else character


def _plain(match: re.Match[str]) -> str:
  """Returns a number without separators of thousands, with a decimal point."""
  number = match[0]
  if re.fullmatch(r"0,[0-9]+|[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+", number):
    return number.replace(".", "").replace(",", ".")
  if number.count(".") > 1:
    return number.replace(".", "")
  return re.sub(rf"[,_'\u2019{_SPACES}]", "", number)


def _scientific(match: re.Match[str]) -> str:
  return _scaled(match[1], Fraction(10) ** int(match[2]))


def _letter_scaled(match: re.Match[str]) -> str:
  number, letter = match[1] or match[3], match[2] or match[4]
  return _scaled(number, _LETTER_SCALES[letter.lower()])


def _scaled(number: str, scale: int | Fraction) -> str:
  if len(number) > _LONGEST_NUMBER:
    return number
  return written(Fraction(number) * scale)


def _power(match: re.Match[str]) -> str:
  digits = "".join("-" if c == "⁻" else str(_POWERS.index(c)) for c in match[1])
  return f"^({digits})"


def written(value: Fraction) -> str:
  """Returns a value as a decimal if it has one, or else as 'a/b'."""
  scaled = value * 10**_MOST_DECIMALS
  if scaled.denominator != 1:
    return f"{value.numerator}/{value.denominator}"
  sign, digits = "-" * (value < 0), str(abs(scaled.numerator))
  digits = digits.rjust(_MOST_DECIMALS + 1, "0")
  whole, part = digits[:-_MOST_DECIMALS], digits[-_MOST_DECIMALS:].rstrip("0")
  return f"{sign}{whole}.{part}" if part else f"{sign}{whole}"
