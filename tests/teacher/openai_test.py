"""The OpenAI teacher: what it sends, and what it learns of a server."""

import asyncio

import pytest

from distill.errors import UserError
from distill.teacher.interface import Request
from distill.teacher.openai import OpenAITeacher

REQUEST = Request("Q: 1 + 1?\nA:")


def test_both_endpoints_and_seeds_of_samples(server):
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


def test_a_chat_server_gets_stops_only_on_request(server):
  asked = Request("Q", stop=("\nQ:",))
  _, fields = bodies(server, asked, model="steady")
  assert "stop" not in fields and "temperature" in fields
  _, fields = bodies(server, asked, model="steady", send_stop=True)
  assert "stop" in fields


def test_a_completion_server_always_gets_stops(server):
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


def test_a_refused_parameter_is_left_out_from_then_on(server, capfd):
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
