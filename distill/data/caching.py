"""Dataset, prompt and teacher → the cache of one split."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from distill.data import cache_writing, manifest, records, shards, verification
from distill.data.examples import Dataset, Example
from distill.errors import UserError
from distill.teacher import asking
from distill.teacher.answers import AnswerRule
from distill.teacher.completions import parse_completion
from distill.teacher.interface import Request, Response, Teacher
from distill.teacher.prompts import PromptTemplate

CACHE_ROOT_VARIABLE = "DISTILL_DATA_DIR"


def cache_root() -> str:
  """Returns $DISTILL_DATA_DIR, read now: a folder with a cache a family.

  Raises:
    UserError: It is not set.
  """
  root = os.environ.get(CACHE_ROOT_VARIABLE, "")
  if root:
    return root
  raise UserError(
    f"Nothing says where caches are: {CACHE_ROOT_VARIABLE} is not set.",
    expected="a folder or a gs:// path, with a folder a dataset family",
    remedy=f"run `export {CACHE_ROOT_VARIABLE}=…`",
  )


def build_cache(
  dataset: Dataset,
  split: str,
  teacher: Teacher,
  prompt: PromptTemplate,
  answer_rule: AnswerRule,
  directory: str,
  *,
  num_shards: int | None = None,
  overwrite: bool = False,
  flags: str = "",
  on_response: Callable[[int, int], None] | None = None,
) -> tuple[manifest.SplitEntry, bool]:
  """Asks the teacher about every example of a split and caches its answers.

  A split that is there already is left alone: if it came from the same
  teacher, prompt and data it is verified and nobody is asked again.

  Args:
    dataset: Where the examples come from.
    split: Which of them.
    teacher: Whom to ask.
    prompt: The template around each input.
    answer_rule: Reads the answers and compares them with the gold labels.
    directory: The family's folder, made where it does not exist.
    num_shards: None: `shards.default_num_shards`.
    overwrite: Replaces a split of other origin, or a damaged one.
    flags: The command's flags for teacher, prompt and shards, for messages.
    on_response: Called with the number of answers so far and their total.

  Returns:
    The split's entry in the manifest, and whether it was written now.

  Raises:
    UserError: The directory cannot be written or holds something else, or the
      split is there and is different, or damaged.
  """
  examples = dataset.examples(split)
  num_shards = num_shards or shards.default_num_shards(len(examples))
  origin: dict[str, Any] = {
    "teacher": teacher.name,
    "prompt_sha256": prompt.sha256,
    "data_sha256": data_sha256(examples),
  }
  with cache_writing.writing(directory):
    tf.io.gfile.makedirs(directory)
    known = cache_writing.open_cache(directory, dataset.name)
  if split in known.splits and not overwrite:
    cache_writing.check_same(
      directory, split, known.splits[split], origin, num_shards
    )
    return verification.verify(directory, dataset.name, split), False
  requests = [Request(prompt.render(example.input)) for example in examples]
  responses = _ask(teacher, requests, on_response)
  content = [
    _record(example, response, answer_rule, teacher.name)
    for example, response in zip(examples, responses, strict=True)
  ]
  with cache_writing.writing(directory):
    staged, size = shards.stage(
      directory, dataset.name, split, content, num_shards
    )
    entry = manifest.SplitEntry(
      **origin,
      **_counts(content, responses),
      prompt=prompt.name,
      flags=flags,
      record_bytes=size,
      shards=staged,
    )
    cache_writing.commit(directory, split, entry)
  return entry, True


def data_sha256(examples: Sequence[Example]) -> str:
  """Returns the SHA-256, in hex, of examples in their order."""
  digest = hashlib.sha256()
  for example in examples:
    row = [example.id, example.input, example.label]
    digest.update(json.dumps(row).encode("ascii") + b"\n")
  return digest.hexdigest()


def _ask(
  teacher: Teacher,
  requests: Sequence[Request],
  on_response: Callable[[int, int], None] | None,
) -> list[Response]:
  done = 0

  def count(position: int, response: Response) -> None:
    nonlocal done
    done += 1
    if on_response is not None:
      on_response(done, len(requests))

  return asyncio.run(asking.ask(teacher, requests, on_response=count))


def _record(
  example: Example, response: Response, rule: AnswerRule, teacher: str
) -> records.Record:
  parsed = parse_completion(response.text, rule)
  if not example.label:
    agrees = records.NO_GOLD
  elif parsed.answer and rule.equal(parsed.answer, example.label):
    agrees = records.AGREES
  else:
    agrees = records.DISAGREES
  logprobs = response.logprobs
  return records.Record(
    id=example.id,
    input=example.input,
    label=example.label,
    rationales=(parsed.rationale,),
    teacher_labels=(parsed.answer,),
    agrees=(agrees,),
    finish_reasons=(response.finish_reason,),
    teachers=(teacher,),
    hinted=(0,),
    verdicts=(records.NOT_JUDGED,),
    logprobs=() if logprobs is None else (sum(logprobs),),
  )


def _counts(
  content: Sequence[records.Record], responses: Sequence[Response]
) -> dict[str, Any]:
  labels = [label for record in content for label in record.teacher_labels]
  return {
    "examples": len(content),
    "labeled": sum(bool(record.label) for record in content),
    "answers": len(labels),
    "parsed": sum(map(bool, labels)),
    "agreeing": sum(r.agrees.count(records.AGREES) for r in content),
    "prompt_tokens": sum(r.prompt_tokens for r in responses),
    "completion_tokens": sum(r.completion_tokens for r in responses),
  }
