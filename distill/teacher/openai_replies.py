"""What an OpenAI-compatible server replies, as a Response or an AskingError.

Servers differ: content may be null, usage and finish_reason absent, reasoning
in a field of its own or between <think> tags. Whatever is not understood is
'malformed', never another exception.
"""

import itertools
import json
import math
import re
from collections.abc import Mapping
from typing import Any

from distill.answers import finish_reasons
from distill.answers.completions import split_thinking
from distill.teacher.interface import (
  AskingError,
  Request,
  Response,
  refuse_empty,
)
from distill.teacher.model_names import is_same_model
from distill.teacher.openai_errors import read_error

# Special tokens that some servers leave at the end of a text.
_END_OF_TURN = re.compile(
  r"(?:<\|[a-z_]{1,20}\|>|<｜[^｜<>]{1,30}｜>|</s>|<eos>|<end_of_turn>)\Z"
)
# Where a server counts no tokens: about four characters each in English.
_CHARACTERS_A_TOKEN = 4


def read_response(body: bytes, request: Request, model: str) -> Response:
  """Returns the completion in a reply of status 200, up to the first stop.

  Args:
    body: The reply's bytes.
    request: What was asked.
    model: What the server must call itself, up to a date and a path.

  Raises:
    AskingError: 'malformed', 'empty', 'wrong_model', or an error that came as
      a 200.
  """
  try:
    reply = json.loads(body)
    if reply.get("error") or reply.get("object") == "error":
      raise read_error(200, {}, body)
    choice = reply["choices"][0]
    if choice.get("error"):
      raise read_error(200, {}, json.dumps(choice).encode())
    reason = _text(choice.get("finish_reason") or finish_reasons.UNKNOWN)
    if finish_reasons.is_error(reason):
      raise AskingError("server", "the completion ended in an error", True)
    said = _text(reply.get("model") or "")
    if not is_same_model(said, model):
      raise AskingError(
        "wrong_model", f"the server answered as '{said}', not '{model}'", False
      )
    return _response(choice, reason, said, reply.get("usage") or {}, request)
  except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
    shown = body[:200].decode("utf-8", "replace")
    raise AskingError("malformed", f"no completion: {shown}", True) from None


def _response(
  choice: Mapping[str, Any],
  reason: str,
  model: str,
  usage: Mapping[str, Any],
  request: Request,
) -> Response:
  raw, parted = _texts(choice)
  thought, text = split_thinking(raw)
  # What was written before a stop that the server was not sent, or ignored.
  ends = [text.find(stop) for stop in request.stop if stop in text]
  length = raw.rfind(text) + min(ends, default=len(text))
  if ends:
    text, reason = text[: min(ends)], finish_reasons.STOP
  if thought:
    text = text.lstrip()
  reasoning = "\n".join(filter(None, (parted, thought)))
  response = Response(
    text,
    reason,
    _count(usage.get("prompt_tokens"), request.prompt),
    _count(usage.get("completion_tokens"), reasoning + text),
    _logprobs(choice.get("logprobs"), length if ends else None),
    reasoning,
    model,
  )
  return refuse_empty(response)


def _texts(choice: Mapping[str, Any]) -> tuple[str, str]:
  """Returns a choice's answer and the reasoning that the server parted."""
  message = choice.get("message") or {"content": choice["text"]}
  content = message.get("content")
  if isinstance(content, list):
    content = "".join(part.get("text", "") for part in content)
  reasoning = message.get("reasoning_content") or message.get("reasoning")
  text = _text(content or message.get("refusal") or "")
  while _END_OF_TURN.search(text.rstrip()[-40:]):
    text = _END_OF_TURN.sub("", text.rstrip())
  return text, _text(reasoning or "").strip()


def _text(value: Any) -> str:
  if not isinstance(value, str):
    raise TypeError
  # JSON can spell half a surrogate pair, which no file can hold.
  return value.encode("utf-8", "replace").decode("utf-8")


def _count(value: Any, text: str) -> int:
  if isinstance(value, int) and 0 <= value < 2**31:
    return value
  return -(-len(text) // _CHARACTERS_A_TOKEN)


def _logprobs(found: Any, length: int | None) -> tuple[float, ...] | None:
  """Returns one number a token, None where the server gave no such list.

  Args:
    found: The choice's field.
    length: The characters of text whose tokens count, None: all.
  """
  if not isinstance(found, Mapping):
    return None
  if isinstance(found.get("content"), list):
    values = [token["logprob"] for token in found["content"]]
    tokens = [str(token.get("token", "")) for token in found["content"]]
  else:
    values = found.get("token_logprobs") or []
    tokens = [str(token) for token in found.get("tokens") or []]
  if length is not None:
    ends = itertools.accumulate(map(len, tokens))
    values = values[: sum(end <= length for end in ends)]
  numbers = tuple(float(value) for value in values)
  finite = all(math.isfinite(number) for number in numbers)
  return numbers if numbers and finite else None
