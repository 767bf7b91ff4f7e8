r"""Removes wrappers: what is around an answer and not part of it.

Wrappers are quotation marks, Markdown, LaTeX, the tokens of chat templates, and
words such as 'The answer is'. Every answer rule reads text without them.
"""

import re

# An answer is at the start of the text after its trigger.
_LONGEST_TEXT = 1000
# The most levels of wrappers; deeper text is not read.
_DEEPEST = 12

# '<|eot_id|>', '<｜end▁of▁sentence｜>', '</s>', '<end_of_turn>', '[/INST]'.
_TOKEN = (
  r"(?:<[|\uff5c][^<>\n]{1,40}[|\uff5c]>|</?s>|\[/?INST\]"
  r"|<(?:eos|bos|pad|(?:end|start)_of_(?:turn|text|utterance|sentence))>)"
)
_OPENING_TOKENS = re.compile(
  rf"\A(?:\s*{_TOKEN}\s*(?:(?:assistant|model)\b)?)+", re.IGNORECASE
)
_ANY_TOKEN = re.compile(_TOKEN, re.IGNORECASE)

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_FONT = re.compile(
  r"\\(?:text|textbf|textit|textrm|texttt|textsf|emph|mbox|mathrm|mathbf|mathit"
  r"|mathsf|mathtt|operatorname|underline|ensuremath)\s*\{([^{}]*)\}"
)
_FRACTION = re.compile(
  r"(?P<whole>(?<![\w.,])[0-9]+\s*)?\\[dtc]?frac\s*"
  r"(?:\{(?P<over>[^{}]*)\}|(?P<digit>[0-9]))\s*"
  r"(?:\{(?P<under>[^{}]*)\}|(?P<other>[0-9]))"
)
_PLAIN_NUMBER = re.compile(r"\s*[0-9.,]+\s*")
_POWER = re.compile(r"\^ ?\{([^{}]*)\}")
_BLANKS = re.compile(r"[ \t]{2,}|\n\s+")
_DEGREES = re.compile(r"\^?\{?\\circ\}?")
_SPACING = re.compile(r"\\(?:left|right|displaystyle|big|Big|!)(?![a-zA-Z])")
_WIDE_SPACE = re.compile(r"\\(?:quad|qquad|;|:|>| )|~|&nbsp;")
_MATH_MODE = re.compile(r"\\[()\[\]]|\$\$")
# Not two prices: '$5 and $6', '$5-$6'.
_DOLLARS = re.compile(r"(?<![\\\w])\$(?!\s)([^$\n]{1,200}?)(?<![\s\\])\$(?!\w)")
_SIGNS = {
  "{,}": ",",
  r"\,": "\N{NARROW NO-BREAK SPACE}",
  r"\times": "×",
  r"\cdot": "×",
  r"\div": "÷",
  r"\pm": "±",
  r"\pi": "π",
  r"\sqrt": "√",
  r"\approx": "≈",
  r"\$": "$",
  r"\%": "%",
  r"\_": "_",
  r"\&": "&",
  r"\#": "#",
}
_SIGN = re.compile("|".join(re.escape(sign) for sign in _SIGNS))

# '**word**', '_word_', '`word`': not '3 * 4', '2**3' or 'snake_case'.
_EMPHASIS = re.compile(
  r"(?<![\w*)\]])(\*{1,3}|_{1,3}|`{1,3}|~~)(?=\S)(.{1,500}?)(?<=\S)\1(?![\w*(])"
)
_HTML = re.compile(r"</?(?:b|i|u|em|strong|code|span|p|br|div)\s?/?>", re.I)
_FENCE = re.compile(r"^\s*(?:`{3,}|~{3,})[\w+-]*\s*$")
_LINE_MARK = re.compile(r"^(?:#{1,6} +|> +|[•*+] +|- +(?![0-9.$]))")
_QUOTES = (
  "\"'`´\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f"
  "«»‹›「」『』\uff02\uff07"
)
_BEFORE = _QUOTES + "*_~#: ={}\t"
_AFTER = _QUOTES + "*_~#:;,.!。 {}\t"
_LEAD_IN = re.compile(
  r"^(?:(?:so|therefore|thus|hence|then|and),? )?(?:(?:the|my|our) )?"
  r"(?:(?:final|correct|best|right|likeliest) )*(?:answer|choice|option)"
  r"(?: \([^()]{1,40}\))?"
  r"(?::| (?:is|would be|should be|must be)\b(?! not\b):?)\s*",
  re.IGNORECASE,
)
_BECAUSE = re.compile(r"\s*(?:[,;]|\s[-–—])\s*(?:because|since)\b.*$", re.I)


def own_turn(text: str) -> str:
  """Returns a text without a chat template's tokens, up to the end of the turn.

  The text after it is the next turn, which the model has invented.
  """
  text = _OPENING_TOKENS.sub("", text, count=1)
  ended = _ANY_TOKEN.search(text)
  return text[: ended.start()] if ended else text


def boxed(text: str, start: int) -> tuple[str, int]:
  r"""Returns the content of braces, and where it ends.

  Args:
    text: Contains `\boxed{…}`.
    start: The position after the opening brace.

  Returns:
    The content up to the matching brace (the end of the text if there is
    none), and the position after that brace.
  """
  depth = 1
  for place in range(start, min(len(text), start + _LONGEST_TEXT)):
    depth += {"{": 1, "}": -1}.get(text[place], 0)
    if depth == 0:
      return text[start:place], place + 1
  return text[start : start + _LONGEST_TEXT], len(text)


def without_latex(text: str) -> str:
  """Returns a text with LaTeX commands replaced by the printed characters."""
  for _ in range(_DEEPEST):
    before = text
    text = _DEGREES.sub("°", _WIDE_SPACE.sub(" ", _SPACING.sub("", text)))
    text = _FONT.sub(r"\1", _MATH_MODE.sub(" ", text))
    text = _POWER.sub(r"^(\1)", _FRACTION.sub(_fraction, text))
    text = _DOLLARS.sub(r"\1", text)
    text = _SIGN.sub(lambda match: _SIGNS[match[0]], text)
    if text == before:
      break
  return text


def _fraction(match: re.Match[str]) -> str:
  whole = f"{match['whole'].strip()} " if match["whole"] else ""
  parts = (match["over"] or match["digit"], match["under"] or match["other"])
  over, under = (
    part.strip() if _PLAIN_NUMBER.fullmatch(part or "") else f"({part})"
    for part in parts
  )
  return f"{whole}{over}/{under}"


def first_line(text: str) -> str:
  r"""Returns the first line with text, without its wrappers.

  If there is a `\boxed{…}`, only its content is read. A line that ends in a
  colon introduces the next one. '' if there is no text.
  """
  text = text[:_LONGEST_TEXT]
  for _ in range(_DEEPEST):
    found = _first_line(text)
    if found == text:
      return found
    text = found
  return ""


def _first_line(text: str) -> str:
  text = own_turn(_BLANKS.sub(lambda match: match[0][0], text))
  text = _HTML.sub("", text)
  boxes = list(_BOX.finditer(text))
  if boxes:
    text = boxed(text, boxes[-1].end())[0]
  announced = ""
  for line in without_latex(text).splitlines():
    if _FENCE.match(line):
      continue
    said = _bare(line)
    if said and not line.rstrip(_QUOTES + "*_ ").endswith(":"):
      return said
    announced = announced or said
  return announced


def _bare(line: str) -> str:
  """Returns a line without marks, quotation marks and emphasis."""
  for _ in range(_DEEPEST):
    before = line
    line = _LINE_MARK.sub("", " ".join(line.split()))
    line = _EMPHASIS.sub(r"\2", line)
    line = line.lstrip(_BEFORE).rstrip(_AFTER)
    line = _BECAUSE.sub("", _LEAD_IN.sub("", line))
    if line == before:
      return line
  return ""
