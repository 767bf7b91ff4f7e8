"""When a request that failed is sent again: the one policy for all teachers."""

import random
from dataclasses import dataclass

from distill.teacher.interface import AskingError


@dataclass(frozen=True)
class RetryPolicy:
  """Exponential back-off with jitter.

  Attributes:
    attempts: How often a request is sent before it counts as failed.
    first: Seconds before the second attempt, on average.
    longest: The most seconds between attempts that we choose ourselves.
    longest_asked: The most seconds that a server's Retry-After may ask for.
    timeout: Seconds that one attempt may take, from first to last byte.
  """

  attempts: int = 10
  first: float = 0.5
  longest: float = 60.0
  longest_asked: float = 900.0
  timeout: float = 600.0

  def delay(self, attempt: int, error: AskingError) -> float | None:
    """Returns the seconds to wait after a failure, None to give up.

    Args:
      attempt: How often the request was sent so far.
      error: How it failed the last time.
    """
    if not error.retryable or attempt >= self.attempts:
      return None
    mean = min(self.longest, self.first * 2.0 ** (attempt - 1))
    # Requests that failed together must not come back together.
    delay = mean * random.uniform(0.5, 1.5)
    if error.retry_after is None:
      return delay
    return min(error.retry_after, self.longest_asked) + 0.1 * delay
