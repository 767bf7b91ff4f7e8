"""A teacher: one asynchronous method that answers a request with a response.

`create_teacher` makes one by its name.
"""

import dataclasses
import functools
import hashlib
import importlib
import inspect
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from distill.answers.finish_reasons import is_whole
from distill.errors import UserError, printable

# The class of each teacher; imported when it is used.
TEACHERS = {
  "builtin": "distill.teacher.builtin.teacher:BuiltinTeacher",
  "openai": "distill.teacher.openai:OpenAITeacher",
}
_ENCODE = json.JSONEncoder(sort_keys=True).encode
# The fields of `Request` in keys of version 0. This never changes.
_LEGACY_FIELDS = (
  *("prompt", "sample", "temperature", "max_tokens", "stop", "top_p", "seed"),
  *("logprobs", "schema"),
)


def content_key(content: str) -> str:
  """Returns the SHA-256, in hex, of a request's content."""
  return hashlib.sha256(content.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Request:
  """A request for one completion: plain data, so that it can be hashed.

  A field at its default is left out of the key. A new field with a default
  therefore changes no key. The default of a field must never change.

  Attributes:
    prompt: The whole text that the teacher sees.
    sample: The number of this completion among those of one prompt, from 0.
    temperature: Sampling temperature; 0 is greedy.
    max_tokens: The most tokens of the completion.
    stop: Strings before which the completion ends.
    top_p: The share of probability that sampling draws from.
    seed: Seeds the teacher's sampling; `sample` is added to it, so that the
      samples of one prompt differ.
    logprobs: Whether to return log-probabilities, where the teacher can.
    schema: A JSON schema, as text, that the completion is to follow; or ''.
  """

  prompt: str
  sample: int = 0
  temperature: float = 0.0
  max_tokens: int = 256
  stop: tuple[str, ...] = ()
  top_p: float = 1.0
  seed: int | None = None
  logprobs: bool = False
  schema: str = ""

  def content(self, teacher: str) -> str:
    """Returns what decides the response, as JSON with sorted keys.

    That is the teacher, the prompt and the fields that are not at their
    default.
    """
    return _ENCODE({"teacher": teacher, **self._changed()})

  def key(self, teacher: str) -> str:
    """Returns the SHA-256 of `content`, in hex."""
    return content_key(self.content(teacher))

  def keys(self, teacher: str) -> tuple[str, ...]:
    """Returns the keys of a stored response: `key` and the legacy key.

    Journals of version 0 have legacy keys. A request with a newer field has no
    legacy key.
    """
    key = self.key(teacher)
    if not self._changed().keys() <= set(_LEGACY_FIELDS):
      return (key,)
    fields = {name: getattr(self, name) for name in _LEGACY_FIELDS}
    return key, content_key(_ENCODE({"teacher": teacher, **fields}))

  def _changed(self) -> dict[str, object]:
    """Returns the prompt and the fields that are not at their default."""
    kind: Any = type(self)  # Which mypy does not take for hashable.
    defaults = _defaults(kind)
    return {n: v for n, v in self.__dict__.items() if v != defaults[n]}


@functools.cache
def _defaults(kind: Any) -> dict[str, object]:
  # The prompt has none: nothing equals dataclasses.MISSING.
  return {each.name: each.default for each in dataclasses.fields(kind)}


@dataclass(frozen=True)
class Response:
  """A completion, why it ended and its token counts.

  Attributes:
    text: The completion.
    finish_reason: Why it ended: 'stop', 'length', …
    prompt_tokens: As the teacher counts them.
    completion_tokens: As the teacher counts them.
    logprobs: One for each completion token, None where there are none.
    reasoning: The thoughts of a reasoning model before `text`.
    model: The server's own name of the model.
    not_sent: The parameters that the server does not accept, joined by commas.
  """

  text: str
  finish_reason: str
  prompt_tokens: int
  completion_tokens: int
  logprobs: tuple[float, ...] | None = None
  reasoning: str = ""
  model: str = ""
  not_sent: str = ""

  @property
  def is_empty(self) -> bool:
    """Returns whether there is no text although it was not cut short."""
    # A teacher of the user may return None.
    return not (self.text or "").strip() and is_whole(self.finish_reason)


class AskingError(Exception):
  """A request that has no response.

  Attributes:
    kind: What went wrong, one of `KINDS`.
    detail: The message of the server or the network, safe to print.
    retryable: Whether a retry of the request may succeed.
    retry_after: Seconds after which the server allows a retry.
  """

  # Each with its fix, for the file of failed requests.
  KINDS = {
    "rate_limited": "run again; lower --requests_per_minute",
    "overloaded": "run again; lower --max_concurrency",
    "server": "run again; see the server's own log",
    "timeout": "run again; raise --request_timeout or lower --max_tokens",
    "connection": "run again once the server is up",
    "malformed": "run again; see whether --base_url is the right server",
    "too_large": "run again; lower --max_tokens",
    "empty": "run again; raise --max_tokens or ask another --model",
    "wrong_model": "give --served_model, or ask the server that has --model",
    "refused": "read the server's message: it will not answer this request",
    "unsupported": "ask without what the server lacks",
    "unknown_parameter": "correct --extra_body, or leave out its flag",
    "authentication": "put a valid key in the variable of --api_key_env",
    "quota": "pay the provider, then run again",
    "not_found": "correct --model, --base_url or --endpoint",
    "redirect": "give the server's final address as --base_url",
    "budget": "run again with a higher --max_cost",
    "interrupted": "run again",
    "missing": "run again: no answer is stored",
  }
  # Every other request would fail, too: a run stops at the first of these.
  FATAL = (
    *("authentication", "quota", "not_found", "redirect", "budget"),
    *("wrong_model", "unknown_parameter"),
  )

  def __init__(
    self,
    kind: str,
    detail: str,
    retryable: bool,
    retry_after: float | None = None,
  ) -> None:
    self.kind = kind
    self.detail = printable(detail)
    self.retryable = retryable
    self.retry_after = retry_after
    super().__init__(f"{kind}: {self.detail}")

  @property
  def fatal(self) -> bool:
    """Returns whether every other request would fail in the same way."""
    return self.kind in self.FATAL

  @property
  def ends_run(self) -> bool:
    """Returns whether no request may follow this failure."""
    return self.fatal or self.kind == "interrupted"


def refuse_empty(response: Response) -> Response:
  """Returns a response that has an answer.

  Raises:
    AskingError: 'empty': it has none.
  """
  if response.is_empty:
    raise AskingError("empty", "the teacher's answer has no text", False)
  return response


# Answers one request: stored, limited and retried; raises AskingError.
AskOne = Callable[[Request], Awaitable[Response]]


class Teacher(Protocol):
  """A source of completions; the journal, limits and retries are around it.

  A teacher with connections may also have `async def close(self)`. A teacher
  whose responses cost nothing sets `free = True`; they are not journaled.
  """

  @property
  def name(self) -> str:
    """The teacher with what changes its responses, for the manifest."""

  async def complete(self, request: Request) -> Response:
    """Returns one completion of `request.prompt`, or raises AskingError."""


def create_teacher(name: str, **options: Any) -> Teacher:
  """Returns a teacher.

  Args:
    name: One of `TEACHERS`, or 'module:Class' of your own.
    **options: Arguments of its class; an option that is None is not passed.

  Raises:
    UserError: There is no such teacher, or it has no such option.
  """
  given = {key: value for key, value in options.items() if value is not None}
  known = option_names(name)
  unknown = sorted(set(given) - set(known))
  if unknown:
    raise UserError(
      f"The teacher '{name}' has no option '{unknown[0]}'.",
      expected="one of " + ", ".join(known),
    )
  return _find(name)(**given)


def option_names(name: str) -> list[str]:
  """Returns the options of a teacher."""
  return list(inspect.signature(_find(name)).parameters)


def _find(name: str) -> Callable[..., Teacher]:
  module, _, attribute = TEACHERS.get(name, name).partition(":")
  found = name
  if attribute:
    try:
      return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
      found = str(error)
  raise UserError(
    f"There is no teacher '{name}'.",
    expected="one of " + ", ".join(sorted(TEACHERS)) + ", or module:Class",
    found=found,
  )
