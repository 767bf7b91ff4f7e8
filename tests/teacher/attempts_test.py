"""Wrong answers asked for again, the label shown at last, and a judge."""

import dataclasses
import json
import signal
import subprocess
import sys
import time

import pytest

from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.teacher import attempts, collecting, prompts, styles
from distill.teacher.attempts import Collection
from distill.teacher.collecting import Reading
from distill.teacher.interface import AskingError, Response
from distill.teacher.journal import Journal

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


class Failing(Student):
  """Fails where it is asked again, in one of two ways."""

  def __init__(self, error, hint=False):
    super().__init__()
    self.error, self.hint = error, hint

  async def complete(self, request):
    again = "known to be" in request.prompt if self.hint else request.sample
    response = await super().complete(request)
    if again and self.error is not None:
      raise self.error
    return dataclasses.replace(response, text="") if again else response


class Silent(Judge):
  """Gives no verdict on 7."""

  async def complete(self, request):
    if "Answer: 7" in request.prompt:
      raise AskingError("refused", "not that one", False)
    return await super().complete(request)


def ask(folder, retries=0, hint=False, judge=None, teacher=None):
  sampling = styles.Sampling()
  drawn = attempts.rising_temperatures(sampling, retries)
  further = attempts.FurtherAttempts(
    RULE,
    [styles.FewShot(TEMPLATE, RULE, each) for each in drawn],
    prompts.load_prompt("hint_v1") if hint else None,
  )
  teacher = teacher or Student()
  with Journal(folder) as journal:
    collection = Collection(
      teacher,
      styles.FewShot(TEMPLATE, RULE, sampling),
      journal=journal,
      further=further,
      judge=judge and attempts.Judge(judge),
    )
    assert not collecting.ask_all(QUESTIONS, collection, "failed.jsonl")
    reading = Reading(QUESTIONS, collection, "train")
    return [one for [one] in reading], teacher.asked, reading


def test_only_wrong_answers_are_retried_at_rising_temperatures(tmp_path):
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


def test_the_hint_is_the_last_attempt_and_is_recorded(tmp_path):
  answers, asked, _ = ask(tmp_path, retries=1, hint=True)
  assert [a.completion.answer for a in answers] == ["2", "7", "42", "7"]
  assert [a.hinted for a in answers] == [False, False, True, False]
  assert len(asked) == 4 + 2 + 2


def test_the_verdict_of_a_judge_is_kept(tmp_path):
  judge = Judge()
  answers, _, reading = ask(tmp_path, judge=judge)
  assert [a.verdict for a in answers] == [1, 0, 0, 0]
  assert "17 · 3?" in judge.asked[1] and "I see 7." in judge.asked[1]
  assert (reading.judge_ledger.requests, reading.ledger.requests) == (4, 4)
  assert reading.judge_ledger.prompt_tokens == 12


@pytest.mark.parametrize("hint", [False, True])
@pytest.mark.parametrize(
  "error, kind",
  [(AskingError("refused", "no", False), "refused"), (None, "empty")],
)
def test_a_failed_further_attempt_leaves_the_first_answer(
  tmp_path, capsys, hint, error, kind
):
  teacher = Failing(error, hint)
  answers, asked, _ = ask(tmp_path, 0 if hint else 3, hint, teacher=teacher)
  assert [a.completion.answer for a in answers] == ["2", "7", "7", "7"]
  # The first failure ends them: two wrong answers, one request more for each.
  assert len(asked) == 4 + 2
  lines = (tmp_path / "failed.jsonl").read_text().splitlines()
  failed = [json.loads(line) for line in lines]
  assert {line["id"] for line in failed} == {"hard", "hopeless"}
  assert all(line["answered"] and line["failure"] == kind for line in failed)
  said = capsys.readouterr().err
  assert "2 answers are kept" in said and "--overwrite" in said
  # What failed is asked for again, and nothing else.
  answers, asked, _ = ask(tmp_path, 0 if hint else 3, hint)
  assert len(asked) == (2 if hint else 2 + 3)
  assert len({a.completion.answer for a in answers}) > 2
  assert not (tmp_path / "failed.jsonl").exists()


def test_a_judge_without_a_verdict_leaves_the_answer(tmp_path, capsys):
  answers, _, _ = ask(tmp_path, judge=Silent())
  assert [a.completion.answer for a in answers] == ["2", "7", "7", "7"]
  assert [a.verdict for a in answers] == [1, -1, -1, -1]
  assert "3 answers are kept" in capsys.readouterr().err


def test_a_fatal_failure_of_the_judge_ends_the_run(tmp_path):
  class Locked(Judge):
    async def complete(self, request):
      self.asked.append(request)
      raise AskingError("authentication", "wrong key", False)

  judge = Locked()
  with pytest.raises(AskingError, match="wrong key"):
    ask(tmp_path, judge=judge)
  # The teacher's answers are kept.
  assert ask(tmp_path)[1] == []


# Each question is answered at once, and judged by a slow server.
SCRIPT = """
import sys
from distill.answers.rules import NumberAnswer
from distill.data.examples import Example
from distill.teacher import attempts, collecting, openai, prompts, styles
from distill.teacher.attempts import Collection
from distill.teacher.interface import Response
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits

class Quick:
  name = "quick"
  async def complete(self, request):
    return Response("I see. So the answer is 7.", "stop", 5, 5)

url, folder = sys.argv[1:]
questions = [Example(str(i), f"What is {i}?", "") for i in range(60)]
template = prompts.PromptTemplate("plain", "Q: {input}\\nA:", "")
with Journal(folder) as journal:
  collecting.ask_all(
    questions,
    Collection(
      Quick(),
      styles.FewShot(template, NumberAnswer()),
      journal=journal,
      limits=Limits(4),
      judge=attempts.Judge(openai.OpenAITeacher("always-yes", url)),
    ),
    "failed.jsonl",
  )
"""


def test_an_interrupt_stops_the_judge_too(start_server, tmp_path):
  server = start_server("--delay=0.3")
  command = [sys.executable, "-c", SCRIPT, server.url, str(tmp_path)]
  run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
  while server.stats()["requests"] < 4:
    assert run.poll() is None
    time.sleep(0.01)
  sent = server.stats()["requests"]
  run.send_signal(signal.SIGINT)
  _, said = run.communicate(timeout=60)
  assert "interrupted: by SIGINT" in said
  # Requests in flight are waited for; as many may just have been sent.
  assert server.stats()["requests"] <= sent + 4
  assert not (tmp_path / "failed.jsonl").exists()


def test_the_temperature_has_a_limit_and_never_falls():
  drawn = attempts.rising_temperatures(styles.Sampling(temperature=1.5), 2)
  assert [each.temperature for each in drawn] == [1.5, 1.5]
  drawn = attempts.rising_temperatures(styles.Sampling(temperature=0.5), 4)
  assert [each.temperature for each in drawn][-1] == 1.2
