"""The report: each thing that can be wrong is counted where it is."""

import dataclasses
import json
import os
import pathlib

import pytest

from distill.answers import rules
from distill.answers.upstream import find_parser
from distill.data import hygiene, importing, published_rationales, registration
from distill.data.cache import records

REAL = pathlib.Path(os.environ.get("DISTILL_TEST_DATA", "nowhere"))
NLI = rules.ChoiceAnswer(("entailment", "neutral", "contradiction"))


def record(*given, label="neutral", **fields):
  """Makes a record of (rationale, teacher's label, raw text) triples."""
  fields = {"finish": "stop", "input": "Is it?", "teacher": "t", **fields}
  fields = {"hinted": 0, "verdict": records.NOT_JUDGED, **fields}
  return records.Record(
    id="7",
    input=fields["input"],
    label=label,
    rationales=tuple(r for r, _, _ in given),
    teacher_labels=tuple(a for _, a, _ in given),
    agrees=tuple(int(a == label) if label else -1 for _, a, _ in given),
    finish_reasons=(fields["finish"],) * len(given),
    teachers=(fields["teacher"],) * len(given),
    hinted=(fields["hinted"],) * len(given),
    verdicts=(fields["verdict"],) * len(given),
    completions=tuple(text for _, _, text in given),
  )


@dataclasses.dataclass(frozen=True)
class OwnRule:
  """A user's own rule, of a class that this project does not know."""

  choices: tuple[str, ...] = ("up", "down")

  def parse(self, text):
    return text if text in self.choices else None

  def equal(self, a, b):
    return a == b


@pytest.mark.parametrize(
  "rule, label, text, finish, problem",
  [
    (NLI, "neutral", "So the answer is neutral.", "stop", ""),
    (NLI, "", "So the answer is neu", "length", "truncated"),
    (NLI, "", "So the answer is either neutral or entailment.", "stop",
     "ambiguous"),
    (NLI, "neutral", "So the answer is (b) neutral or (c) x.", "stop",
     "ambiguous"),
    (NLI, "", "So the answer is neu", "MAX_TOKENS", "truncated"),
    (NLI, "", "So the answer is neu", "content_filter", "withheld"),
    (NLI, "neutral", "So the answer is neutral.", "end_turn", ""),
    (NLI, "", "I cannot say.", "stop", "unread"),
    (NLI, "", "It hardly moves, so maybe.", "", "unread"),
    (NLI, "", " \n", "stop", "blank"),
    (NLI, "", "So the answer is entail.", "stop", "corrupt"),
    (NLI, "neutral\n\nPre", "Answer: neutral\n\nPre", "stop", "corrupt"),
    (NLI, "", "So the answer is maybe.", "stop", "out_of_set"),
    (NLI, "Neutral", "So the answer is Neutral.", "stop", "out_of_set"),
    (OwnRule(), "up", "So the answer is up.", "stop", ""),
    (OwnRule(), "", "So the answer is up or down.", "stop", "ambiguous"),
    (rules.NumberAnswer(), "8", "So the answer is 8.", "stop", ""),
    (rules.NumberAnswer(), "", "So the answer is many.", "stop",
     "out_of_set"),
    (rules.TextAnswer(), "oub", "So the answer is oub.", "stop", ""),
    (rules.ChoiceAnswer(("bank", "river bank")), "river bank",
     "So the answer is river bank.", "stop", ""),
  ],
)  # fmt: skip
def test_a_label_is_sound_or_has_one_problem(
  rule, label, text, finish, problem
):
  some = record(("r", label, text), finish=finish)
  assert hygiene.CachedAnswer(some, 0, rule).problem() == problem


def test_labels_are_judged_without_raw_texts_too():
  some = records.Record(
    **{**record(("r", "entail", "x")).to_dict(), "completions": ()}
  )
  assert hygiene.CachedAnswer(some, 0, NLI).problem() == "corrupt"


def test_a_survey_counts():
  content = [
    record(("It is so, a b c d e f.", "neutral", "x"), ("", "", "y"), hinted=1),
    record(("It is so, a b c d e f.", "entailment", "x"), verdict=0),
    record(
      ("Neutral: it is so, a b c d e f.", "neutral", "x"), label="", verdict=1
    ),
    record(("a b c d e f It is so and", "neutral", "x"), teacher="u"),
  ]
  report = hygiene.survey(content, NLI, ["is IT", "Was it?"], samples=2)
  assert (report["examples"], report["answers"]) == (4, 5)
  assert (report["judged"], report["agreeing"]) == (4, 2)
  assert report["examples_with_an_agreeing_answer"] == 2
  assert report["without_a_label"] == report["problems"]["unread"] == 1
  assert report["empty_rationales"] == report["duplicates"] == 1
  assert (report["hinted"], report["supported"]) == (2, 1)
  assert report["unsupported"] == 1
  assert report["near_duplicates"] == 2 and report["leaks"] == 1
  assert report["words"]["right"]["rationales"] == 2
  assert report["words"]["right"]["p50"] == 9.5
  assert report["words"]["wrong"] == {
    "rationales": 1, "mean": 9.0, "p10": 9.0, "p50": 9.0, "p90": 9.0
  }  # fmt: skip
  assert report["test"] == {"examples": 2, "near_train": 1}
  assert report["teachers"]["u"] == {"answers": 1, "parsed": 1, "agreeing": 1}
  assert report["samples"] == hygiene.survey(content, NLI, samples=2)["samples"]
  text = hygiene.as_text(json.loads(json.dumps(report)))
  assert "2 of 4 (50.00%) of those with a gold label" in text
  assert "u                 1 of 1 (100.00%)" in text
  assert "test inputs         1 of 2 (50.00%)" in text


def test_an_empty_cache_and_a_terminals_commands_are_harmless():
  assert "0 of 0" in hygiene.as_text(hygiene.survey([], NLI))
  some = record(("\x1b[2J\u202ehidden", "neutral", "x"), input="a\nb\x07")
  text = hygiene.as_text(hygiene.survey([some], NLI))
  assert "\\x1b[2J\\u202ehidden" in text and "a\\nb\\x07" in text
  assert not {"\x1b", "\x07", "\u202e"} & set(text)


@pytest.mark.skipif(not REAL.is_dir(), reason="DISTILL_TEST_DATA is not set")
def test_labels_that_upstream_would_train_on():
  folder = REAL / "distilling_step_by_step" / "cqa"
  dataset = dataclasses.replace(
    registration.find_family("cqa").dataset, root=str(REAL)
  )
  rule = rules.ListedChoiceAnswer()
  found = published_rationales.read_dss(folder, {})
  groups = importing.group(found, dataset, "train")
  parser = find_parser("dss_cqa")
  content = [
    importing.to_record(example, some, rule, parser, "")
    for split in ("train", "validation")
    for example, some in groups[split]
  ]
  some = hygiene.answers(content, rule)
  # 448 of 9,741 parsed labels are not among the five choices as they are
  # written; one only for a space after 'ice cream '.
  unknown = [a for a in some if a.label not in a.rule.choices]
  assert len(unknown) == 447
  assert all(answer.problem() for answer in unknown)


def test_one_sentence_says_what_is_wrong():
  report = {
    **{"judged": 50, "agreeing": 40, "answers": 60, "without_a_label": 3},
    **{"problems": {"truncated": 2}, "duplicates": 1},
  }
  assert hygiene.in_a_sentence(report) == (
    "10 of 50 (20.00%) do not give the gold label. 3 of 60 (5.00%) could not be"
    " read, 2 were cut short, 1 repeat another rationale."
  )
  unlabeled = hygiene.in_a_sentence({**report, "judged": 0, "agreeing": 0})
  assert unlabeled.startswith("3 of 60")
