"""A teacher behind any server that speaks OpenAI's protocol, over plain HTTP.

No SDK is used: the project's own retries, limits and journal are around it.
"""

import dataclasses
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from distill import errors
from distill.errors import printable
from distill.teacher import http
from distill.teacher.interface import Request, Response
from distill.teacher.openai_replies import (
  parse_error,
  read_error,
  read_response,
  unwanted_parameter,
)

OPENAI_URL = "https://api.openai.com/v1"
_PATHS = {"chat": "chat/completions", "completion": "completions"}
# Fields that --extra_body must not set: they decide what is answered by whom.
_FIXED = ("model", "messages", "prompt", "stream")
# Parameters that are left out once a server refuses them by name.
_PARAMETERS = (
  *("temperature", "top_p", "stop", "max_tokens", "max_completion_tokens"),
  *("logprobs", "top_logprobs", "seed", "n"),
)
_MAX_TOKENS, _NEW_MAX_TOKENS = "max_tokens", "max_completion_tokens"


@dataclass
class OpenAITeacher:
  """OpenAI, or any server that speaks its protocol.

  Attributes:
    model: The model's name, as the server knows it.
    base_url: The address before '/chat/completions'; it usually ends in '/v1'.
    api_key_env: The environment variable that holds the key. '' sends no key,
      except to OpenAI itself, which gets that of OPENAI_API_KEY.
    endpoint: 'chat', or 'completion' for models that continue a text.
    served_model: The server's own name of the model, if it differs.
    extra_body: A JSON object, as text, that is merged into each request's body.
    send_stop: Whether chat requests have a 'stop' field. Completions are cut at
      the stop strings here in any case.
    not_sent: The parameters that this server has refused, with its messages.
    client: Sends the requests.
  """

  model: str = ""
  base_url: str = OPENAI_URL
  api_key_env: str = ""
  endpoint: str = "chat"
  served_model: str = ""
  extra_body: str = ""
  send_stop: bool = False
  not_sent: dict[str, str] = field(init=False, default_factory=dict)
  client: http.Client = field(init=False, repr=False, compare=False)
  _extra: dict[str, Any] = field(init=False, repr=False)

  def __post_init__(self) -> None:
    if not self.model:
      raise errors.UserError(
        "No model is given.",
        expected="--model=NAME, as the server at --base_url knows it",
      )
    if self.endpoint not in _PATHS:
      raise errors.unknown("endpoint", self.endpoint, _PATHS)
    if not self.api_key_env and self.base_url.rstrip("/") == OPENAI_URL:
      self.api_key_env = "OPENAI_API_KEY"
    self.client = http.Client(self.base_url, self.api_key_env)
    self._extra = _read_extra_body(self.extra_body)

  def prepare(self) -> None:
    """Reads the key; raises UserError if there is none."""
    self.client.prepare()

  async def close(self) -> None:
    """Closes the connections."""
    await self.client.close()

  @property
  def name(self) -> str:
    """Returns what decides the responses; the server's address does not."""
    parts = [self.model, self.endpoint]
    if self._extra:
      text = json.dumps(self._extra, sort_keys=True, separators=(",", ":"))
      parts.append(f"extra_body={text}")
    return f"openai({','.join(parts)})"

  @property
  def path(self) -> str:
    """Returns the endpoint's path, after the base URL."""
    return _PATHS[self.endpoint]

  async def complete(self, request: Request) -> Response:
    """Returns one completion.

    A parameter that the server refuses by name is left out from then on.

    Raises:
      AskingError: There is no completion.
    """
    while True:
      payload = self.payload(request)
      content = json.dumps(payload).encode("ascii")
      reply = await self.client.exchange("POST", self.path, content)
      status, headers, body = reply
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
      body: The reply's body.
      request: The request.
      sent: The body of the request.

    Raises:
      AskingError: There is no completion in it.
    """
    model = self.served_model or self.model
    response = read_response(body, request, model)
    # Of this body: another request may have learnt more by now.
    left_out = set(self.not_sent) - set(sent)
    if _NEW_MAX_TOKENS in sent:
      left_out -= {_MAX_TOKENS}
    return dataclasses.replace(response, not_sent=",".join(sorted(left_out)))

  def adapt(self, status: int, body: bytes, sent: Mapping[str, Any]) -> bool:
    """Returns whether a reply refuses a parameter that was sent.

    The parameter is left out of all further requests, after one message.

    Args:
      status: The reply's status.
      body: The reply's body.
      sent: The body of the request.
    """
    optional = {name: sent[name] for name in _PARAMETERS if name in sent}
    name = unwanted_parameter(status, body, optional)
    if not name or name in self.not_sent:
      return bool(name)
    said = self.not_sent[name] = parse_error(status, body).message
    instead = "no longer sent"
    if name == _MAX_TOKENS and _NEW_MAX_TOKENS in said:
      instead = f"sent as {_NEW_MAX_TOKENS}"
    text = f"The parameter {name} is {instead}: {said}"
    print(printable(text, 1000), file=sys.stderr, flush=True)
    return True

  def payload(self, request: Request) -> dict[str, Any]:
    """Returns the body of a request, without refused parameters."""
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
      schema = json.loads(request.schema)
      payload["response_format"] = {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
      }
    payload |= self._extra
    if _NEW_MAX_TOKENS in self.not_sent.get(_MAX_TOKENS, ""):
      payload.setdefault(_NEW_MAX_TOKENS, payload.get(_MAX_TOKENS))
    return {k: v for k, v in payload.items() if k not in self.not_sent}


def _read_extra_body(text: str) -> dict[str, Any]:
  """Returns the object in a JSON text, an empty one for ''."""
  try:
    found = json.loads(text or "{}", parse_constant=_refuse_constant)
  except (ValueError, RecursionError):
    found = None
  if not isinstance(found, dict):
    raise errors.UserError(
      "--extra_body is not a JSON object.",
      expected="""such as --extra_body='{"reasoning_effort": "low"}'""",
      found=printable(text),
    )
  fixed = [name for name in _FIXED if name in found]
  if fixed:
    raise errors.UserError(
      f"--extra_body must not set '{fixed[0]}'.",
      expected="fields other than " + ", ".join(_FIXED),
      found=printable(text),
      remedy="name the model by --model; the prompt is the dataset's",
    )
  return found


def _refuse_constant(name: str) -> None:
  """Raises ValueError for NaN and infinities, which are not JSON."""
  raise ValueError(name)
