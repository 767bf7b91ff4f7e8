"""Replies of real servers, broken replies, errors and model names."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.teacher.interface import AskingError, Request, Response
from distill.teacher.openai_replies import (
  is_same_model,
  read_error,
  read_response,
  unwanted_parameter,
)

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
    ({"content": None, "refusal": "I cannot."}, "I cannot.", ""),
    ({"content": "\ud800 half"}, "? half", ""),
  ],
)
def test_answer_and_reasoning_are_kept_apart(message, text, reasoning):
  response = read(message)
  assert (response.text, response.reasoning) == (text, reasoning)
  assert (response.prompt_tokens, response.completion_tokens) == (7, 3)


def test_missing_fields_and_other_names_of_the_model():
  body = b'{"choices": [{"text": "two or so"}]}'
  assert read_response(body, REQUEST, "m") == Response(
    "two or so", "unknown", 3, 3
  )
  assert read({"content": "2"}, "gpt-4o-2024-08-06").model.startswith("gpt-4o-")
  with pytest.raises(AskingError, match="wrong_model.*'llama'"):
    read({"content": "2"}, "llama")
  # It thought until its tokens were spent.
  cut = read({"content": None, "reasoning": "Hm"}, finish_reason="length")
  assert (cut.text, cut.reasoning, cut.finish_reason) == ("", "Hm", "length")
  chat = {"content": [{"token": "2", "logprob": -0.5}]}
  assert read({"content": "2"}, logprobs=chat).logprobs == (-0.5,)
  plain = {"token_logprobs": [-0.5, -1.0]}
  assert read({"content": "2"}, logprobs=plain).logprobs == (-0.5, -1.0)
  assert read({"content": "2"}, logprobs={}).logprobs is None
  with pytest.raises(AskingError, match="overheated"):
    read_response(b'{"error": {"message": "overheated"}}', REQUEST, "m")


@pytest.mark.parametrize(
  "message",
  [
    {"content": None},
    {"content": ""},
    {"content": " \n"},
    {"content": []},
    {"content": None, "reasoning": "Hm."},
    {"content": "<think>Hm.</think>\n"},
    {"content": "<|im_end|>"},
  ],
)
def test_an_answer_without_text_is_a_failure(message):
  with pytest.raises(AskingError) as failure:
    read(message)
  assert (failure.value.kind, failure.value.retryable) == ("empty", False)
  assert failure.value.kind in AskingError.KINDS


@pytest.mark.parametrize(
  "text", ["2</s>", "2<|im_end|>", "2 <end_of_turn>\n", "2<|eot_id|></s>"]
)
def test_special_tokens_at_the_end_are_no_part_of_the_answer(text):
  assert read({"content": text}).text.strip() == "2"
  assert read({"content": "1 <s> </s> 2"}).text == "1 <s> </s> 2"


def test_text_after_a_stop_is_cut_off():
  asked = Request("Q", stop=("\nQ:", "###"))
  tokens = [" So", " 2.", "\nQ", ":", " 3"]
  found = {"content": [{"token": t, "logprob": -1.0} for t in tokens]}
  choice = {"message": {"content": "".join(tokens)}, "logprobs": found}
  body = {"choices": [{**choice, "finish_reason": "length"}]}
  response = read_response(json.dumps(body).encode(), asked, "m")
  assert (response.text, response.finish_reason) == (" So 2.", "stop")
  assert response.logprobs == (-1.0, -1.0)
  # In what a model thinks, a stop stops nothing.
  choice = {"message": {"content": "<think>a\nQ: b</think>2"}}
  body = json.dumps({"choices": [choice]}).encode()
  assert read_response(body, asked, "m").text == "2"


@pytest.mark.parametrize(
  "error, kind",
  [
    ({"code": 402, "message": "Pay first."}, "quota"),
    ({"code": "402", "message": "Pay first."}, "quota"),
    ({"code": "insufficient_quota", "message": "none"}, "quota"),
    ({"message": "Insufficient credits."}, "quota"),
    ({"code": 401, "message": "no"}, "authentication"),
    ({"type": "authentication_error", "message": "no"}, "authentication"),
    ({"message": "Incorrect API key provided: x"}, "authentication"),
    ("Invalid API key", "authentication"),
    ({"code": 404, "message": "no"}, "not_found"),
    ({"code": "model_not_found", "message": "no"}, "not_found"),
    ({"message": "The model `m` does not exist"}, "not_found"),
    ({"code": 429, "message": "free-models-per-day"}, "rate_limited"),
    ({"code": "rate_limit_exceeded", "message": "wait"}, "rate_limited"),
    ({"status": "RESOURCE_EXHAUSTED", "message": "wait"}, "rate_limited"),
    ({"code": 503, "message": "wait"}, "overloaded"),
    ({"code": 502, "message": "upstream"}, "server"),
    ({"code": 400, "message": "bad"}, "refused"),
    ("overheated", "server"),
  ],
)
def test_an_error_within_a_reply_of_200_has_the_kind_of_its_status(error, kind):
  whole = {"error": error}
  within = {"choices": [{"message": {"content": "So"}, "error": error}]}
  for reply in (whole, within):
    with pytest.raises(AskingError) as failure:
      read_response(json.dumps(reply).encode(), REQUEST, "m")
    assert failure.value.kind == kind
    words = error if isinstance(error, str) else error["message"]
    assert words in failure.value.detail


@pytest.mark.parametrize("reason", ["error", "ERROR", "Error"])
def test_a_completion_that_ended_in_an_error_is_retried(reason):
  with pytest.raises(AskingError) as failure:
    read({"content": "So the answer is"}, finish_reason=reason)
  assert failure.value.retryable


@pytest.mark.parametrize(
  "status, message, sent, name",
  [
    (400, "'temperature' does not support 0 here.", 0, "temperature"),
    (400, "temperature must be greater than 0", 0, "temperature"),
    (400, "temperature must be at most 2", 3, ""),
    (400, "Unsupported parameter: 'stop' is not supported.", 0, "stop"),
    (422, "top_p: Extra inputs are not permitted", 0, "top_p"),
    (400, "seed is not supported by this model", 0, "seed"),
    (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'.",
     0, "max_tokens"),
    # Neither is about a parameter that the server lacks.
    (400, "max_tokens is too large: this model supports at most 4096", 0, ""),
    (400, "The context length is exceeded: reduce max_tokens.", 0, ""),
    (400, "You must not stop here", 0, ""),
    (400, "'presence_penalty' is not supported", 0, ""),
    (500, "'temperature' is not supported", 0, ""),
  ],
)  # fmt: skip
def test_a_refused_parameter_is_recognised_by_the_message(
  status, message, sent, name
):
  body = {"temperature": sent, "top_p": 0.5, "stop": ["x"], "seed": 1}
  body |= {"max_tokens": 9}
  reply = json.dumps({"error": {"message": message}}).encode()
  assert unwanted_parameter(status, reply, body) == name
  if status == 400:
    error = {"message": message, "code": 400}
    wrapped = json.dumps({"error": error}).encode()
    assert unwanted_parameter(200, wrapped, body) == name
  named = {"message": "It is unsupported.", "param": "top_p"}
  reply = json.dumps({"error": named}).encode()
  assert unwanted_parameter(400, reply, body) == "top_p"


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
def test_every_broken_reply_raises_an_asking_error(body):
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
    (402, b"", "quota", False),
    (429, b'{"error": {"message": "Insufficient balance"}}', "quota", False),
    (400, b'{"error": "Your credit balance is too low"}', "quota", False),
    (400, b'{"error": "API key not valid."}', "authentication", False),
    (400, b'{"error": "Unknown parameter: x"}', "unknown_parameter", False),
    (403, b'{"error": "Your input was flagged"}', "refused", False),
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


@pytest.mark.parametrize(
  "wanted, said",
  [
    ("gpt-4o", ""),
    ("gpt-4o", "GPT-4o"),
    ("gpt-4o", "gpt-4o-2024-08-06"),
    ("gpt-4o-2024-08-06", "gpt-4o"),
    ("gpt-4", "gpt-4-0613"),
    ("gemini-2.0-flash", "models/gemini-2.0-flash-001"),
    ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet@20241022"),
    ("org/name", "name"),
    ("name", "/models/name/"),
    ("org/name", "org/name@main"),
    ("name", "other/name@0a1b2c3"),
    ("llama3", "llama3:latest"),
    ("org/name:free", "org/name"),
    ("name", "/models/name.gguf"),
    ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
    ("mistral-large-latest", "mistral-large-2411"),
    ("gemini-flash-latest", "gemini-2.5-flash-preview-09-2025"),
  ],
)
def test_dates_paths_and_revisions_do_not_change_the_model(wanted, said):
  assert is_same_model(said, wanted)


@pytest.mark.parametrize(
  "wanted, said",
  [
    ("gpt-4", "gpt-4o-mini-2024-07-18"),
    ("gpt-4o", "gpt-4o-mini"),
    ("gpt-4o-mini", "gpt-4o"),
    ("gpt-4", "gpt-4-turbo"),
    ("gpt-4o-2024-08-06", "gpt-4o-2024-05-13"),
    ("text-davinci-003", "text-davinci-002"),
    ("llama3:8b", "llama3:70b"),
    ("llama-3-8b", "llama-3-70b"),
    ("claude-3-5-sonnet-latest", "gpt-4o"),
    ("a", "ab"),
  ],
)
def test_other_models_are_recognised(wanted, said):
  assert not is_same_model(said, wanted)
