"""Asks by OpenAI's batch files: half the price, hours later.

A round has three steps: find the requests that the journal cannot answer,
submit them as one file, poll and store the responses. A killed run resumes at
the step where it was. A style of two steps takes two rounds. The files stay in
the journal's folder; `vllm run-batch` takes them too.
"""

import asyncio
import contextlib
import dataclasses
import itertools
import json
import pathlib
import sys
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from distill.errors import UserError, printable, write_whole
from distill.teacher.attempts import Collection, Question
from distill.teacher.interface import (
  AskingError,
  Request,
  Response,
  content_key,
)
from distill.teacher.journal import Journal
from distill.teacher.openai import OpenAITeacher
from distill.teacher.openai_replies import read_error
from distill.teacher.prices import Budget

_RUNNING = ("validating", "in_progress", "finalizing", "cancelling")
# OpenAI's limits for one batch: requests, and bytes of its file.
_MOST_REQUESTS = 50_000
_MOST_BYTES = 200_000_000
_LONGEST_REPLY = 1 << 30
_BATCHES_A_PAGE = 100
_MOST_ERRORS_SHOWN = 5


class Failed:
  """Takes the teacher's place after its batches: it repeats their failures."""

  def __init__(self, name: str, failures: dict[str, AskingError]) -> None:
    self.name = name
    self._failures = failures

  async def complete(self, request: Request) -> Response:
    """Raises the failure of a request."""
    missing = AskingError("missing", "not in any batch", False)
    raise self._failures.get(request.key(self.name), missing)


def _print(line: str) -> None:
  print(printable(line), file=sys.stderr, flush=True)


async def ask_by_batches(
  questions: Iterable[Question],
  collection: Collection,
  budget: Budget,
  say: Callable[[str], None] = _print,
) -> Failed:
  """Asks until nothing is missing that the server would answer.

  Args:
    questions: The questions.
    collection: How to ask; it has a journal. Its judge is not asked.
    budget: What a batch may cost; it pays for those that have come.
    say: Takes each line of progress.

  Returns:
    A teacher that repeats the failures.

  Raises:
    AskingError: The server refused a file or a batch, or the next batch could
      cost more than is left.
    UserError: The teacher has no batches.
  """
  teacher, journal = collection.teacher, collection.journal
  if not isinstance(teacher, OpenAITeacher) or journal is None:
    raise UserError(
      "--batch_api cannot ask this.",
      expected="--teacher=openai",
      found=teacher.name,
    )
  batches = _Batches(collection, teacher, journal, budget, say)
  try:
    while await batches.ask_one(questions):
      pass
  finally:
    await teacher.close()
  return Failed(teacher.name, batches.failures)


@dataclass
class _Batches:
  """The batches of one run; `batch.json` in the journal's folder has the state.

  The state is the name, the highest cost and, once there is one, the id of the
  batch. `failures` has the failed requests by key.
  """

  collection: Collection
  teacher: OpenAITeacher
  journal: Journal
  budget: Budget
  say: Callable[[str], None]
  failures: dict[str, AskingError] = field(default_factory=dict)

  async def ask_one(self, questions: Iterable[Question]) -> bool:
    """Asks by one batch; returns whether there was anything to ask."""
    state = json.loads(self._state.read_text()) if self._state.exists() else {}
    resumed = bool(state)
    if not state:
      wanted = await self._missing(questions)
      if not wanted:
        return False
      state = self._write_files(wanted)
    if "batch" not in state:
      most = float(state["most"])
      await self.budget.purse.take(most)
      self.budget.purse.give_back(most, 0.0)
      # After a kill during submission only the server knows about the batch.
      id = await self._find(state["name"]) if resumed else ""
      id = id or await self._submit(state["name"])
      state = self._note({**state, "batch": id})
    await self._collect(state["name"], state["batch"])
    return True

  @property
  def _state(self) -> pathlib.Path:
    return self.journal.folder / "batch.json"

  def _note(self, state: dict[str, str]) -> dict[str, str]:
    write_whole(self._state, json.dumps(state))
    return state

  async def _missing(self, questions: Iterable[Question]) -> dict[str, Request]:
    """Returns, by key, the next requests that have no outcome yet."""
    missing: dict[str, Request] = {}

    async def look_up(request: Request) -> Response:
      key, *older = request.keys(self.teacher.name)
      found = self.failures.get(key) or self.journal.look_up(key, *older)
      if found is None:
        missing[key] = request
        raise AskingError("missing", "to be asked", False)
      if isinstance(found, AskingError):
        raise found
      return found

    collection = dataclasses.replace(self.collection, judge=None)
    for question in questions:
      for number in range(collection.samples):
        with contextlib.suppress(AskingError):
          await collection.sample(question, number, look_up, look_up)
        if len(missing) >= _MOST_REQUESTS:
          return missing
    return missing

  def _write_files(self, wanted: dict[str, Request]) -> dict[str, str]:
    """Writes a batch file, and the contents that its responses are stored by.

    Requests beyond the limits are left for the next batch.
    """
    name = f"batch-{uuid.uuid4().hex[:12]}"
    size, most = 0, 0.0
    with (
      (self.journal.folder / f"{name}.contents").open("w") as contents,
      (self.journal.folder / f"{name}.jsonl").open("w") as file,
    ):
      for key, request in wanted.items():
        row = {
          "custom_id": key,
          "method": "POST",
          "url": f"/v1/{self.teacher.path}",
          "body": self.teacher.payload(request),
        }
        # ASCII, so that each character is a byte.
        line = json.dumps(row) + "\n"
        if size and size + len(line) > _MOST_BYTES:
          break
        size += file.write(line)
        most += self.budget.most(request)
        contents.write(request.content(self.teacher.name) + "\n")
    return self._note({"name": name, "most": str(most)})

  async def _submit(self, name: str) -> str:
    """Returns the id of a new batch."""
    path = self.journal.folder / f"{name}.jsonl"
    self.say(f"submitting {path}")
    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", path.read_bytes(), filename=path.name)
    file = await self._call("POST", "files", form)
    batch = {
      "input_file_id": file["id"],
      "endpoint": f"/v1/{self.teacher.path}",
      "completion_window": "24h",
      "metadata": {"journal": name},
    }
    reply = await self._call("POST", "batches", json.dumps(batch).encode())
    return str(reply["id"])

  async def _find(self, name: str) -> str:
    """Returns the id of the batch with our name, '' if there is none."""
    path, after = f"batches?limit={_BATCHES_A_PAGE}", ""
    while True:
      page = await self._call("GET", path + after)
      batches = page.get("data") or []
      for batch in batches:
        if (batch.get("metadata") or {}).get("journal") == name:
          return str(batch["id"])
      last = f"&after={batches[-1]['id']}" if batches else after
      # A server that ignores `after` sends the same page for ever.
      if not page.get("has_more") or last == after:
        return ""
      after = last

  async def _collect(self, name: str, id: str) -> None:
    """Waits for a batch, then stores its responses and notes its failures."""
    batch = await self._wait(id)
    contents = self.journal.folder / f"{name}.contents"
    wanted = {content_key(c): c for c in contents.read_text().splitlines()}
    reason = _failure(batch)
    if reason.kind == "refused":
      self.say(reason.detail)
    outcomes: dict[str, Response | AskingError | None] = {}
    outcomes |= dict.fromkeys(wanted, reason)
    with (self.journal.folder / f"{name}.jsonl").open() as file:
      sent = {row["custom_id"]: row["body"] for row in map(json.loads, file)}
    for each in ("output_file_id", "error_file_id"):
      if batch.get(each):
        body = await self._fetch("GET", f"files/{batch[each]}/content")
        outcomes |= (
          self._read_line(line, wanted, sent) for line in body.splitlines()
        )
    stores = []
    for key, outcome in outcomes.items():
      if isinstance(outcome, AskingError):
        self.failures[key] = outcome
      elif outcome is not None:
        self.budget.settle(0.0, outcome)
        stores.append(self.journal.store(key, wanted[key], outcome))
    await asyncio.gather(*stores)
    self._state.unlink()

  async def _wait(self, id: str) -> dict[str, Any]:
    """Returns the server's description of a batch once it has ended."""
    while True:
      batch = await self._call("GET", f"batches/{id}")
      counts = json.dumps(batch.get("request_counts") or {})
      self.say(f"{id} {batch['status']} {counts}")
      if batch["status"] not in _RUNNING:
        return batch
      await asyncio.sleep(self.collection.poll_seconds or 0.0)

  def _read_line(
    self, line: bytes, wanted: dict[str, str], sent: dict[str, dict[str, Any]]
  ) -> tuple[str, Response | AskingError | None]:
    """Returns a line's key, '' where it is unknown, and its outcome.

    The outcome is None where the server refused a parameter: the next batch
    has the request without it.
    """
    try:
      row = json.loads(line)
      key, reply = row["custom_id"], row.get("response") or {}
      body = json.dumps(reply.get("body") or row).encode()
      status = int(reply.get("status_code") or 500)
      fields = json.loads(wanted[key])
    except (ValueError, LookupError, TypeError, AttributeError):
      return "", AskingError("malformed", "a line that is no answer", False)
    try:
      if self.teacher.adapt(status, body, sent[key]):
        return key, None
      if status != 200:
        raise read_error(status, {}, body)
      request = Request(fields["prompt"], stop=tuple(fields.get("stop", ())))
      return key, self.teacher.read(body, request, sent[key])
    except AskingError as error:
      return key, error

  async def _call(
    self, method: str, path: str, data: bytes | aiohttp.FormData | None = None
  ) -> dict[str, Any]:
    """Returns the object that the server replies with."""
    try:
      return dict(json.loads(await self._fetch(method, path, data)))
    except (ValueError, TypeError):
      raise AskingError("malformed", f"the reply to {path}", False) from None

  async def _fetch(
    self, method: str, path: str, data: bytes | aiohttp.FormData | None = None
  ) -> bytes:
    """Returns a reply's body; a GET is retried."""
    for attempt in itertools.count(1):
      try:
        status, headers, body = await self.teacher.client.exchange(
          method, path, data, _LONGEST_REPLY
        )
        if status != 200:
          raise read_error(status, headers, body)
        return body
      except AskingError as error:
        delay = self.collection.policy.delay(attempt, error)
        if delay is None or method != "GET":
          raise
        await asyncio.sleep(delay)
    raise AssertionError("unreachable")


def _failure(batch: dict[str, Any]) -> AskingError:
  """Returns why a batch that has ended has no line for a request."""
  reason = f"the batch {batch['id']} {batch['status']}"
  errors = batch.get("errors") or {}
  found = errors.get("data") if isinstance(errors, dict) else errors
  shown = [_shown(error) for error in (found or [])[:_MOST_ERRORS_SHOWN]]
  if not shown:
    return AskingError("missing", reason, False)
  return AskingError("refused", f"{reason}: {'; '.join(shown)}", False)


def _shown(error: Any) -> str:
  """Returns one of a batch's errors, with its line where it has one."""
  if not isinstance(error, dict):
    return str(error)
  line = f"line {error['line']}: " if error.get("line") else ""
  return f"{line}{error.get('message') or error.get('code') or error}"
