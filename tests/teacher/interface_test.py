"""A request's key: what a journal of answers will be looked up by."""

import dataclasses

from distill.teacher.interface import AskingError, Request

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


def test_a_key_never_changes_between_releases():
  # printf '{"logprobs": false, "max_tokens": 256, "prompt": "\\u00fc",
  # "sample": 0, "schema": "", "seed": null, "stop": ["\\n"], "teacher":
  # "builtin", "temperature": 0.0, "top_p": 1.0}' | sha256sum
  key = Request("ü", stop=("\n",)).key("builtin")
  assert key.startswith("b93e81265dfdbbce")


def test_what_a_server_said_cannot_command_a_terminal():
  error = AskingError("server", "\x1b[2J\x9b31m gone\u202e\n" * 99, True)
  assert str(error).isprintable() and len(str(error)) < 320
  assert "\\x1b[2J" in error.detail and "\\u202e" in error.detail
