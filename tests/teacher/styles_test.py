"""Styles: what is asked, what is read, and each end to end with no network."""

import asyncio
import json

import pytest

from distill.answers import rules
from distill.data.procedural import (
  ChainedArithmetic,
  CoinFlip,
  LastLetters,
  TrackingShuffledObjects,
)
from distill.errors import UserError
from distill.teacher import prompts, styles
from distill.teacher.builtin.teacher import BuiltinTeacher
from distill.teacher.interface import AskingError, Response

NUMBER = rules.NumberAnswer()
SHOTS = prompts.PromptTemplate(
  "shots",
  "Say.\n\nQ: 1\nA: a\n\nQ: 2\nA: b\n\nQ: 3\n\nA: c\n\nQ: {input}\nA:",
  "0",
)


class Script:
  """Answers requests in turn by what it is given, and keeps them."""

  def __init__(self, *responses):
    self.responses = list(responses)
    self.requests = []

  async def ask(self, request):
    self.requests.append(request)
    response = self.responses.pop(0)
    if isinstance(response, Exception):
      raise response
    return response


def said(text, finish_reason="stop", **more):
  return Response(text, finish_reason, 10, 3, **more)


def complete(style, script, input="5 + 3?", sample=0):
  return asyncio.run(style.complete(input, sample, script.ask))


DATA = {
  LastLetters: rules.TextAnswer(),
  CoinFlip: rules.YesNoAnswer(),
  ChainedArithmetic: NUMBER,
  TrackingShuffledObjects: rules.TextAnswer(),
}


@pytest.mark.parametrize("name", styles.STYLES)
@pytest.mark.parametrize("data", DATA, ids=lambda data: data.__name__)
def test_the_builtin_teacher_answers_every_style(name, data):
  dataset = data(sizes={"train": 3})
  template = prompts.load_prompt(f"few_shot_{dataset.name}")
  options = styles.StyleOptions(name)
  style = styles.create_style(options, DATA[data], template)
  for example in dataset.examples("train"):
    got = asyncio.run(
      style.complete(example.input, 0, BuiltinTeacher().complete)
    )
    assert DATA[data].equal(got.answer, example.label)
    assert got.rationale and "answer is" not in got.rationale
    assert got.finish_reason == "stop" and got.completion_tokens > 3
    again = BuiltinTeacher(error_rate=1.0).complete
    wrong = asyncio.run(style.complete(example.input, 0, again))
    assert wrong.answer and not DATA[data].equal(wrong.answer, example.label)


def test_few_shot_stops_at_the_next_question_by_default():
  reply = said("Add. So the answer is 8.", reasoning="Hm.", logprobs=(-1.0,))
  script = Script(reply, reply)
  got = complete(styles.FewShot(SHOTS, NUMBER), script)
  assert (got.rationale, got.answer, got.reasoning) == ("Add.", "8", "Hm.")
  assert (got.text, got.logprobs) == (reply.text, (-1.0,))
  free = styles.Sampling(0.7, 64, (), 0.9, 5, logprobs=True)
  complete(styles.FewShot(SHOTS, NUMBER, free), script, sample=2)
  first, second = script.requests
  assert first.stop == ("\nQ:",) and second.stop == ()
  assert (second.temperature, second.top_p, second.sample) == (0.7, 0.9, 2)
  assert (second.max_tokens, second.seed, second.logprobs) == (64, 5, True)


def test_exemplars_are_shuffled_by_seed_input_and_sample():
  style = styles.FewShot(SHOTS, NUMBER, shuffle_seed=1)
  fixed = styles.FewShot(SHOTS, NUMBER).prompt("x", 0)
  seen = {style.prompt("x", sample) for sample in range(40)}
  assert len(seen) == 6 and fixed in seen
  for prompt in seen:
    assert prompt.startswith("Say.\n\nQ:") and prompt.endswith("Q: x\nA:")
    assert sorted(prompt.split()) == sorted(fixed.split())
  assert style.prompt("x", 3) == style.prompt("x", 3)
  other = styles.FewShot(SHOTS, NUMBER, shuffle_seed=2)
  assert any(style.prompt("x", i) != other.prompt("x", i) for i in range(9))
  assert style.name == "shots(shuffle_seed=1)"
  assert len({style.sha256, other.sha256, SHOTS.sha256}) == 3


def test_two_steps_reason_first_and_extract_after():
  script = Script(
    said("\n5 and {trigger} make 8. ", logprobs=(-1.0,)),
    said(" 8.", logprobs=(-0.5,)),
  )
  got = complete(styles.ZeroShotTwoSteps(NUMBER), script)
  first, second = script.requests
  assert first.prompt == "Q: 5 + 3?\nA: Let's think step by step."
  assert second.prompt == (
    f"{first.prompt} 5 and {{trigger}} make 8.\n"
    "Therefore, the answer (arabic numerals) is"
  )
  assert (got.rationale, got.answer) == ("5 and {trigger} make 8.", "8")
  assert got.text.endswith("8.\nTherefore, the answer (arabic numerals) is 8.")
  assert (got.prompt_tokens, got.completion_tokens) == (20, 6)
  assert got.logprobs == (-1.0, -0.5)


@pytest.mark.parametrize(
  "rule, kind",
  [
    (rules.TextAnswer(), "the answer is"),
    (rules.YesNoAnswer(), "the answer (yes or no) is"),
    (rules.ChoiceAnswer(("a", "b", "c")), "the answer (a, b or c) is"),
  ],
)
def test_the_trigger_is_the_tasks_unless_one_is_given(rule, kind):
  assert styles.ZeroShotTwoSteps(rule).trigger == kind
  style = styles.ZeroShotTwoSteps(rule, trigger="it is")
  assert style.name == "zero_shot_two_step_v1(it is)"
  assert style.sha256 != styles.ZeroShotTwoSteps(rule).sha256


@pytest.mark.parametrize(
  "replies",
  [
    [said("5 and 3 ma", "length")],
    [said("<think>so long", "stop")],
    [said("5 and 3 make 8."), said(" 8", "length")],
  ],
)
def test_what_was_cut_short_is_a_failure_and_no_rationale(replies):
  script = Script(*replies)
  got = complete(styles.ZeroShotTwoSteps(NUMBER), script)
  assert got.rationale == got.answer == ""
  assert not script.responses and got.text
  one = complete(
    styles.FewShot(SHOTS, NUMBER), Script(said("So the answer is 8", "length"))
  )
  assert (one.answer, one.finish_reason) == ("", "length")


def test_choices_of_the_input_become_the_schemas():
  question = "Where?\n(a) at sea\n(b) on land"
  script = Script(said(json.dumps({"rationale": "It is.", "answer": "(b)"})))
  style = styles.Structured(rules.ListedChoiceAnswer())
  got = complete(style, script, question)
  assert (got.rationale, got.answer) == ("It is.", "on land")
  schema = json.loads(script.requests[0].schema)
  assert schema["properties"]["answer"]["enum"] == ["at sea", "on land"]
  assert "letter" in script.requests[0].prompt


def test_a_server_without_schemas_gets_the_prompt_for_tags():
  tagged = said("<rationale>Add.</rationale><answer>8</answer>")
  lacking = AskingError("unsupported", "no json_schema", False)
  script = Script(lacking, tagged, tagged, AskingError("server", "x", True))
  style = styles.Structured(NUMBER)
  for _ in range(2):
    got = complete(style, script)
    assert (got.rationale, got.answer) == ("Add.", "8")
  assert [bool(r.schema) for r in script.requests] == [True, False, False]
  with pytest.raises(AskingError, match="server"):
    complete(styles.Structured(NUMBER), script)


def test_options_of_another_style_are_refused():
  for name, options in [
    ("chain", {}),
    ("structured", {"shuffle_exemplars": 1}),
    ("few_shot", {"trigger": "it is"}),
  ]:
    with pytest.raises(UserError, match=name):
      styles.create_style(styles.StyleOptions(name, **options), NUMBER, SHOTS)


class UsersRule:
  """A rule of a user's own: it reads the last word and has no form."""

  def parse(self, text):
    return text.split()[-1].rstrip(".") if text.split() else None

  def equal(self, a, b):
    return a == b


def test_a_users_rule_without_a_form_has_the_default_one():
  script = Script(said(json.dumps({"rationale": "Add.", "answer": "is 8"})))
  got = complete(styles.Structured(UsersRule()), script)
  assert got.answer == "8" and "the answer alone" in script.requests[0].prompt
  schema = json.loads(script.requests[0].schema)
  assert schema["properties"]["answer"] == {"type": "string"}
  assert styles.ZeroShotTwoSteps(UsersRule()).trigger == "the answer is"
