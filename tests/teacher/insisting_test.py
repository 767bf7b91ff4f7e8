"""Wrong answers asked for again, the label shown at last, and a judge."""

import pytest

from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.teacher import collecting, insisting, prompts, styles
from distill.teacher.collection import Collection
from distill.teacher.interface import Response
from distill.teacher.journal import Journal
from distill.teacher.reading import Reading

RULE = NumberAnswer()
TEMPLATE = prompts.PromptTemplate("plain", "Q: {input}\nA:", "")
QUESTIONS = [
  Example("easy", "1 + 1?", "2"),
  Example("hard", "17 · 3?", "51"),
  Example("hopeless", "6 · 9?", "42"),
  Example("unlabeled", "2 + 2?", ""),
]


class Student:
  """Knows sums, products only when warm, and believes a hint."""

  name = "student"

  def __init__(self):
    self.asked = []

  async def complete(self, request):
    self.asked.append((request.temperature, request.sample))
    answer = "2" if "1 + 1" in request.prompt else "7"
    if "17" in request.prompt and request.temperature > 0.5:
      answer = "51"
    if "known to be: 42" in request.prompt:
      answer = "42"
    return Response(f"I see {answer}. So the answer is {answer}.", "stop", 5, 5)


class Judge(Student):
  """Doubts whatever is 7."""

  name = "judge"

  async def complete(self, request):
    self.asked.append(request.prompt)
    verdict = "No." if "Answer: 7" in request.prompt else "Yes, it does."
    return Response(verdict, "stop", 3, 1)


def ask(folder, retries=0, hint=False, judge=None):
  sampling = styles.Sampling()
  drawn = insisting.warmer(sampling, retries)
  insistence = insisting.Insistence(
    RULE,
    [styles.FewShot(TEMPLATE, RULE, each) for each in drawn],
    prompts.load_prompt("hint_v1") if hint else None,
  )
  teacher = Student()
  with Journal(folder) as journal:
    collection = Collection(
      teacher,
      styles.FewShot(TEMPLATE, RULE, sampling),
      journal=journal,
      insistence=insistence,
      judge=judge and insisting.Judge(judge),
    )
    assert not collecting.ask_all(QUESTIONS, collection, "failed.jsonl")
    reading = Reading(QUESTIONS, collection, "train")
    return [one for [one] in reading], teacher.asked, reading


def test_only_what_is_wrong_is_asked_again_ever_warmer(tmp_path):
  answers, asked, _ = ask(tmp_path, retries=3)
  assert [a.completion.answer for a in answers] == ["2", "51", "7", "7"]
  # The hard one was right at the second attempt: 4 + 2 + 3 requests.
  assert len(asked) == 9 and not any(a.hinted for a in answers)
  assert sorted(set(asked)) == [
    (0.0, 0),
    (pytest.approx(0.3), 1),
    (pytest.approx(0.6), 2),
    (pytest.approx(0.9), 3),
  ]
  assert ask(tmp_path, retries=3)[1] == []


def test_the_label_is_shown_last_and_what_came_of_it_is_marked(tmp_path):
  answers, asked, _ = ask(tmp_path, retries=1, hint=True)
  assert [a.completion.answer for a in answers] == ["2", "7", "42", "7"]
  assert [a.hinted for a in answers] == [False, False, True, False]
  assert len(asked) == 4 + 2 + 2


def test_a_second_teacher_s_verdict_is_kept(tmp_path):
  judge = Judge()
  answers, _, reading = ask(tmp_path, judge=judge)
  assert [a.verdict for a in answers] == [1, 0, 0, 0]
  assert "17 · 3?" in judge.asked[1] and "I see 7." in judge.asked[1]
  assert (reading.judge_ledger.requests, reading.ledger.requests) == (4, 4)
  assert reading.judge_ledger.prompt_tokens == 12


def test_warmth_has_a_limit_and_never_falls():
  drawn = insisting.warmer(styles.Sampling(temperature=1.5), 2)
  assert [each.temperature for each in drawn] == [1.5, 1.5]
  drawn = insisting.warmer(styles.Sampling(temperature=0.5), 4)
  assert [each.temperature for each in drawn][-1] == 1.2
