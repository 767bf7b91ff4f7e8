"""What an OpenAI-compatible server replies, as a Response or an AskingError.

Servers differ: content may be null, usage and finish_reason absent, reasoning
in a field of its own or between <think> tags. Whatever is not understood is
'malformed', never another exception.
"""

import email.utils
import json
import math
import time
from collections.abc import Mapping
from typing import Any

from distill.teacher.interface import AskingError, Request, Response

_STATUS_KINDS = {
  401: "authentication",
  403: "authentication",
  404: "not_found",
  408: "timeout",
  429: "rate_limited",
  503: "overloaded",
  504: "timeout",
  529: "overloaded",
}
_RETRYABLE = ("rate_limited", "overloaded", "server", "timeout")
# Where a server counts no tokens: about four characters each in English.
_CHARACTERS_A_TOKEN = 4


def read_response(body: bytes, request: Request, model: str) -> Response:
  """Returns the completion in a reply of status 200.

  Args:
    body: The reply's bytes.
    request: What was asked.
    model: What the server must call itself, or a part of that.

  Raises:
    AskingError: 'malformed', 'wrong_model', or an error that came as a 200.
  """
  try:
    reply = json.loads(body)
    if not reply.get("choices") and reply.get("error"):
      raise read_error(200, {}, body)
    choice = reply["choices"][0]
    said = _text(reply.get("model") or "")
    if not _same_model(said, model):
      raise AskingError(
        "wrong_model", f"the server answered as '{said}', not '{model}'", True
      )
    text, reasoning = _split_reasoning(*_texts(choice))
    usage = reply.get("usage") or {}
    return Response(
      text,
      _text(choice.get("finish_reason") or "unknown"),
      _count(usage.get("prompt_tokens"), request.prompt),
      _count(usage.get("completion_tokens"), reasoning + text),
      _logprobs(choice.get("logprobs")),
      reasoning,
      said,
    )
  except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
    shown = body[:200].decode("utf-8", "replace")
    raise AskingError("malformed", f"no completion: {shown}", True) from None


def read_error(
  status: int, headers: Mapping[str, str], body: bytes
) -> AskingError:
  """Returns what a reply of another status means."""
  message, code = _message(body)
  kind = _STATUS_KINDS.get(status, "server" if status >= 500 else "refused")
  if status == 200:
    kind = "server"
  elif 300 <= status < 400:
    # Following it would hand the key to whomever the reply names.
    kind, message = "redirect", f"to {headers.get('Location', 'nowhere')}"
  elif code == "insufficient_quota" or status == 402:
    kind = "quota"
  elif kind == "refused" and any(
    name in message for name in ("response_format", "json_schema")
  ):
    kind = "unsupported"
  return AskingError(
    kind, f"HTTP {status}: {message}", kind in _RETRYABLE, _retry_after(headers)
  )


def _message(body: bytes) -> tuple[str, str]:
  """Returns a reply's own message, or its start, and its error code."""
  try:
    error = json.loads(body)
    error = error.get("error", error)
    if isinstance(error, Mapping):
      return str(error.get("message", error)), str(error.get("code", ""))
    return str(error), ""
  except (ValueError, AttributeError, RecursionError):
    return body[:300].decode("utf-8", "replace"), ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
  """Returns the seconds of Retry-After, given as seconds or as a date."""
  value = headers.get("Retry-After", "").strip()
  try:
    seconds = float(value)
  except ValueError:
    try:
      date = email.utils.parsedate_to_datetime(value)
      seconds = date.timestamp() - time.time()
    except (ValueError, OverflowError):
      return None
  return max(seconds, 0.0) if math.isfinite(seconds) else None


def _same_model(said: str, wanted: str) -> bool:
  """Returns whether a server that names itself `said` is the one wanted.

  Names come back with a date, a path or '@main' around them.
  """
  said, wanted = said.casefold(), wanted.casefold()
  return not said or said in wanted or wanted in said


def _texts(choice: Mapping[str, Any]) -> tuple[str, str]:
  """Returns a choice's answer and the reasoning that the server parted."""
  if "message" not in choice:
    return _text(choice["text"]), ""
  message = choice["message"]
  content = message.get("content")
  if isinstance(content, list):
    content = "".join(part.get("text", "") for part in content)
  reasoning = message.get("reasoning_content") or message.get("reasoning")
  return (
    _text(content or message.get("refusal") or ""),
    _text(reasoning or ""),
  )


def _split_reasoning(text: str, reasoning: str) -> tuple[str, str]:
  """Moves what stands before </think> from the answer to the reasoning."""
  # Some chat templates open the tag in the prompt.
  opened = text.lstrip().startswith("<think>")
  if "</think>" not in text and not opened:
    return text, reasoning
  thought, _, text = text.partition("</think>")
  thought = thought.strip().removeprefix("<think>").strip()
  return text.lstrip(), "\n".join(filter(None, (reasoning, thought)))


def _text(value: Any) -> str:
  if not isinstance(value, str):
    raise TypeError
  # JSON can spell half a surrogate pair, which no file can hold.
  return value.encode("utf-8", "replace").decode("utf-8")


def _count(value: Any, text: str) -> int:
  if isinstance(value, int) and 0 <= value < 2**31:
    return value
  return -(-len(text) // _CHARACTERS_A_TOKEN)


def _logprobs(found: Any) -> tuple[float, ...] | None:
  """Returns one number a token, None where the server gave no such list."""
  if not isinstance(found, Mapping):
    return None
  if isinstance(found.get("content"), list):
    values = [token["logprob"] for token in found["content"]]
  else:
    values = found.get("token_logprobs") or []
  numbers = tuple(float(value) for value in values)
  finite = all(math.isfinite(number) for number in numbers)
  return numbers if numbers and finite else None
