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
# The fields of `Request` that keys of version 0 spell out. Never changed.
_LEGACY_FIELDS = (
  *("prompt", "sample", "temperature", "max_tokens", "stop", "top_p", "seed"),
  *("logprobs", "schema"),
)


def content_key(content: str) -> str:
  """Returns the SHA-256, in hex, of a request's content."""
  return hashlib.sha256(content.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Request:
  """One completion to ask for: plain data, so that it can be hashed.

  A field at its default is left out of the key. A new field with a default
  therefore changes no key. The default of a field must never change.

  Attributes:
    prompt: The whole text that the teacher sees.
    sample: Which of several completions of one prompt this is, from 0.
    temperature: Sampling temperature; 0 is greedy.
    max_tokens: The most tokens of completion to return.
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
    """Returns all that decides the answer, as JSON in one order.

    That is the teacher, the prompt and the fields that are not at their
    default.
    """
    return _ENCODE({"teacher": teacher, **self._changed()})

  def key(self, teacher: str) -> str:
    """Returns the SHA-256 of `content`, in hex."""
    return content_key(self.content(teacher))

  def keys(self, teacher: str) -> tuple[str, ...]:
    """Returns the keys to look an answer up by: `key` and the legacy key.

    Journals of version 0 have legacy keys. A request that uses a newer field
    has none.
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
  """A completion, why it ended ('stop', 'length', …) and what it cost.

  Token counts are the teacher's own; `logprobs` has one entry a completion
  token where the teacher gives them. `reasoning` is what a reasoning model
  thought before its answer `text`, `model` what the server calls itself, and
  `not_sent` the parameters, joined by commas, that the server does not take.
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
    """Returns whether there is no text, although it was not cut short."""
    # Of a teacher of the user's own it may be None.
    return not (self.text or "").strip() and is_whole(self.finish_reason)


class AskingError(Exception):
  """A request that was not answered.

  Attributes:
    kind: What went wrong, in one word of `KINDS`.
    detail: What the server or the network said, fit to be shown.
    retryable: Whether the same request may be answered later.
    retry_after: Seconds after which the server wants to be asked again.
  """

  # Each with what mends it, for the file of failed requests.
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
    "refused": "read what the server said: it will not answer this request",
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
  # The next request would fare no better: a run stops at the first of these.
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
    """Returns whether nothing may be asked after this failure."""
    return self.fatal or self.kind == "interrupted"


def refuse_empty(response: Response) -> Response:
  """Returns a response that has an answer.

  Raises:
    AskingError: 'empty': it has none.
  """
  if response.is_empty:
    raise AskingError("empty", "the teacher's answer has no text", False)
  return response


# Asks one request: durable, limited and retried; raises AskingError.
AskOne = Callable[[Request], Awaitable[Response]]


class Teacher(Protocol):
  """A source of completions; the journal, limits and retries are around it.

  A teacher with connections may also have `async def close(self)`. A teacher
  whose responses cost nothing sets `free = True`; they are not journaled.
  """

  @property
  def name(self) -> str:
    """Names the teacher and what changes its answers, for the manifest."""

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
