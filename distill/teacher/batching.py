"""Asks by OpenAI's batch files: half the price, hours later.

Rounds of three steps, each of which a killed run takes up where it was: find
the requests that the journal cannot answer, submit them as one file, poll and
store what comes. A style of two steps takes two rounds. The files, which
`vllm run-batch` takes too, stay in the journal's folder.
"""

import asyncio
import contextlib
import json
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import aiohttp

from distill.teacher.collection import Collection
from distill.teacher.insisting import Question
from distill.teacher.interface import (
  AskingError,
  Request,
  Response,
  content_key,
)
from distill.teacher.journal import Journal
from distill.teacher.openai import OpenAITeacher
from distill.teacher.openai_errors import read_error
from distill.teacher.prices import Budget

_UNDER_WAY = ("validating", "in_progress", "finalizing", "cancelling")
# OpenAI's limits for one batch: requests, and bytes of its file.
_MOST_REQUESTS = 50_000
_MOST_BYTES = 200_000_000
_LONGEST_REPLY = 1 << 30
_BATCHES_A_PAGE = 100
_MOST_ERRORS_SHOWN = 5
_STATE = "batch.json"

Say = Callable[[str], None]


class Failed:
  """Stands in for a teacher after its batches: it repeats their failures."""

  def __init__(self, name: str, failures: dict[str, AskingError]) -> None:
    self.name = name
    self._failures = failures

  async def complete(self, request: Request) -> Response:
    """Raises what became of a request."""
    missing = AskingError("missing", "not in any batch", False)
    raise self._failures.get(request.key(self.name), missing)


async def ask_by_batches(
  questions: Sequence[Question],
  collection: Collection,
  teacher: OpenAITeacher,
  journal: Journal,
  budget: Budget,
  say: Say,
) -> Failed:
  """Asks until nothing is missing that the server would answer.

  Args:
    questions: What to ask about.
    collection: How; its teacher is `teacher`.
    teacher: The server.
    journal: Where answers go, and what is known of batches.
    budget: What a batch may cost; it has paid for those that have come.
    say: Told what happens, a line each time.

  Raises:
    AskingError: The server refused a file or a batch, or the next batch could
      cost more than is left.
  """
  failures: dict[str, AskingError] = {}
  try:
    while True:
      state = _read_state(journal.folder)
      resumed = bool(state)
      if not state:
        wanted = await _find_missing(questions, collection, journal, failures)
        if not wanted:
          return Failed(teacher.name, failures)
        state = _write_files(wanted, teacher, journal.folder, budget)
      if "batch" not in state:
        most = float(state["most"])
        await budget.purse.take(most)
        budget.purse.give_back(most, 0.0)
        # Killed around a submission, only the server knows whether it was made.
        id = await _find_batch(state["name"], teacher) if resumed else ""
        id = id or await _submit(state["name"], teacher, journal.folder, say)
        state = _note(journal.folder, {**state, "batch": id})
      seconds = collection.poll_seconds or 0.0
      failures |= await _collect(state, teacher, journal, budget, seconds, say)
  finally:
    await teacher.close()


async def _find_missing(
  questions: Sequence[Question],
  collection: Collection,
  journal: Journal,
  failures: Mapping[str, AskingError],
) -> dict[str, Request]:
  """Returns, by key, the next requests that have no outcome yet."""
  missing: dict[str, Request] = {}

  async def look(request: Request) -> Response:
    key, *older = request.keys(collection.teacher.name)
    found = failures.get(key) or journal.look_up(key, *older)
    if found is None:
      missing[key] = request
      raise AskingError("missing", "to be asked", False)
    if isinstance(found, AskingError):
      raise found
    return found

  for question in questions:
    for sample in range(collection.samples):
      with contextlib.suppress(AskingError):
        await collection.answer(question, sample, look, look)
      if len(missing) >= _MOST_REQUESTS:
        return missing
  return missing


def _read_state(folder: pathlib.Path) -> dict[str, str]:
  """Returns the name, highest cost and, once it has one, id of the batch."""
  path = folder / _STATE
  return json.loads(path.read_text()) if path.exists() else {}


def _note(folder: pathlib.Path, state: dict[str, str]) -> dict[str, str]:
  draft = folder / f"{_STATE}.draft"
  draft.write_text(json.dumps(state))
  draft.rename(folder / _STATE)
  return state


def _write_files(
  wanted: dict[str, Request],
  teacher: OpenAITeacher,
  folder: pathlib.Path,
  budget: Budget,
) -> dict[str, str]:
  """Writes a batch file, and the contents that its answers are stored by.

  Requests that no longer fit are left for the next batch.
  """
  name = f"batch-{uuid.uuid4().hex[:12]}"
  size, most = 0, 0.0
  with (
    (folder / f"{name}.contents").open("w") as contents,
    (folder / f"{name}.jsonl").open("w") as file,
  ):
    for key, request in wanted.items():
      row = {
        "custom_id": key,
        "method": "POST",
        "url": f"/v1/{teacher.path}",
        "body": teacher.payload(request),
      }
      # ASCII, so that each character is a byte.
      line = json.dumps(row) + "\n"
      if size and size + len(line) > _MOST_BYTES:
        break
      size += file.write(line)
      most += budget.most(request)
      contents.write(request.content(teacher.name) + "\n")
  return _note(folder, {"name": name, "most": str(most)})


async def _submit(
  name: str, teacher: OpenAITeacher, folder: pathlib.Path, say: Say
) -> str:
  """Returns the id of a new batch."""
  path = folder / f"{name}.jsonl"
  say(f"submitting {path}")
  form = aiohttp.FormData({"purpose": "batch"})
  form.add_field("file", path.read_bytes(), filename=path.name)
  file = await _call(teacher, "POST", "files", form)
  batch = await _call(
    teacher,
    "POST",
    "batches",
    json.dumps(
      {
        "input_file_id": file["id"],
        "endpoint": f"/v1/{teacher.path}",
        "completion_window": "24h",
        "metadata": {"journal": name},
      }
    ).encode(),
  )
  return str(batch["id"])


async def _find_batch(name: str, teacher: OpenAITeacher) -> str:
  """Returns the id of the batch with our name, '' if there is none."""
  path, after = f"batches?limit={_BATCHES_A_PAGE}", ""
  while True:
    page = await _call(teacher, "GET", path + after)
    batches = page.get("data") or []
    for batch in batches:
      if (batch.get("metadata") or {}).get("journal") == name:
        return str(batch["id"])
    last = f"&after={batches[-1]['id']}" if batches else after
    # A server that ignores `after` sends the same page for ever.
    if not page.get("has_more") or last == after:
      return ""
    after = last


async def _collect(
  state: dict[str, str],
  teacher: OpenAITeacher,
  journal: Journal,
  budget: Budget,
  poll_seconds: float,
  say: Say,
) -> dict[str, AskingError]:
  """Waits for a batch and stores its answers; returns the failures."""
  id = state["batch"]
  while True:
    batch = await _call(teacher, "GET", f"batches/{id}")
    counts = json.dumps(batch.get("request_counts") or {})
    say(f"{id} {batch['status']} {counts}")
    if batch["status"] not in _UNDER_WAY:
      break
    await asyncio.sleep(poll_seconds)
  contents = journal.folder / f"{state['name']}.contents"
  wanted = {content_key(c): c for c in contents.read_text().splitlines()}
  reason = _failure(batch)
  if reason.kind == "refused":
    say(reason.detail)
  failures, stores = dict.fromkeys(wanted, reason), []
  with (journal.folder / f"{state['name']}.jsonl").open() as file:
    sent = {row["custom_id"]: row["body"] for row in map(json.loads, file)}
  for field in ("output_file_id", "error_file_id"):
    if batch.get(field):
      body = await _fetch(teacher, f"files/{batch[field]}/content")
      for line in body.splitlines():
        key, outcome = _read_line(line, wanted, sent, teacher)
        if outcome is None:
          # The next batch has it without what the server does not take.
          failures.pop(key, None)
        elif isinstance(outcome, AskingError):
          failures[key] = outcome
        else:
          failures.pop(key, None)
          budget.settle(0.0, outcome)
          stores.append(journal.store(key, wanted[key], outcome))
  await asyncio.gather(*stores)
  (journal.folder / _STATE).unlink()
  return failures


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


def _read_line(
  line: bytes,
  wanted: dict[str, str],
  sent: dict[str, dict[str, Any]],
  teacher: OpenAITeacher,
) -> tuple[str, Response | AskingError | None]:
  """Returns a line's key, '' where nobody asked for it, and its outcome.

  That is None where the server refused a parameter, which is now left out.
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
    if teacher.adapt(status, body, sent[key]):
      return key, None
    if status != 200:
      raise read_error(status, {}, body)
    asked = Request(fields["prompt"], stop=tuple(fields.get("stop", ())))
    return key, teacher.read(body, asked, sent[key])
  except AskingError as error:
    return key, error


async def _call(
  teacher: OpenAITeacher,
  method: str,
  path: str,
  data: bytes | aiohttp.FormData | None = None,
) -> dict[str, Any]:
  """Returns the object that the server replies with."""
  try:
    return dict(json.loads(await _fetch(teacher, path, method, data)))
  except (ValueError, TypeError):
    raise AskingError("malformed", f"the reply to {path}", False) from None


async def _fetch(
  teacher: OpenAITeacher,
  path: str,
  method: str = "GET",
  data: bytes | aiohttp.FormData | None = None,
) -> bytes:
  """Returns a reply's body; what can be repeated safely is."""
  for seconds in (1, 4, 15, 60, None):
    try:
      status, headers, body = await teacher.exchange(
        method, path, data, _LONGEST_REPLY
      )
      if status != 200:
        raise read_error(status, headers, body)
      return body
    except AskingError as error:
      if seconds is None or method != "GET" or not error.retryable:
        raise
      await asyncio.sleep(error.retry_after or seconds)
  raise AssertionError("unreachable")
