"""Replies of OpenAI-compatible servers, as a Response or an AskingError.

Servers differ. Content may be null, usage and finish_reason absent, reasoning
in a field of its own or between <think> tags. An error comes with a status of
its own, or as HTTP 200 with an `error` in the reply or in a choice; its code
may be a number, a word or absent, so that the message is read as well. A reply
that is not understood is 'malformed', never another exception.
"""

import email.utils
import itertools
import json
import math
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from distill.answers import finish_reasons
from distill.answers.completions import split_thinking
from distill.teacher.interface import (
  AskingError,
  Request,
  Response,
  refuse_empty,
)

# Special tokens that some servers leave at the end of a completion.
_END_OF_TURN = re.compile(
  r"(?:<\|[a-z_]{1,20}\|>|<｜[^｜<>]{1,30}｜>|</s>|<eos>|<end_of_turn>)\Z"
)
# For servers without token counts: the mean in English.
_CHARACTERS_A_TOKEN = 4
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
# By the words of an error, where its status is vague; the first match.
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
# Parameters whose names are words of a message, too.
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
# Dates at the end of a model's name.
_DATE = re.compile(
  r"[-@](\d{4}-\d{2}-\d{2}|\d{2}-\d{2}|\d{2}-\d{4}|\d{8}|\d{6}|\d{4}|\d{3})$"
)
# 'org/name@main', 'name:latest' and 'name:free', but not 'name:8b'.
_VARIANT = re.compile(r"@(?!\d{8}$)[\w.-]+$|:[a-z]\w*$|\.gguf$")
_ALIAS = "latest"


def read_response(body: bytes, request: Request, model: str) -> Response:
  """Returns the completion in a reply of status 200, up to the first stop.

  Args:
    body: The reply's body.
    request: The request.
    model: The name that the server must use, up to a date and a path.

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
  # The text before a stop that the server was not sent, or ignored.
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
  """Returns a choice's text, and its reasoning where that is separate."""
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
  # JSON may have half a surrogate pair, which UTF-8 cannot encode.
  return value.encode("utf-8", "replace").decode("utf-8")


def _count(value: Any, text: str) -> int:
  if isinstance(value, int) and 0 <= value < 2**31:
    return value
  return -(-len(text) // _CHARACTERS_A_TOKEN)


def _logprobs(found: Any, length: int | None) -> tuple[float, ...] | None:
  """Returns one number for each token, None where the server gave none.

  Args:
    found: The choice's field.
    length: The number of characters whose tokens count, None for all.
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


@dataclass(frozen=True)
class ServerError:
  """An error in a server's reply.

  Attributes:
    status: The HTTP status, or the one that the error has as its code.
    message: The server's message.
    words: Code, type and message in lower case, with single spaces.
    code: The error's own code, '' where it has none.
    parameter: The parameter that the error names, or ''.
  """

  status: int
  message: str
  words: str
  code: str = ""
  parameter: str = ""


def parse_error(status: int, body: bytes) -> ServerError:
  """Returns the error in a reply of any form."""
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
  """Returns the error for a reply without a completion."""
  error = parse_error(status, body)
  kind, message = _kind(error), error.message
  if 300 <= status < 400:
    # Following it would send the key to any server that the reply names.
    kind, message = "redirect", f"to {headers.get('Location', 'nowhere')}"
  shown = f"HTTP {status}: {message}"
  if error.code and error.code not in message:
    shown += f" ({error.code})"
  return AskingError(kind, shown, kind in _RETRYABLE, _retry_after(headers))


def _kind(error: ServerError) -> str:
  """Returns the kind of an error, by its status or else by its words."""
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
  """Returns the parameter that a server does not accept, '' if it names none.

  A parameter whose value is out of range is accepted in this sense, unless it
  is our own default, a temperature of 0.

  Args:
    status: The reply's status.
    body: The reply's body.
    sent: The parameters in the request that may be left out, with their values.
  """
  if status == 200 and (b'"choices"' in body or b'"error"' not in body):
    return ""
  error = parse_error(status, body)
  name = _named(error, sent)
  if error.status not in (400, 422) or not name:
    return ""
  if name == "temperature" and not sent[name]:
    return name
  if "unsupported" in error.words:
    return name
  # Without a limit on its tokens a completion may have any cost.
  needed = _NOT_TAKEN if name.startswith("max_") else re.compile("")
  fits = needed.search(error.words) and not _OUT_OF_RANGE.search(error.words)
  return name if fits else ""


def _named(error: ServerError, names: Collection[str]) -> str:
  """Returns the parameter that an error is about, or ''."""
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
  """Returns the seconds of Retry-After, which may be a date."""
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


def is_same_model(said: str, wanted: str) -> bool:
  """Returns whether a server's name of a model means the model `wanted`.

  Names are equal up to case, path, revision and a date that only one of them
  has. An alias, 'name-latest', may be any model of its family.

  Args:
    said: The server's name, '' where it gives none.
    wanted: The requested model.
  """
  if not said or said.casefold() == wanted.casefold():
    return True
  name, date = _parts(said)
  wanted_name, wanted_date = _parts(wanted)
  if wanted_date == _ALIAS:
    family, wanted_family = _family(name), _family(wanted_name)
    return family in wanted_family or wanted_family in family
  dates = {date, wanted_date} - {"", _ALIAS}
  return name == wanted_name and len(dates) < 2


def _parts(name: str) -> tuple[str, str]:
  """Returns a name without path, revision and date, and the date."""
  name = name.casefold().rstrip("/").rpartition("/")[2]
  name = _VARIANT.sub("", name)
  if name.endswith(f"-{_ALIAS}"):
    return name.removesuffix(f"-{_ALIAS}"), _ALIAS
  found = _DATE.search(name)
  return (name[: found.start()], found[1]) if found else (name, "")


def _family(name: str) -> str:
  """Returns the letters at the start of a name."""
  return re.match(r"[a-z]*", name)[0]  # type: ignore[index]
