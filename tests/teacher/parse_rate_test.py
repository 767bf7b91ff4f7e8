"""A run whose answers cannot be read: when it is said, and what ends it."""

import pytest

from distill.errors import UserError
from distill.teacher.parse_rate import ParseRate


def counted(read, unread, allowed=False):
  found = ParseRate("So the answer is X.", "reword it", allowed)
  for _ in range(read):
    found.add("So the answer is 1.", "1", "stop")
  for _ in range(unread):
    found.add("It is\x1b[31m\n1", "", "MAX_TOKENS")
  return found


def test_a_low_rate_of_the_first_fifty_answers_is_a_warning(capsys):
  found = counted(4, 45)
  assert not capsys.readouterr().err
  found.add("It is 1", "", "stop")
  said = capsys.readouterr().err
  assert "4 of the first 50 answers could be read" in said
  assert "So the answer is X." in said and "It is\\x1b[31m\\n1" in said
  assert "MAX_TOKENS" in said and "reword it" in said
  for _ in range(1000):
    found.add("So the answer is 1.", "1", "stop")
  assert not capsys.readouterr().err
  with pytest.raises(UserError, match="4 of the first 50"):
    found.check()


@pytest.mark.parametrize("read, unread", [(0, 1), (0, 49), (2, 30), (4, 46)])
def test_a_low_rate_is_an_error_at_the_end(read, unread, capsys):
  with pytest.raises(UserError, match=f"{read} of the first"):
    counted(read, unread).check()
  capsys.readouterr()
  counted(read, unread, allowed=True).check()
  assert "warning: " in capsys.readouterr().err


@pytest.mark.parametrize("read, unread", [(0, 0), (1, 0), (1, 9), (5, 500)])
def test_a_tenth_is_enough(read, unread, capsys):
  counted(read, unread).check()
  assert not capsys.readouterr().err
