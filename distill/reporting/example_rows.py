"""The rows of the page's browser: an example with everybody's answers to it."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distill import errors
from distill.answers import rules
from distill.data import hygiene, registration
from distill.data.cache import files, manifest, records
from distill.data.registration import Family
from distill.reporting.material import Evaluation

# Fewer words than these in a rationale are worth a look.
_SHORT = 4
Row = dict[str, Any]
Key = tuple[str, str, str]  # family, split, id


@dataclasses.dataclass(frozen=True)
class Cache:
  """A cache: its folder, its manifest, and its family."""

  folder: pathlib.Path
  manifest: manifest.Manifest
  family: Family


def open_cache(folder: pathlib.Path, modules: Sequence[str]) -> Cache:
  """Returns a cache.

  Args:
    folder: It has a manifest.
    modules: Those that register its family, beside the manifest's own.

  Raises:
    UserError: The manifest cannot be read, or nobody registers the family.
  """
  described = manifest.read(str(folder))
  if described is None:
    raise errors.UserError(
      f"{folder} is no cache.", expected=f"a {manifest.FILE_NAME} in it"
    )
  family, _ = registration.find_cached_family(
    described.family, modules, str(folder)
  )
  return Cache(folder, described, family)


def rows(
  caches: Sequence[Cache], evaluations: Sequence[Evaluation]
) -> list[Row]:
  """Returns the examples of caches and evaluations, each once.

  Those that students were tested on come first. A row has `task`, `split`,
  `id`, `input`, `gold`, `teachers` and `students`.

  A teacher's answer has `teacher`, `place` (of the answer in the record),
  `label`, `rationale`, `agrees` (1, 0, or -1 without a gold label), `finish`,
  and `marks`: a problem of `hygiene.PROBLEMS`, 'short', 'duplicate', 'leak',
  'hinted'. A student's has `student`, `label`, `rationale`, `right` (1 or 0,
  None if it was not judged), and if there are several seeds `seeds`, such as
  '3 of 5' for those that are right. The texts are the first seed's.

  Args:
    caches: The caches.
    evaluations: Students' answers.
  """
  found: dict[Key, Row] = {}
  for cache in caches:
    for key, row in _cached(cache):
      known = found.setdefault(key, row)
      if known is not row:
        known["teachers"] += row["teachers"]
  families = {task for task, _, _ in found} | set(registration.FAMILIES)
  for some in _by_student(evaluations).values():
    _add_student(found, some, family_of(some[0].task, families))
  return sorted(found.values(), key=lambda row: not row["students"])


def _cached(cache: Cache) -> Iterator[tuple[Key, Row]]:
  """Yields the records of all splits of a cache."""
  name = cache.manifest.family
  for split in cache.manifest.splits:
    seen: set[str] = set()
    for record in files.read(str(cache.folder), name, split):
      rule = rules.rule_for(cache.family.answer_rule, record.input)
      row = _row(name, split, record.id, record.input, record.label)
      row["teachers"] = [
        _teacher_answer(hygiene.CachedAnswer(record, place, rule), seen)
        for place in range(len(record.rationales))
      ]
      yield (name, split, record.id), row


def _row(task: str, split: str, id_: str, text: str, gold: str) -> Row:
  return {
    **{"task": task, "split": split, "id": id_, "input": text, "gold": gold},
    **{"teachers": [], "students": []},
  }


def _teacher_answer(answer: hygiene.CachedAnswer, seen: set[str]) -> Row:
  record, place, text = answer.record, answer.place, answer.rationale
  marks = {
    answer.problem(): True,
    "short": len(text.split()) < _SHORT,
    "duplicate": text in seen and bool(text),
    "leak": answer.leaks(),
    "hinted": bool(record.hinted[place]),
    "unsupported": record.verdicts[place] == records.UNSUPPORTED,
  }
  seen.add(text)
  return {
    "teacher": record.teachers[place],
    "place": place,
    "label": answer.label,
    "rationale": text,
    "agrees": answer.agrees,
    "finish": record.finish_reasons[place],
    "marks": [name for name, marked in marks.items() if name and marked],
  }


def _by_student(
  evaluations: Sequence[Evaluation],
) -> Mapping[tuple[str, str, str], list[Evaluation]]:
  """Returns evaluations that differ in their seed only, the first first."""
  found: dict[tuple[str, str, str], list[Evaluation]] = {}
  for one in sorted(evaluations, key=lambda e: e.seed or 0):
    found.setdefault((one.name, one.task, one.split), []).append(one)
  return found


def family_of(task: str, families: set[str]) -> str:
  """Returns the family whose name begins a task's, or the task itself."""
  known = [name for name in families if task.startswith(f"{name}_")]
  return max(known, key=len, default=task)


def _add_student(
  found: dict[Key, Row], seeds: Sequence[Evaluation], family: str
) -> None:
  """Adds a student's answers to the rows, or rows of its own."""
  first = seeds[0]
  judged = [{str(x["id"]): x for x in one.judged} for one in seeds]
  for line in first.rows:
    key = str(line["id"])
    row = found.setdefault(
      (family, first.split, key),
      _row(family, first.split, key, line["inputs"], _text(line["target"])),
    )
    known = [lines[key]["right"] for lines in judged if key in lines]
    output = _text(line.get("output", ""))
    answer = {
      "student": first.name,
      "label": _text(line["prediction"]),
      "rationale": _text(first.rationales.get(key, output)),
      "right": known[0] if known else None,
    }
    if len(seeds) > 1 and known:
      answer["seeds"] = f"{sum(known)} of {len(known)}"
    row["students"].append(answer)


def _text(value: Any) -> str:
  """Returns a prediction's text, the best of several samples."""
  if isinstance(value, str):
    return value
  return str(value[0]) if isinstance(value, list) and value else str(value)


def as_script(value: Any) -> str:
  """Returns JSON that may stand within a script element.

  No text in it can end the element or begin a comment, since `<`, `>` and `&`
  are escaped, nor a line of JavaScript (U+2028, U+2029).
  """
  text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
  for char in "<>&\u2028\u2029":
    text = text.replace(char, f"\\u{ord(char):04x}")
  return text
