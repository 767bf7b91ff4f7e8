"""A request's key: what a journal of answers will be looked up by."""

import asyncio
import dataclasses

import pytest

from distill.answers.rules import NumberAnswer
from distill.errors import UserError
from distill.teacher.builtin.teacher import BuiltinTeacher
from distill.teacher.interface import (
  AskingError,
  Request,
  Response,
  create_teacher,
)
from distill.teacher.openai import OpenAITeacher
from distill.teacher.prompts import PromptTemplate
from distill.teacher.styles import FewShot

BASE = Request("Q: 1 + 1?\nA:")


def test_everything_that_changes_the_answer_changes_the_key():
  others = [
    dataclasses.replace(BASE, prompt="Q: 1 + 2?\nA:"),
    dataclasses.replace(BASE, sample=1),
    dataclasses.replace(BASE, temperature=0.7),
    dataclasses.replace(BASE, max_tokens=8),
    dataclasses.replace(BASE, stop=("\n",)),
    dataclasses.replace(BASE, stop=("\n", "Q:")),
    dataclasses.replace(BASE, top_p=0.9),
    dataclasses.replace(BASE, seed=0),
    dataclasses.replace(BASE, logprobs=True),
    dataclasses.replace(BASE, schema="{}"),
  ]
  keys = {request.key("gpt") for request in [BASE, *others]}
  assert len(keys | {BASE.key("gpt-2")}) == 12


# What users' journals have on their disks: neither of these may ever change.
GOLDEN = [
  (
    Request("Q: 1 + 1?\nA:", stop=("\nQ:",)),
    "openai(gpt-4o-mini,chat)",
    # printf '{"prompt": "Q: 1 + 1?\\nA:", "stop": ["\\nQ:"],
    # "teacher": "openai(gpt-4o-mini,chat)"}' | sha256sum
    "38cd08077a7d880507b0609c6a173b1dc20180012a90b794392f025a7769eb89",
    # The same with every other field of version 0.
    "2450207415bc3af05bfa63b12ec34a12566e17218a56c309b04327dc7bb21aa3",
  ),
  (
    Request("Q: 1 + 1?\nA:", 1, 0.7, 64, top_p=0.9, seed=3),
    "openai(llama,completion)",
    "8bad0749584cddf7b8c93213dc7fb08952239a0a71bd4f359b6bc597d02dae3c",
    "21ab02c900ccdee016147e6c548cfbc22dc53c24c7a535852855faf41481d970",
  ),
]


@pytest.mark.parametrize("request_, teacher, key, legacy", GOLDEN)
def test_a_key_never_changes_between_releases(request_, teacher, key, legacy):
  assert request_.key(teacher) == key
  assert request_.keys(teacher) == (key, legacy)


COMPLETION = (
  "c00341647d2fd35ced274e7e4947d1483ee5377a4a4cd1537c7786b457b7a54f",
  "179eeb1a4269e154b127239f448c758787a867437cbf35f4cdc24a12c85c4776",
)


@pytest.mark.parametrize(
  "endpoint, keys", [("chat", GOLDEN[0][2:]), ("completion", COMPLETION)]
)
def test_a_few_shot_question_is_found_in_every_journal(endpoint, keys):
  teacher = OpenAITeacher("gpt-4o-mini", endpoint=endpoint)
  template = PromptTemplate("plain", "Q: {input}\nA:", "")
  found = []

  async def ask(request):
    found.extend(request.keys(teacher.name))
    return Response("So the answer is 2.", "stop", 1, 1)

  style = FewShot(template, NumberAnswer())
  asyncio.run(style.complete("1 + 1?", 0, ask))
  assert tuple(found) == keys


def test_a_legacy_key_spells_out_every_field_of_version_0():
  # printf '{"logprobs": false, "max_tokens": 256, "prompt": "\\u00fc",
  # "sample": 0, "schema": "", "seed": null, "stop": ["\\n"], "teacher":
  # "builtin", "temperature": 0.0, "top_p": 1.0}' | sha256sum
  [_, legacy] = Request("ü", stop=("\n",)).keys("builtin")
  assert legacy.startswith("b93e81265dfdbbce")


@dataclasses.dataclass(frozen=True)
class NewerRequest(Request):
  """A request of a later release, which has one more option."""

  effort: str = ""


def test_a_new_option_changes_no_key():
  for request, teacher, *keys in GOLDEN:
    newer = NewerRequest(**vars(request))
    assert newer.keys(teacher) == tuple(keys)
    # Used, it changes the key, and no old answer is taken for its own.
    used = dataclasses.replace(newer, effort="high")
    assert len(used.keys(teacher)) == 1 and used.key(teacher) not in keys


def test_a_server_s_message_is_safe_to_print():
  error = AskingError("server", "\x1b[2J\x9b31m gone\u202e\n" * 99, True)
  assert str(error).isprintable() and len(str(error)) < 320
  assert "\\x1b[2J" in error.detail and "\\u202e" in error.detail


def test_a_teacher_gets_its_options():
  teacher = create_teacher("builtin", error_rate=0.25, seed=3)
  assert teacher == BuiltinTeacher(0.25, 3)
  assert teacher.name == "builtin(error_rate=0.25,seed=3)"
  assert create_teacher("builtin").name == "builtin"


@pytest.mark.parametrize(
  "name, options, named",
  [
    ("gpt-5", {}, "one of builtin"),
    ("builtin", {"rate": 0.5}, "error_rate, seed"),
    ("builtin", {"error_rate": 1.5}, "1.5"),
  ],
)
def test_a_wrong_name_or_option_is_named_with_the_right_ones(
  name, options, named
):
  with pytest.raises(UserError, match=named):
    create_teacher(name, **options)
