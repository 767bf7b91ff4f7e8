"""Finish reasons: why a completion ended, and whether it is complete.

Servers spell the same reason differently. A completion is complete only if the
reason is known to be the model's own end. Otherwise it was cut short and has no
rationale.
"""

import re

UNKNOWN = "unknown"
LENGTH = "length"
STOP = "stop"

# Without case and separators. Servers without reasons send whole answers.
_NONE = ("", "none", "null", UNKNOWN)
_WHOLE = (
  *(*_NONE, STOP, "stopped", "stopsequence", "finishreasonstop"),
  *("eos", "eostoken", "endturn", "endofturn", "endoftext", "complete"),
)
_FILTERED = (
  *("contentfilter", "contentfiltered", "safety", "recitation", "blocklist"),
  *("prohibitedcontent", "spii", "refusal", "guardrailintervened"),
)
_SEPARATORS = re.compile(r"[\W_]+")


def _plain(reason: str) -> str:
  return _SEPARATORS.sub("", reason).casefold()


def is_whole(reason: str) -> bool:
  """Returns whether a completion with this reason is complete."""
  return _plain(reason) in _WHOLE


def is_filtered(reason: str) -> bool:
  """Returns whether the server withheld the completion or a part of it."""
  return _plain(reason) in _FILTERED


def is_error(reason: str) -> bool:
  """Returns whether the server failed during the completion."""
  return _plain(reason) == "error"


def joined(reasons: list[str]) -> str:
  """Returns the reason of several steps.

  It is that of the first step which was cut short, or else of the last.
  """
  return next((r for r in reasons if not is_whole(r)), reasons[-1])
