"""What a teacher is: one asynchronous method, a request in, a response out."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Request:
  """One completion to ask for: plain data, so that it can be hashed.

  Attributes:
    prompt: The whole text that the teacher sees.
    sample: Which of several completions of one prompt this is, from 0.
    temperature: Sampling temperature; 0 is greedy.
    max_tokens: The most tokens of completion to return.
    stop: Strings before which the completion ends.
  """

  prompt: str
  sample: int = 0
  temperature: float = 0.0
  max_tokens: int = 256
  stop: tuple[str, ...] = ()

  def key(self, teacher: str) -> str:
    """Returns the SHA-256 of the request and the teacher's name, in hex."""
    content = {"teacher": teacher, **dataclasses.asdict(self)}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@dataclass(frozen=True)
class Response:
  """A completion, why it ended ('stop', 'length', …) and what it cost.

  Token counts are the teacher's own; `logprobs` has one entry a completion
  token where the teacher gives them.
  """

  text: str
  finish_reason: str
  prompt_tokens: int
  completion_tokens: int
  logprobs: tuple[float, ...] | None = None


class Teacher(Protocol):
  """A source of completions. Whatever is durable or limited is around it."""

  @property
  def name(self) -> str:
    """Names the teacher and what changes its answers, for the manifest."""

  async def complete(self, request: Request) -> Response:
    """Returns one completion of `request.prompt`."""
