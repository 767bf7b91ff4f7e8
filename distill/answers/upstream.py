"""The parsers of published systems, by name.

A parser reads a raw completion and compares answers as the published code does,
so that published figures can be reproduced. Two things differ: a failure is ''
where upstream has ' ', and equations are evaluated without `eval`. This
project's own parser is `completions.parse_completion`, with a dataset's rule.
"""

import functools
import operator
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from distill import errors
from distill.answers import arithmetic
from distill.answers.completions import ParsedCompletion

# Upstream has no bound; its completions end after 256 tokens.
_LONGEST_TEXT = 20_000


@dataclass(frozen=True)
class PublishedParser:
  """How one published system parses completions and compares answers."""

  parse: Callable[[str], ParsedCompletion]
  equal: Callable[[str, str], bool]


# Distilling Step-by-Step (Hsieh et al. 2023).


def _split(text: str, trigger: str, following: str) -> tuple[str, str]:
  """Returns the text before and after a single trigger, or else ('', '').

  From `following` on, the text is the next question, which the model invents.
  """
  pieces = text[:_LONGEST_TEXT].split(following, 1)[0].split(trigger)
  return (
    (pieces[0].strip(), pieces[1].strip()) if len(pieces) == 2 else ("", "")
  )


def _dss_cqa(text: str) -> ParsedCompletion:
  rationale, said = _split(text, "So the answer is", "Q:")
  pieces = re.split(r"\(.\)", said, maxsplit=2)
  answer = pieces[1].strip() if len(pieces) > 1 else ""
  return ParsedCompletion(rationale, answer.removesuffix("."), said)


def _dss_svamp(text: str) -> ParsedCompletion:
  rationale, said = _split(text, "The answer is", "Q:")
  line = next((line for line in said.split("\n") if "(" in line), "")
  # The greedy \(.*\) of one line, in linear time.
  start, end = line.find("("), line.rfind(")")
  answer = line[start : end + 1] if start < end else ""
  return ParsedCompletion(rationale, answer, said)


def _dss_esnli(text: str) -> ParsedCompletion:
  text = text[:_LONGEST_TEXT]
  rationale, found, _ = text.partition("Answer:")
  said = text.partition("Answer: ")[2].partition("Premise")[0]
  return ParsedCompletion(
    rationale.rstrip() if found else "", said.rstrip(), said
  )


def _dss_anli(text: str) -> ParsedCompletion:
  rationale, said = _split(text, "So the answer is", "Premise:")
  # Upstream takes the last character for a period, whatever it is.
  return ParsedCompletion(rationale, said[:-1], said)


def _equal_equations(a: str, b: str) -> bool:
  left, right = map(arithmetic.evaluate_in_floats, (a, b))
  return left is not None and left == right


# Fine-tune-CoT (Ho et al. 2023): the candidates for an answer.

_THEREFORE = "\nTherefore, the answer is"
_YES_NO_BLANKS = re.compile(r"[\"'\s.:,]")
_LETTERS_BLANKS = re.compile(r"[\"'\s.]")


def _matches(pattern: str, text: str) -> Iterable[str]:
  return (match[0] for match in re.finditer(pattern, text))


def _numbers(text: str) -> Iterable[str]:
  return _matches(r"-?\d+(?:\.\d+)?", text.replace(",", ""))


def _yes_no(text: str) -> Iterable[str]:
  words = _YES_NO_BLANKS.sub(" ", text.lower()).split(" ")
  return (word for word in words if word in ("yes", "no"))


def _whole(text: str) -> Iterable[str]:
  return [_LETTERS_BLANKS.sub("", text)]


def _capitals(letters: str) -> Callable[[str], Iterable[str]]:
  return functools.partial(_matches, f"[{letters}]")


def _equal_floats(a: str, b: str) -> bool:
  try:
    return abs(float(a.replace(",", "")) - float(b.replace(",", ""))) <= 1e-6
  except ValueError:
    return False


def _equal_digits(a: str, b: str) -> bool:
  return a.replace(",", "") == b.replace(",", "") != ""


def _equal_folded(a: str, b: str) -> bool:
  return a.lower() == b.lower() != ""


_Candidates = Callable[[str], Iterable[str]]
_DATASETS: dict[str, tuple[_Candidates, Callable[[str, str], bool]]] = {
  "aqua": (_capitals("ABCDE"), operator.eq),
  "commonsense_qa": (_capitals("ABCDE"), operator.eq),
  "date_understanding": (_capitals("ABCDEF"), operator.eq),
  "tracking_shuffled_objects": (_capitals("ABC"), operator.eq),
  "addsub": (_numbers, _equal_floats),
  "svamp": (_numbers, _equal_floats),
  "single_eq": (_numbers, _equal_floats),
  "gsm8k": (_numbers, _equal_digits),
  "multiarith": (_numbers, _equal_digits),
  "strategy_qa": (_yes_no, _equal_folded),
  "coin_flip": (_yes_no, operator.eq),
  "last_letter_concatenation": (_whole, operator.eq),
}
# The text before the answer, by the name of the prompt's template.
_PREFIXES = {"fs_cot": "The answer is", "ft_cot_token": "-->"}


def _fine_tune_cot(
  text: str, candidates: _Candidates, prefix: str
) -> ParsedCompletion:
  """Reads the first candidate after the prefix, or else the last of all.

  For the two zero-shot steps, joined by 'Therefore, the answer is', it is the
  first candidate of the second step. The first step may have the same words, so
  the last prefix counts.
  """
  text = text[:_LONGEST_TEXT]
  rationale, found, said = text.partition(prefix)
  if prefix == _THEREFORE:
    rationale, found, said = text.rpartition(prefix)
    rationale = rationale if found else text
  read = list(candidates(said if found else rationale))
  answer = (read[0] if found else read[-1]) if read else ""
  if not found and prefix == _THEREFORE:
    answer = ""
  return ParsedCompletion(rationale.strip() if found else "", answer, said)


# SCoTD (Li et al. 2023).


def _scotd(text: str) -> ParsedCompletion:
  own = text[:_LONGEST_TEXT].lstrip("\n").split("\n\n", 1)[0]
  rationale, found, said = own.rpartition(" So the answer is: ")
  said = said if found else ""
  return ParsedCompletion(rationale.strip(), said.strip("\n")[:10], said)


PARSERS: dict[str, PublishedParser] = {
  "dss_cqa": PublishedParser(_dss_cqa, operator.eq),
  "dss_svamp": PublishedParser(_dss_svamp, _equal_equations),
  "dss_asdiv": PublishedParser(_dss_svamp, _equal_equations),
  "dss_esnli": PublishedParser(_dss_esnli, operator.eq),
  "dss_anli": PublishedParser(_dss_anli, operator.eq),
  "scotd": PublishedParser(_scotd, _equal_folded),
}
for _data, (_read, _equal) in _DATASETS.items():
  for _template, _prefix in {"": _THEREFORE, **_PREFIXES}.items():
    PARSERS["_".join(filter(None, ("fine_tune_cot", _data, _template)))] = (
      PublishedParser(
        functools.partial(_fine_tune_cot, candidates=_read, prefix=_prefix),
        _equal,
      )
    )


def find_parser(name: str) -> PublishedParser:
  """Returns a published system's parser; raises UserError for another name."""
  if name not in PARSERS:
    raise errors.unknown("parser", name, PARSERS)
  return PARSERS[name]


# These are answer rules for `rules=` of a family whose published rule is
# flawed: exact text, floats without a tolerance, any capital letter.


@dataclass(frozen=True)
class UpstreamAnswer:
  """How a published system reads and compares the answers of a student.

  Attributes:
    parser: The name of its parser in `PARSERS`.
    before: The text that the parser expects before an answer. None: the system
      compares the student's text unchanged.
  """

  parser: str
  before: str | None = None

  def parse(self, text: str) -> str | None:
    """Returns the answer by that parser, None if there is none."""
    if self.before is not None:
      parser = find_parser(self.parser)
      text = parser.parse(f"{self.before} {text}").answer
    return text or None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether the system counts `a` as the gold label `b`."""
    return find_parser(self.parser).equal(a, b)


def step_by_step(data: str) -> dict[str, UpstreamAnswer]:
  """Returns the rule of Distilling Step-by-Step for a set: text, or `eval`."""
  return {"upstream": UpstreamAnswer(f"dss_{data}")}


def fine_tune_cot(data: str) -> dict[str, UpstreamAnswer]:
  """Returns the rule of Fine-tune-CoT for a set: the first candidate."""
  return {
    "upstream": UpstreamAnswer(f"fine_tune_cot_{data}_ft_cot_token", "-->")
  }
