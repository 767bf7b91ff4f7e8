"""A request's key: what a journal of answers will be looked up by."""

import dataclasses

from distill.teacher.interface import Request

BASE = Request("Q: 1 + 1?\nA:")


def test_everything_that_changes_the_answer_changes_the_key():
  others = [
    dataclasses.replace(BASE, prompt="Q: 1 + 2?\nA:"),
    dataclasses.replace(BASE, sample=1),
    dataclasses.replace(BASE, temperature=0.7),
    dataclasses.replace(BASE, max_tokens=8),
    dataclasses.replace(BASE, stop=("\n",)),
    dataclasses.replace(BASE, stop=("\n", "Q:")),
  ]
  keys = {request.key("gpt") for request in [BASE, *others]}
  assert len(keys | {BASE.key("gpt-2")}) == 8


def test_a_key_never_changes_between_releases():
  # printf '{"max_tokens": 256, "prompt": "\\u00fc", "sample": 0, "stop":
  # ["\\n"], "teacher": "builtin", "temperature": 0.0}' | sha256sum
  key = Request("ü", stop=("\n",)).key("builtin")
  assert key.startswith("27e1594b8c8f30e2")
