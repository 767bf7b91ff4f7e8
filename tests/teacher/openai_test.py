"""What servers really reply, and what they never should."""

import asyncio
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.teacher.interface import AskingError, Request, Response
from distill.teacher.openai import OpenAITeacher
from distill.teacher.openai_replies import read_error, read_response

REQUEST = Request("Q: 1 + 1?\nA:")


def read(message, model="gpt-4o", **choice):
  reply = {
    "model": model,
    "choices": [{"message": message, "finish_reason": "stop", **choice}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3},
  }
  return read_response(json.dumps(reply).encode(), REQUEST, "gpt-4o")


@pytest.mark.parametrize(
  "message, text, reasoning",
  [
    ({"content": "2"}, "2", ""),
    ({"content": [{"type": "text", "text": "2"}, {"type": "x"}]}, "2", ""),
    ({"content": "2", "reasoning_content": "Hm."}, "2", "Hm."),
    ({"content": "<think>\nHm.\n</think>\n\n2"}, "2", "Hm."),
    # The chat template opened the tag in the prompt.
    ({"content": "Hm.</think> 2"}, "2", "Hm."),
    # It thought until its tokens were spent.
    ({"content": "<think>Hm"}, "", "Hm"),
    ({"content": None, "reasoning": "Hm."}, "", "Hm."),
    ({"content": None, "refusal": "I cannot."}, "I cannot.", ""),
    ({"content": "\ud800 half"}, "? half", ""),
  ],
)
def test_answer_and_reasoning_are_kept_apart(message, text, reasoning):
  response = read(message)
  assert (response.text, response.reasoning) == (text, reasoning)
  assert (response.prompt_tokens, response.completion_tokens) == (7, 3)


def test_what_servers_leave_out_or_name_in_their_own_way():
  body = b'{"choices": [{"text": "two or so"}]}'
  assert read_response(body, REQUEST, "m") == Response(
    "two or so", "unknown", 3, 3
  )
  assert read({"content": "2"}, "gpt-4o-2024-08-06").model.startswith("gpt-4o-")
  with pytest.raises(AskingError, match="wrong_model.*'llama'"):
    read({"content": "2"}, "llama")
  chat = {"content": [{"token": "2", "logprob": -0.5}]}
  assert read({"content": "2"}, logprobs=chat).logprobs == (-0.5,)
  plain = {"token_logprobs": [-0.5, -1.0]}
  assert read({"content": "2"}, logprobs=plain).logprobs == (-0.5, -1.0)
  assert read({"content": "2"}, logprobs={}).logprobs is None
  with pytest.raises(AskingError, match="overheated"):
    read_response(b'{"error": {"message": "overheated"}}', REQUEST, "m")


JSON = st.recursive(
  st.none() | st.booleans() | st.floats() | st.text(max_size=3),
  lambda inner: (
    st.lists(inner, max_size=2)
    | st.dictionaries(
      st.sampled_from(
        ["choices", "message", "content", "text", "usage", "logprobs", "error"]
        + ["model", "finish_reason", "prompt_tokens", "token_logprobs"]
      ),
      inner,
    )
  ),
  max_leaves=12,
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_no_reply_is_more_than_an_asking_error(body):
  try:
    assert read_response(body, REQUEST, "m").text is not None
  except AskingError as error:
    assert str(error).isprintable()
  assert str(read_error(500, {}, body)).isprintable()


@pytest.mark.parametrize(
  "status, body, kind, retryable",
  [
    (429, b"", "rate_limited", True),
    (429, b'{"error": {"code": "insufficient_quota"}}', "quota", False),
    (500, b"<html>", "server", True),
    (529, b"[]", "overloaded", True),
    (401, b'{"error": "no"}', "authentication", False),
    (404, b"", "not_found", False),
    (400, b"no response_format here", "unsupported", False),
    (422, b"", "refused", False),
  ],
)
def test_a_status_says_whether_to_try_again(status, body, kind, retryable):
  error = read_error(status, {}, body)
  assert (error.kind, error.retryable) == (kind, retryable)


def test_retry_after_is_read_as_seconds_and_as_a_date():
  def wait(value):
    return read_error(503, {"Retry-After": value}, b"").retry_after

  assert wait("2.5") == 2.5 and wait("-3") == 0 and wait("soon") is None
  assert wait("nan") is None and wait("") is None
  date = time.strftime(
    "%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 9)
  )
  assert 6 < wait(date) <= 9


def test_both_endpoints_send_what_was_asked_and_seeds_part_the_samples(server):
  async def ask():
    texts = []
    for endpoint in ("chat", "completion"):
      teacher = OpenAITeacher("steady", server.url, endpoint=endpoint)
      for sample in (0, 1):
        request = Request("Q", sample, 0.7, 9, ("\n",), 0.9, 5, True)
        texts.append((await teacher.complete(request)).text)
      await teacher.close()
    return texts

  first, second, third, fourth = asyncio.run(ask())
  assert first == third != second == fourth
