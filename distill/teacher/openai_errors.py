"""What an OpenAI-compatible server's refusal means.

A refusal comes with a status of its own, or as HTTP 200 with an `error` in the
reply or in a choice. Its code may be a number, a word or absent, so that the
message is read as well.
"""

import email.utils
import json
import math
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from distill.teacher.interface import AskingError

_STATUS_KINDS = {
  401: "authentication",
  402: "quota",
  403: "authentication",
  404: "not_found",
  405: "not_found",
  408: "timeout",
  429: "rate_limited",
  503: "overloaded",
  504: "timeout",
  529: "overloaded",
}
_RETRYABLE = ("rate_limited", "overloaded", "server", "timeout")
_CREDIT = re.compile(
  r"insufficient (?:quota|balance|credits?|funds)|credit balance|billing error"
  r"|payment required|out of credits"
)
# By what an error says, where its status does not tell; the first that fits.
_SAID_KINDS = (
  ("quota", _CREDIT),
  ("refused", re.compile(r"content policy|content filter|moderation|flagged")),
  (
    "authentication",
    re.compile(
      r"(?:invalid|incorrect|missing|no|wrong|expired) (?:\w+ )?api ?key"
      r"|api ?key (?:is )?(?:invalid|not valid|missing|expired)"
      r"|authenticat|unauthori[sz]ed|permission (?:denied|error)"
    ),
  ),
  (
    "not_found",
    re.compile(
      r"model not (?:found|available)|invalid model|no such model"
      r"|unknown model|not a valid model|not found error"
      r"|model .{0,100}(?:does not exist|not found|not exist)"
    ),
  ),
  (
    "rate_limited",
    re.compile(r"rate limit|too many requests|resource exhausted|throttl"),
  ),
  ("overloaded", re.compile(r"overloaded|service unavailable")),
)
# Statuses under which servers send errors of all kinds.
_VAGUE = (200, 400, 403, 422)
_PARAMETERS = (
  *("temperature", "top_p", "stop", "max_tokens", "max_completion_tokens"),
  *("logprobs", "top_logprobs", "seed", "n"),
)
_ENGLISH = ("n", "stop", "seed")
_AS_A_NAME = r"['\"`]{0}['\"`]|\b{0}\b(?= (?:is|are|was|not|must|param))"
_NOT_TAKEN = re.compile(
  r"support|recogni[sz]|unknown|unexpected|permitted|allowed|extra|deprecated"
)
_UNKNOWN_PARAMETER = re.compile(
  r"(?:unknown|unsupported|unrecognized|unexpected) (?:request )?"
  r"(?:parameter|argument|field|keyword|key)|extra inputs|extra forbidden"
)
# The parameter is known, but not for this value of it.
_OUT_OF_RANGE = re.compile(
  r"too (?:large|long|many|big|small|high|low)|exceed|at most|at least"
  r"|maximum|minimum|\brange\b|less than|greater than|between"
  r"|larger|smaller|context (?:length|window)"
)


@dataclass(frozen=True)
class ServerError:
  """An error as the server put it.

  Attributes:
    status: The HTTP status, or the one that the error gives as its code.
    message: The server's own words.
    words: Code, type and message in lower case, one space between words.
    code: The error's own code, '' where it has none.
    parameter: The parameter that the error is about, '' if it names none.
  """

  status: int
  message: str
  words: str
  code: str = ""
  parameter: str = ""


def parse_error(status: int, body: bytes) -> ServerError:
  """Returns the error that a reply holds, whatever its form."""
  try:
    reply = json.loads(body)
  except (ValueError, RecursionError):
    reply = body[:300].decode("utf-8", "replace")
  error = reply
  if isinstance(reply, Mapping):
    error = reply.get("error") or reply.get("detail") or reply
  fields = error if isinstance(error, Mapping) else {"message": error}
  message = fields.get("message") or fields.get("detail") or error
  names = [_word(fields.get(name)) for name in ("code", "type", "status")]
  if status == 200:
    status = next((int(n) for n in names if re.fullmatch("[45]..", n)), status)
  words = re.sub(r"[\s_-]+", " ", " ".join([*names, str(message)[:2000]]))
  return ServerError(
    status,
    str(message),
    words.casefold().replace("'", "").replace("`", "").replace('"', ""),
    names[0],
    _word(fields.get("param")),
  )


def _word(value: Any) -> str:
  return str(value) if isinstance(value, str | int) else ""


def read_error(
  status: int, headers: Mapping[str, str], body: bytes
) -> AskingError:
  """Returns what a reply without a completion means."""
  error = parse_error(status, body)
  kind, message = _kind(error), error.message
  if 300 <= status < 400:
    # Following it would hand the key to whomever the reply names.
    kind, message = "redirect", f"to {headers.get('Location', 'nowhere')}"
  shown = f"HTTP {status}: {message}"
  if error.code and error.code not in message:
    shown += f" ({error.code})"
  return AskingError(kind, shown, kind in _RETRYABLE, _retry_after(headers))


def _kind(error: ServerError) -> str:
  """Returns the kind of an error: its status decides, or else its words."""
  kind = _STATUS_KINDS.get(error.status, "")
  if error.status == 429 and _CREDIT.search(error.words):
    return "quota"
  if error.status in _VAGUE:
    found = (name for name, said in _SAID_KINDS if said.search(error.words))
    kind = next(found, kind)
  if kind:
    return kind
  if error.status == 200 or error.status >= 500:
    return "server"
  if re.search(r"response format|json schema", error.words):
    return "unsupported"
  if _UNKNOWN_PARAMETER.search(error.words):
    return "unknown_parameter"
  return "refused"


def unwanted_parameter(
  status: int, body: bytes, sent: Mapping[str, Any]
) -> str:
  """Returns the parameter that a server does not take, '' if it names none.

  A value out of its range is refused, not left out, unless it is our own
  default, a temperature of 0.

  Args:
    status: The reply's.
    body: The reply's.
    sent: The request's body.
  """
  if status == 200 and (b'"choices"' in body or b'"error"' not in body):
    return ""
  error = parse_error(status, body)
  name = _named(error, [name for name in _PARAMETERS if name in sent])
  if error.status not in (400, 422) or not name:
    return ""
  if name == "temperature" and not sent[name]:
    return name
  if "unsupported" in error.words:
    return name
  # Without a limit on its tokens a completion may cost anything.
  needed = _NOT_TAKEN if name.startswith("max_") else re.compile("")
  fits = needed.search(error.words) and not _OUT_OF_RANGE.search(error.words)
  return name if fits else ""


def _named(error: ServerError, names: Collection[str]) -> str:
  """Returns which of the parameters an error is about, '' if of none."""
  if error.parameter in names:
    return error.parameter
  for form in (_AS_A_NAME, r"\b{}\b"):
    for name in names:
      if form != _AS_A_NAME and name in _ENGLISH:
        continue
      if re.search(form.format(name), error.message):
        return name
  return ""


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
