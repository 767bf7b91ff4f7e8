"""A teacher behind any OpenAI-compatible endpoint, over plain HTTP.

No SDK: the project's own retries, limits and journal are around it.
"""

import dataclasses
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from distill.errors import UserError
from distill.teacher.interface import (
  AskingError,
  Request,
  Response,
  printable,
)
from distill.teacher.openai_errors import (
  parse_error,
  read_error,
  unwanted_parameter,
)
from distill.teacher.openai_replies import read_response

OPENAI_URL = "https://api.openai.com/v1"
# More than any answer needs; a reply without end must not fill the memory.
_LONGEST_REPLY = 4 << 20
# Upper case only, so that a key given by mistake is refused and not stored.
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_JSON = {"Content-Type": "application/json"}
_PATHS = {"chat": "chat/completions", "completion": "completions"}
# What --extra_body may not change: the answer is of this model to this prompt.
_FIXED = ("model", "messages", "prompt", "stream")
_MAX_TOKENS, _NEW_MAX_TOKENS = "max_tokens", "max_completion_tokens"


@dataclass
class OpenAITeacher:
  """OpenAI, or whatever speaks its protocol.

  Attributes:
    model: The model's name, as the server knows it.
    base_url: The address before '/chat/completions', '…/v1' as a rule.
    api_key_env: The environment variable that holds the key; '' sends none,
      but to OpenAI itself that of OPENAI_API_KEY.
    endpoint: 'chat', or 'completion' for models that continue a text.
    served_model: What the server calls the model, where not by its name.
    extra_body: A JSON object, as text, that is merged into each request's body.
    send_stop: Whether chat requests name their stops. Completions are cut at
      them here in any case.
    not_sent: The parameters that this server has refused, with its words.
  """

  model: str = ""
  base_url: str = OPENAI_URL
  api_key_env: str = ""
  endpoint: str = "chat"
  served_model: str = ""
  extra_body: str = ""
  send_stop: bool = False
  not_sent: dict[str, str] = field(init=False, default_factory=dict)
  _key: str = field(init=False, repr=False, default="")
  _session: aiohttp.ClientSession | None = field(
    init=False, repr=False, default=None
  )
  _extra: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

  def __post_init__(self) -> None:
    if not self.model:
      raise UserError(
        "Nothing says which model to ask.",
        expected="--model=NAME, as the server at --base_url knows it",
      )
    if self.endpoint not in _PATHS:
      raise UserError(
        f"There is no endpoint '{self.endpoint}'.",
        expected="chat or completion",
      )
    _check_url(self.base_url)
    if not self.api_key_env and self.base_url.rstrip("/") == OPENAI_URL:
      self.api_key_env = "OPENAI_API_KEY"
    if self.api_key_env and not _VARIABLE.fullmatch(self.api_key_env):
      raise UserError(
        "--api_key_env is not the name of an environment variable.",
        expected="a name in capitals, such as OPENAI_API_KEY, never a key",
      )
    self._extra = _read_extra_body(self.extra_body)

  def prepare(self) -> None:
    """Reads the key: only who asks needs one.

    Raises:
      UserError: There is none in the variable that was named.
    """
    self._key = _read_key(self.api_key_env) if self.api_key_env else ""

  @property
  def name(self) -> str:
    """Returns what decides the answers; where it is served does not."""
    parts = [self.model, self.endpoint]
    if self._extra:
      text = json.dumps(self._extra, sort_keys=True, separators=(",", ":"))
      parts.append(f"extra_body={text}")
    return f"openai({','.join(parts)})"

  async def complete(self, request: Request) -> Response:
    """Returns one completion.

    A parameter that the server refuses by name is left out from then on.

    Raises:
      AskingError: There is none; the kind says why.
    """
    while True:
      payload = self.payload(request)
      content = json.dumps(payload).encode("ascii")
      status, headers, body = await self.exchange("POST", self.path, content)
      if not self.adapt(status, body, payload):
        break
    if status != 200:
      raise read_error(status, headers, body)
    return self.read(body, request, payload)

  def read(
    self, body: bytes, request: Request, sent: Mapping[str, Any]
  ) -> Response:
    """Returns the completion in a reply of status 200.

    Args:
      body: The reply's.
      request: What was asked.
      sent: The body that it was asked with.

    Raises:
      AskingError: There is none.
    """
    response = read_response(body, request, self.expected_model)
    # Of this body: another request may have learnt more by now.
    left_out = set(self.not_sent) - set(sent)
    if _NEW_MAX_TOKENS in sent:
      left_out -= {_MAX_TOKENS}
    return dataclasses.replace(response, not_sent=",".join(sorted(left_out)))

  def adapt(self, status: int, body: bytes, sent: Mapping[str, Any]) -> bool:
    """Returns whether a reply refuses a parameter that was sent.

    It is left out of all requests from now on, which is said once on the
    terminal.

    Args:
      status: The reply's.
      body: The reply's.
      sent: The body that was refused.
    """
    name = unwanted_parameter(status, body, sent)
    if not name or name in self.not_sent:
      return bool(name)
    said = self.not_sent[name] = parse_error(status, body).message
    instead = "no longer sent"
    if name == _MAX_TOKENS and _NEW_MAX_TOKENS in said:
      instead = f"sent as {_NEW_MAX_TOKENS}"
    text = f"The parameter {name} is {instead}: {said}"
    print(printable(text, 1000), file=sys.stderr, flush=True)
    return True

  @property
  def expected_model(self) -> str:
    """Returns what the server calls the model."""
    return self.served_model or self.model

  @property
  def path(self) -> str:
    """Returns the endpoint's path, after the base URL."""
    return _PATHS[self.endpoint]

  async def close(self) -> None:
    """Closes the connections."""
    if self._session is not None:
      await self._session.close()
      self._session = None

  async def exchange(
    self,
    method: str,
    path: str,
    data: bytes | aiohttp.FormData | None = None,
    longest: int = _LONGEST_REPLY,
  ) -> tuple[int, Any, bytes]:
    """Returns the status, headers and body of the server's reply.

    Args:
      method: GET or POST.
      path: After the base URL.
      data: JSON, or a form.
      longest: The most bytes that a reply may have.

    Raises:
      AskingError: There is no whole reply.
    """
    try:
      return await self._exchange(method, path, data, longest)
    except TimeoutError:
      raise AskingError("timeout", "no answer in time", True) from None
    except (aiohttp.ClientError, OSError) as error:
      # Neither chained nor printed whole: it holds the request's headers.
      detail = self._hide(f"{type(error).__name__}: {error}")
      raise AskingError("connection", detail, True) from None

  async def _exchange(
    self,
    method: str,
    path: str,
    data: bytes | aiohttp.FormData | None,
    longest: int,
  ) -> tuple[int, Any, bytes]:
    if self._session is None:
      self.prepare()
      authorization = {"Authorization": f"Bearer {self._key}"}
      self._session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
        headers=authorization if self._key else {},
        # Whoever asks limits the whole of it; connecting has its own limit.
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=30),
        cookie_jar=aiohttp.DummyCookieJar(),
      )
    async with self._session.request(
      method,
      f"{self.base_url.rstrip('/')}/{path}",
      data=data,
      headers=_JSON if isinstance(data, bytes) else None,
      allow_redirects=False,
    ) as reply:
      body = bytearray()
      async for chunk in reply.content.iter_any():
        body += chunk
        if len(body) > longest:
          reply.close()
          raise AskingError(
            "too_large", f"a reply of over {longest:,} bytes", True
          )
    said = bytes(body)
    if self._key and self._key.encode() in said:
      # A server that repeats the key must not get it into the journal.
      said = self._hide(said.decode("utf-8", "replace")).encode()
    return reply.status, reply.headers, said

  def payload(self, request: Request) -> dict[str, Any]:
    """Returns the body that asks a request."""
    chat = self.endpoint == "chat"
    payload: dict[str, Any] = {
      "model": self.model,
      _MAX_TOKENS: request.max_tokens,
      "temperature": request.temperature,
    }
    if chat:
      payload["messages"] = [{"role": "user", "content": request.prompt}]
    else:
      payload["prompt"] = request.prompt
    if request.stop and (self.send_stop or not chat):
      payload["stop"] = list(request.stop)
    if request.top_p != 1.0:
      payload["top_p"] = request.top_p
    if request.seed is not None:
      payload["seed"] = request.seed + request.sample
    if request.logprobs:
      payload["logprobs"] = True if chat else 0
    if request.schema:
      payload["response_format"] = {
        "type": "json_schema",
        "json_schema": {
          "name": "answer",
          "strict": True,
          "schema": json.loads(request.schema),
        },
      }
    payload |= self._extra
    return self._taken(payload)

  def _taken(self, payload: dict[str, Any]) -> dict[str, Any]:
    """Returns a body without what the server does not take."""
    if _NEW_MAX_TOKENS in self.not_sent.get(_MAX_TOKENS, ""):
      payload.setdefault(_NEW_MAX_TOKENS, payload.get(_MAX_TOKENS))
    return {k: v for k, v in payload.items() if k not in self.not_sent}

  def _hide(self, text: str) -> str:
    return text.replace(self._key, "[key]") if self._key else text


def _check_url(url: str) -> None:
  """Raises UserError unless `url` is an address without anything secret."""
  parts = urlsplit(url)
  if parts.scheme not in ("http", "https") or not parts.hostname:
    raise UserError(
      "--base_url is no address of a server.",
      expected=f"such as {OPENAI_URL} or http://localhost:8000/v1",
      found=url,
    )
  if parts.username or parts.password or parts.query or parts.fragment:
    raise UserError(
      "--base_url has more than an address in it.",
      expected="no user, password or query: addresses are kept and shown",
      remedy="put the key in a variable and name it by --api_key_env",
    )


def _read_extra_body(text: str) -> dict[str, Any]:
  """Returns the object that a JSON text spells; '' is an empty one."""
  try:
    found = json.loads(text or "{}", parse_constant=_refuse_constant)
  except (ValueError, RecursionError):
    found = None
  if not isinstance(found, dict):
    raise UserError(
      "--extra_body is not a JSON object.",
      expected="""such as --extra_body='{"reasoning_effort": "low"}'""",
      found=printable(text),
    )
  fixed = [name for name in _FIXED if name in found]
  if fixed:
    raise UserError(
      f"--extra_body must not set '{fixed[0]}'.",
      expected="fields other than " + ", ".join(_FIXED),
      found=printable(text),
      remedy="name the model by --model; the prompt is the dataset's",
    )
  return found


def _refuse_constant(name: str) -> None:
  raise ValueError(name)


def _read_key(variable: str) -> str:
  """Returns the key in an environment variable; no message repeats it."""
  key = os.environ.get(variable, "").strip()
  if not key:
    raise UserError(
      f"There is no key in the environment variable {variable}.",
      remedy=f"run `export {variable}=…`, or name another by --api_key_env",
    )
  if not (key.isascii() and key.isprintable()):
    raise UserError(
      f"The key in {variable} has characters that no key has.",
      expected="printable ASCII",
    )
  return key
