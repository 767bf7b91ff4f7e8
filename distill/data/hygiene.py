"""What is wrong with a cache's rationales and labels, counted and shown."""

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from distill.answers import finish_reasons
from distill.answers.completions import parse_completion
from distill.answers.rules import AnswerRule, choices_of, rule_for
from distill.data import similarity
from distill.data.cache import records
from distill.errors import printable

# What keeps an answer from being a label, the first that applies.
PROBLEMS = {
  "withheld": "withheld by the server's content filter",
  "truncated": "cut short, by the limit on tokens as a rule",
  "ambiguous": "more than one choice named",
  "blank": "no text at all",
  "unread": "a text in which no answer could be found",
  "corrupt": "a choice and more, or a part of one",
  "out_of_set": "none of the choices, or not of the answer's kind",
}
_FIRST_WORDS = 5
_NEAR_RATIONALES = 0.8
_NEAR_INPUTS = 0.7
_SHORTEST_PART = 3
_QUANTILES = (10, 50, 90)
_LETTERS = re.compile(r"\(([a-z])\)")


@dataclass(frozen=True)
class CachedAnswer:
  """One answer of a record, with what it is called in a report."""

  record: records.Record
  place: int
  rule: AnswerRule

  @property
  def rationale(self) -> str:
    """Returns its rationale."""
    return self.record.rationales[self.place]

  @property
  def label(self) -> str:
    """Returns the teacher's label."""
    return self.record.teacher_labels[self.place]

  @property
  def agrees(self) -> int:
    """Returns whether it is the gold label: 1, 0, or -1 without one."""
    return self.record.agrees[self.place]

  @property
  def text(self) -> str:
    """Returns the raw text if it was kept, else what was read of it."""
    kept = self.record.completions
    return kept[self.place] if kept else f"{self.rationale} {self.label}"

  @property
  def said(self) -> str:
    """Returns the line in the answer's place in the raw text, if kept."""
    if not self.record.completions:
      return self.label
    said = parse_completion(self.text, self.rule).said.strip()
    return said.split("\n")[0] if said else self.label

  def problem(self) -> str:
    """Returns one of `PROBLEMS`, '' where the label is sound."""
    reason = self.record.finish_reasons[self.place]
    if finish_reasons.is_filtered(reason):
      return "withheld"
    if not finish_reasons.is_whole(reason):
      return "truncated"
    said = self.said
    choices = choices_of(self.rule)
    if _names_several(said, choices):
      return "ambiguous"
    if not said and not self.label:
      return "unread" if self.text.strip() else "blank"
    if choices and self.label in choices:
      return ""
    if not choices and self.label and self.rule.parse(self.label) is not None:
      return ""
    part = (self.label or said).rstrip(". ")
    if len(part) >= _SHORTEST_PART and any(
      part.startswith(choice) or choice.startswith(part) for choice in choices
    ):
      return "corrupt"
    return "out_of_set"

  def leaks(self) -> bool:
    """Returns whether the rationale starts by giving the answer away."""
    first = " ".join(similarity.words(self.rationale)[:_FIRST_WORDS])
    answer = " ".join(similarity.words(self.label))
    return bool(answer) and f" {answer} " in f" {first} "


def _names_several(said: str, choices: Sequence[str]) -> bool:
  letters = set(_LETTERS.findall(said))
  if letters and choices:
    return len(letters) > 1
  folded = {choice.casefold() for choice in choices}
  text = " ".join(similarity.words(said))
  named = {c for c in folded if c and f" {c} " in f" {text} "}
  # 'river bank' names no 'bank' beside it.
  return sum(not any(a != b and a in b for b in named) for a in named) > 1


def answers(
  content: Iterable[records.Record], rule: AnswerRule
) -> list[CachedAnswer]:
  """Returns all answers of records, in their order."""
  return [
    CachedAnswer(record, place, own)
    for record in content
    for own in [rule_for(rule, record.input)]
    for place in range(len(record.rationales))
  ]


def survey(
  content: Sequence[records.Record],
  rule: AnswerRule,
  test_inputs: Sequence[str] | None = None,
  samples: int = 20,
  seed: int = 0,
) -> dict[str, Any]:
  """Returns statistics of records, as a JSON value.

  Args:
    content: The records.
    rule: How their answers are read and compared.
    test_inputs: The test split's inputs, to be looked for among the records'.
    samples: How many answers to show.
    seed: Chooses them.
  """
  found = answers(content, rule)
  verdicts = Counter(verdict for row in content for verdict in row.verdicts)
  rationales = [a.rationale for a in found if a.rationale.strip()]
  distinct = list(dict.fromkeys(rationales))
  judged = [a for a in found if a.agrees != records.NO_GOLD]
  problems = Counter(filter(None, (answer.problem() for answer in found)))
  near = similarity.near_neighbours(distinct, threshold=_NEAR_RATIONALES)
  report: dict[str, Any] = {
    "examples": len(content),
    "judged_examples": sum(
      bool({*record.agrees} - {records.NO_GOLD}) for record in content
    ),
    "answers": len(found),
    "judged": len(judged),
    "agreeing": sum(a.agrees == records.AGREES for a in judged),
    "examples_with_an_agreeing_answer": sum(
      records.AGREES in record.agrees for record in content
    ),
    "hinted": sum(sum(record.hinted) for record in content),
    "supported": verdicts[records.SUPPORTED],
    "unsupported": verdicts[records.UNSUPPORTED],
    "without_a_label": sum(not answer.label for answer in found),
    "problems": {name: problems[name] for name in PROBLEMS},
    "empty_rationales": len(found) - len(rationales),
    "duplicates": len(rationales) - len(distinct),
    "near_duplicates": sum(place >= 0 for place in near),
    "leaks": sum(answer.leaks() for answer in found),
    "words": {
      "right": _lengths(a for a in judged if a.agrees == records.AGREES),
      "wrong": _lengths(a for a in judged if a.agrees != records.AGREES),
    },
    "teachers": _by_teacher(found),
    "samples": _samples(found, samples, seed),
  }
  if test_inputs is not None:
    inputs = [record.input for record in content]
    places = similarity.near_neighbours(
      test_inputs, inputs, _NEAR_INPUTS, numbers=False
    )
    report["test"] = {
      "examples": len(test_inputs),
      "near_train": sum(place >= 0 for place in places),
    }
  return report


def _lengths(some: Iterable[CachedAnswer]) -> dict[str, float]:
  """Returns the number of rationales, and their words' mean and quantiles."""
  counts = [len(a.rationale.split()) for a in some if a.rationale.strip()]
  if not counts:
    return {"rationales": 0}
  quantiles = np.percentile(counts, _QUANTILES)
  named = zip((f"p{q}" for q in _QUANTILES), map(float, quantiles), strict=True)
  return {
    "rationales": len(counts),
    "mean": round(float(np.mean(counts)), 1),
    **dict(named),
  }


def _by_teacher(found: Sequence[CachedAnswer]) -> dict[str, dict[str, int]]:
  teachers: dict[str, dict[str, int]] = {}
  for answer in found:
    name = answer.record.teachers[answer.place]
    row = teachers.setdefault(name, {"answers": 0, "parsed": 0, "agreeing": 0})
    row["answers"] += 1
    row["parsed"] += bool(answer.label)
    row["agreeing"] += answer.agrees == records.AGREES
  return teachers


def _samples(
  found: Sequence[CachedAnswer], count: int, seed: int
) -> list[dict[str, Any]]:
  chosen = random.Random(seed).sample(range(len(found)), min(count, len(found)))
  return [
    {
      "id": answer.record.id,
      "input": answer.record.input,
      "rationale": answer.rationale,
      "teacher_label": answer.label,
      "label": answer.record.label,
      "agrees": answer.agrees,
      "problem": answer.problem(),
    }
    for answer in (found[place] for place in sorted(chosen))
  ]


def in_a_sentence(report: Mapping[str, Any]) -> str:
  """Returns how many answers are wrong, unread, cut short or repeated."""
  judged, total = report["judged"], report["answers"]
  wrong = judged - report["agreeing"]
  said = f"{_share(wrong, judged)} do not give the gold label. " * bool(judged)
  return (
    f"{said}{_share(report['without_a_label'], total)} could not be read,"
    f" {report['problems']['truncated']:,} were cut short,"
    f" {report['duplicates']:,} repeat another rationale."
  )


def as_text(report: Mapping[str, Any]) -> str:
  """Returns a report for a terminal; control characters are escaped."""
  total = report["answers"]
  gold = _share(report["agreeing"], report["judged"])
  any_right = report["examples_with_an_agreeing_answer"]
  # A file of an earlier version does not have it.
  judged = report.get("judged_examples", report["examples"])
  rows = [
    ("examples", f"{report['examples']:,} with {total:,} answers"),
    ("agreement", f"{gold} of those with a gold label"),
    (
      "examples right",
      f"{_share(any_right, judged)} of those with a gold label, by any answer",
    ),
  ]
  if len(report["teachers"]) > 1:
    for name, row in report["teachers"].items():
      rows.append((f"  {name}", _share(row["agreeing"], row["answers"])))
  unread = _share(report["without_a_label"], total)
  rows.append(("labels", f"{unread} could not be read"))
  for name, what in PROBLEMS.items():
    share = _share(report["problems"][name], total)
    rows.append((f"  {name}", f"{share}: {what}"))
  rows.append(("rationales", ""))
  for name, what in (
    ("empty_rationales", "nothing to learn from"),
    ("duplicates", "word for word the same as an earlier one"),
    ("near_duplicates", f"{_NEAR_RATIONALES:.0%} of their words are another's"),
    ("leaks", f"the answer in the first {_FIRST_WORDS} words"),
    ("hinted", "the prompt showed the gold label"),
    ("unsupported", "a second teacher found no support for the answer"),
  ):
    if name == "unsupported" and not report["supported"] + report[name]:
      continue  # No second teacher was asked.
    rows.append((f"  {name}", f"{_share(report[name], total)}: {what}"))
  for name, row in report["words"].items():
    said = ", ".join(f"{key} {value:g}" for key, value in row.items())
    rows.append((f"  words, {name}", said))
  if "test" in report:
    near = _share(report["test"]["near_train"], report["test"]["examples"])
    rows.append(("test inputs", f"{near} ask nearly what one here asks"))
  lines = [f"{name:<20}{said}".rstrip() for name, said in rows]
  for row in report["samples"]:
    verdict = {1: "right", 0: "wrong", -1: "no gold label"}[row["agrees"]]
    lines += ["", f"{row['id']}: {row['problem'] or verdict}"]
    for name in ("input", "rationale", "teacher_label", "label"):
      lines.append(f"  {name:<14}{printable(row[name], 1000)}")
  return "\n".join(lines)


def _share(part: int, whole: int) -> str:
  return f"{part:,} of {whole:,} ({100 * part / max(1, whole):.2f}%)"
