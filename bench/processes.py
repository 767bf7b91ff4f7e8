"""Programs that work in turn, and what each costs."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import IO


@dataclasses.dataclass(frozen=True)
class Program:
  """A command that serves (`measure.serve`), or that is run as a whole.

  Attributes:
    name: As in the table.
    command: Its words; empty where there is no such program.
    reason: Why there is none.
  """

  name: str
  command: Sequence[str] = ()
  reason: str = ""


@dataclasses.dataclass
class Cost:
  """What a program took.

  Attributes:
    name: The program's.
    seconds: CPU seconds of each repetition.
    peak: The most memory, in GiB.
    reason: Why nothing was measured, '' if something was.
  """

  name: str
  seconds: list[float] = dataclasses.field(default_factory=list)
  peak: float = 0.0
  reason: str = ""


class FailedError(Exception):
  """A program has ended; the text is the line of its error."""


def in_turn(
  programs: Sequence[Program],
  count: int,
  repetitions: int,
  environment: Mapping[str, str],
) -> list[Cost]:
  """Returns what `count` steps of each program cost, one after the other.

  Each gets ready before the next one starts. A program that fails is left out,
  and its cost says why.
  """
  costs = [Cost(program.name, reason=program.reason) for program in programs]
  running: list[tuple[Cost, _Server]] = []
  try:
    for program, cost in zip(programs, costs, strict=True):
      if program.command:
        server = _Server(program.command, environment)
        running.append((cost, server))
        _noted(cost, server, 0)
    for _ in range(repetitions):
      for cost, server in running:
        if not cost.reason:
          _noted(cost, server, count)
  finally:
    for _, server in running:
      server.close()
  return costs


def whole(
  programs: Sequence[Program],
  environment: Mapping[str, str],
  costs: Sequence[Cost],
) -> None:
  """Runs each command to its end, in turn, and adds to the costs."""
  for program, cost in zip(programs, costs, strict=True):
    cost.reason = cost.reason or program.reason
    if cost.reason:
      continue
    with tempfile.TemporaryFile() as said:
      child = subprocess.Popen(
        program.command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=said,
        env=environment,
      )
      # The usage of this child alone.
      _, status, usage = os.wait4(child.pid, 0)
      child.returncode = os.waitstatus_to_exitcode(status)
      if child.returncode:
        cost.reason = _last_line(said)
        continue
    cost.seconds.append(usage.ru_utime + usage.ru_stime)
    cost.peak = max(cost.peak, usage.ru_maxrss / 2**20)


def _noted(cost: Cost, server: "_Server", count: int) -> None:
  """Lets a server work, or with 0 get ready, and adds to its cost."""
  try:
    taken = server.work(count)
  except FailedError as error:
    cost.reason = str(error)
    return
  if count:
    cost.seconds.append(taken["cpu"] / count)
    cost.peak = taken["peak"]


class _Server:
  """A process of `measure.serve`."""

  def __init__(
    self, command: Sequence[str], environment: Mapping[str, str]
  ) -> None:
    self._said = tempfile.TemporaryFile()
    self._process = subprocess.Popen(
      command,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      stderr=self._said,
      text=True,
      env=environment,
    )

  def work(self, count: int) -> dict[str, float]:
    """Returns what `count` steps took; 0 waits until the process is ready."""
    stdin, stdout = self._process.stdin, self._process.stdout
    if not stdin or not stdout:  # always pipes
      raise FailedError("no pipe")
    try:
      if count:
        stdin.write(f"{count}\n")
        stdin.flush()
      # Libraries may print lines of their own.
      line = next(line for line in stdout if line.startswith("{"))
    except (BrokenPipeError, StopIteration):
      self._process.wait()
      raise FailedError(_last_line(self._said)) from None
    found: dict[str, float] = json.loads(line)
    return found

  def close(self) -> None:
    """Ends the process."""
    self._process.kill()
    self._process.communicate()
    self._said.close()


def _last_line(said: IO[bytes]) -> str:
  """Returns the line of the error; more of what was written goes to stderr."""
  said.seek(0)
  text = said.read().decode(errors="replace")
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  print(*lines[-20:], sep="\n", file=sys.stderr)
  named = [line for line in lines if re.match(r"error: |[\w.]*Error\b", line)]
  return [*lines, *named][-1][:200] if lines else "it wrote nothing"
