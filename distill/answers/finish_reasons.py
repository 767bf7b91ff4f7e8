"""Why a completion ended: the one definition of a whole answer.

Servers spell the same ending in different ways, in any case. Only an ending
that is known to be the model's own is whole. All others, known or not, are cut
short, and what was cut short is no rationale.
"""

import re

UNKNOWN = "unknown"
LENGTH = "length"
STOP = "stop"

# Without case and separators. Servers that give no reason send whole answers.
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
  """Returns whether a completion that ended so is all that was to be said."""
  return _plain(reason) in _WHOLE


def is_filtered(reason: str) -> bool:
  """Returns whether the server withheld the completion or its end."""
  return _plain(reason) in _FILTERED


def is_error(reason: str) -> bool:
  """Returns whether the server failed in the middle of the completion."""
  return _plain(reason) == "error"


def joined(reasons: list[str]) -> str:
  """Returns the reason of several steps: the first that is not whole, or the
  last one's.
  """
  return next((r for r in reasons if not is_whole(r)), reasons[-1])
