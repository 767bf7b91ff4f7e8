"""What servers really reply, and what they never should."""

import asyncio
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.errors import UserError
from distill.teacher.interface import AskingError, Request, Response
from distill.teacher.openai import OpenAITeacher
from distill.teacher.openai_errors import read_error, unwanted_parameter
from distill.teacher.openai_replies import read_response

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


def test_what_servers_leave_out_or_name_in_their_own_way():
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


def test_what_runs_past_a_stop_is_cut_and_the_rest_is_whole():
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
def test_an_error_within_a_reply_of_200_says_what_its_status_would(error, kind):
  whole = {"error": error}
  within = {"choices": [{"message": {"content": "So"}, "error": error}]}
  for reply in (whole, within):
    with pytest.raises(AskingError) as failure:
      read_response(json.dumps(reply).encode(), REQUEST, "m")
    assert failure.value.kind == kind
    words = error if isinstance(error, str) else error["message"]
    assert words in failure.value.detail


@pytest.mark.parametrize("reason", ["error", "ERROR", "Error"])
def test_a_completion_that_ended_in_an_error_is_asked_again(reason):
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
def test_a_parameter_that_a_server_lacks_is_known_by_its_words(
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


def bodies(server, *requests, **options):
  """Returns the fields of the bodies that requests were sent as."""

  async def ask():
    teacher = OpenAITeacher(base_url=server.url, **options)
    try:
      return [await teacher.complete(request) for request in requests]
    finally:
      await teacher.close()

  return asyncio.run(ask()), server.stats()["fields"]


def test_a_chat_server_is_sent_stops_only_where_they_are_asked_for(server):
  asked = Request("Q", stop=("\nQ:",))
  _, fields = bodies(server, asked, model="steady")
  assert "stop" not in fields and "temperature" in fields
  _, fields = bodies(server, asked, model="steady", send_stop=True)
  assert "stop" in fields


def test_a_completion_server_is_always_sent_stops(server):
  asked = Request("Q", stop=("\nQ:",))
  _, fields = bodies(server, asked, model="steady", endpoint="completion")
  assert "stop" in fields


@pytest.mark.parametrize("endpoint", ["chat", "completion"])
def test_an_invented_question_is_cut_off(server, endpoint):
  asked = Request("Q", stop=("\nQ:",))
  options = {"model": "always-runs-on", "endpoint": endpoint}
  [response], _ = bodies(server, asked, **options)
  assert response.text.endswith(".\n") and "Q:" not in response.text
  assert response.finish_reason == "stop"


def test_an_extra_body_is_merged_and_names_the_teacher(server):
  text = '{"top_k": 5, "think": {"on": false}, "temperature": 1}'
  _, fields = bodies(server, REQUEST, model="steady", extra_body=text)
  assert {"top_k", "think", "model", "messages"} <= set(fields)
  teacher = OpenAITeacher("m", extra_body=text)
  assert teacher.payload(REQUEST)["temperature"] == 1
  same = OpenAITeacher("m", extra_body=text.replace(" ", "")).name
  plain = OpenAITeacher("m", extra_body="{}").name
  assert plain == OpenAITeacher("m").name == "openai(m,chat)"
  assert teacher.name == same != plain


@pytest.mark.parametrize(
  "text", ["[1]", "no", "3", '{"a": NaN}', '{"model": "x"}', '{"stream": true}',
           '{"messages": []}', '{"prompt": "x"}', "[" * 100_000]
)  # fmt: skip
def test_an_extra_body_that_cannot_be_sent_is_refused(text):
  with pytest.raises(UserError, match="--extra_body"):
    OpenAITeacher("m", extra_body=text)


def test_what_a_server_does_not_take_is_learnt_once(server, capfd):
  requests = [
    Request(f"Q{i}", top_p=0.5, seed=1, logprobs=True) for i in range(5)
  ]
  options = {"model": "always-lacks-temperature,top_p,logprobs,seed"}
  responses, _ = bodies(server, *requests, **options)
  assert {r.not_sent for r in responses} == {"logprobs,seed,temperature,top_p"}
  assert server.stats()["requests"] == 5 + 4
  said = capfd.readouterr().err
  assert said.count("temperature is no longer sent") == 1
  assert "'temperature' is not supported" in said


def test_a_limit_on_tokens_is_renamed_where_the_server_says_so(server):
  requests = [Request("Q1"), Request("Q2")]
  options = {"model": "always-lacks-max_tokens"}
  responses, fields = bodies(server, *requests, **options)
  assert {r.not_sent for r in responses} == {""}
  assert "max_completion_tokens" in fields
  assert server.stats()["requests"] == 3
