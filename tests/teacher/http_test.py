"""The HTTP client: addresses, keys, and what a reply must not do."""

import asyncio
import json

import pytest

from distill.errors import UserError
from distill.teacher.http import Client
from distill.teacher.interface import AskingError

KEY = "sk-Secret1234567890"


def post(url, model, variable="", longest=10_000):
  """Returns the reply to a question; the model's name says how it fails."""
  message = {"role": "user", "content": "Q"}
  body = json.dumps({"model": model, "messages": [message]}).encode()

  async def ask():
    client = Client(url, variable)
    try:
      return await client.exchange("POST", "chat/completions", body, longest)
    finally:
      await client.close()

  return asyncio.run(ask())


def test_the_key_is_sent_and_hidden_in_the_reply(server, monkeypatch):
  monkeypatch.setenv("MY_KEY", KEY)
  status, _, body = post(server.url, "always-echo-key", "MY_KEY")
  assert status == 200 and b"Bearer [key]" in body
  assert KEY.encode() not in body


def test_a_redirect_is_not_followed(server):
  status, headers, _ = post(server.url, "always-redirect")
  assert status == 307 and "elsewhere" in headers["Location"]
  assert server.stats()["requests"] == 1


@pytest.mark.parametrize(
  "model, longest, kind",
  [("steady", 20, "too_large"), ("always-cut", 10_000, "connection")],
)
def test_a_reply_that_is_not_whole_is_a_failure(server, model, longest, kind):
  with pytest.raises(AskingError) as caught:
    post(server.url, model, longest=longest)
  assert caught.value.kind == kind and caught.value.retryable


@pytest.mark.parametrize(
  "url, variable, said",
  [
    ("localhost:8000", "", "not the address"),
    ("ftp://host/v1", "", "not the address"),
    ("http://me:pass@host/v1", "", "more than an address"),
    ("http://host/v1?key=1", "", "more than an address"),
    ("http://host/v1", "sk-123abc", "never a key"),
  ],
)
def test_an_address_or_a_variable_that_is_not_one_is_refused(
  url, variable, said
):
  with pytest.raises(UserError, match=said) as caught:
    Client(url, variable)
  assert "pass@" not in str(caught.value)
  assert "sk-123" not in str(caught.value)


@pytest.mark.parametrize("key", [None, " ", "sk-\x1b[31m", "sk-ключ"])
def test_a_variable_without_a_usable_key_is_named(monkeypatch, key):
  monkeypatch.delenv("MY_KEY", raising=False)
  if key is not None:
    monkeypatch.setenv("MY_KEY", key)
  with pytest.raises(UserError, match="MY_KEY"):
    Client("http://host/v1", "MY_KEY").prepare()
