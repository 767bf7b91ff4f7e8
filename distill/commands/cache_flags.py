"""The flags of the cache commands, from the dataclasses that hold them.

Nothing here imports TensorFlow or JAX, so that wrong flags are reported at
once.
"""

import argparse
import functools
import math
import os
import pathlib
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distill import console, flags
from distill.answers.rules import AnswerRule
from distill.data import lookup
from distill.data.examples import Choice
from distill.errors import UserError, require
from distill.flags import Parser, from_flags
from distill.teacher import attempts, interface, prices, prompts, styles
from distill.teacher.attempts import Collection
from distill.teacher.builtin.teacher import BuiltinTeacher
from distill.teacher.interface import Teacher
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits, RetryPolicy
from distill.teacher.openai import OpenAITeacher

if TYPE_CHECKING:
  from distill.data.registration import Family

# The flags that several of the cache commands have.
_SHARED: dict[str, dict[str, Any]] = {
  "task": {"required": True, "help": "a registered family, such as cqa"},
  "split": {"default": "train", "help": "the split; default: %(default)s"},
  "module": {
    "action": "append",
    "default": [],
    "help": "a Python module that registers your family; may be repeated",
  },
  "output_dir": {"help": "the cache; default: $DISTILL_DATA_DIR/<task>"},
  "num_shards": {"type": int, "help": "default: one per 1,000 examples"},
  "overwrite": {
    "action": "store_true",
    "help": "replace a split that is damaged or was made in another way",
  },
}


@dataclass(frozen=True)
class _TeacherFlags:
  """Which teacher.

  Attributes:
    teacher: builtin, openai (any OpenAI-compatible server), or module:Class of
      your own.
  """

  teacher: str = "builtin"


@dataclass(frozen=True)
class _AttemptFlags:
  """What follows the first attempt.

  Attributes:
    samples: The number of completions for each example.
    retry_wrong: The maximum number of further attempts at a wrong answer.
    hint_gold: As a last attempt, show the gold label.
  """

  samples: int = 1
  retry_wrong: int = 0
  hint_gold: bool = False


@dataclass(frozen=True)
class _JudgeFlags:
  """The judge.

  Attributes:
    verify_with: A second teacher that judges whether each rationale supports
      its answer.
    verify_model: The judge's --model.
    verify_base_url: The judge's --base_url.
    verify_api_key_env: The judge's --api_key_env.
  """

  verify_with: str | None = None
  verify_model: str | None = None
  verify_base_url: str | None = None
  verify_api_key_env: str | None = None


@dataclass(frozen=True)
class _CostFlags:
  """The budget and the prices.

  Attributes:
    max_cost: The maximum cost in US dollars. The run stops before it.
    price_in: US dollars per million prompt tokens.
    price_out: US dollars per million completion tokens.
    prices: Your own table of prices (docs/teachers.md).
    verify_price_in: The judge's --price_in.
    verify_price_out: The judge's --price_out.
  """

  max_cost: float | None = None
  price_in: float | None = None
  price_out: float | None = None
  prices: str | None = None
  verify_price_in: float | None = None
  verify_price_out: float | None = None


@dataclass(frozen=True)
class _RunFlags:
  """The course of a run.

  Attributes:
    batch_api: Ask by batch files (openai only).
    poll_seconds: The seconds between two checks of a batch.
    journal_dir: The folder of the journal; default: <output_dir>/journal.
    plan: Print requests, tokens and cost; send nothing.
  """

  batch_api: bool = False
  poll_seconds: float = 30.0
  journal_dir: str | None = None
  plan: bool = False


# The dataclasses whose fields are flags, by the title of their group. The first
# decide what a cache holds, the others how it is made.
_CONTENT: dict[str, tuple[type, ...]] = {
  "teacher": (_TeacherFlags,),
  "teacher openai": (OpenAITeacher,),
  "teacher builtin": (BuiltinTeacher,),
  "prompts and sampling": (styles.StyleOptions, styles.Sampling),
  "attempts at an example": (_AttemptFlags,),
  "judge": (_JudgeFlags,),
  "examples": (Choice,),
}
_COURSE: dict[str, tuple[type, ...]] = {
  "limits and retries": (Limits, RetryPolicy),
  "cost": (_CostFlags,),
  "run": (_RunFlags,),
}
# The teachers of this project. They get only the options that are given.
_TEACHERS = (OpenAITeacher, BuiltinTeacher)
# Field → flag, where the names differ; '' for a field that is no flag.
_NAMES: dict[type, dict[str, str]] = {
  OpenAITeacher: {"send_stop": ""},
  BuiltinTeacher: {"seed": ""},
  Choice: {"seed": "data_seed"},
  RetryPolicy: {
    "timeout": "request_timeout",
    **dict.fromkeys(("first", "longest", "longest_asked"), ""),
  },
}
# Flag, its least and its greatest value.
_RANGES = (
  ("retry_wrong", 0, 100),
  ("samples", 1, math.inf),
  ("max_tokens", 1, math.inf),
  ("attempts", 1, math.inf),
  ("request_timeout", 1, math.inf),
  ("temperature", 0, math.inf),
  ("top_p", 0, 1),
  ("max_cost", 0, sys.float_info.max),
)


def add_shared(parser: Parser, *names: str) -> None:
  """Adds --task, --split, --module and others that the commands share."""
  for name in ("task", "split", "module", *names):
    parser.add_argument(f"--{name}", **_SHARED[name])


def folder(options: argparse.Namespace, given: str | None) -> str:
  """Returns a given folder, or else the default folder of a task's cache."""
  return given or os.path.join(lookup.cache_root(), options.task)


def find_family(options: argparse.Namespace, directory: str) -> "Family":
  """Imports TensorFlow and returns the family of a cache.

  `options.module` becomes the modules that register it.

  Raises:
    UserError: There is no such family, module or split.
  """
  lookup.check_family(options.task, options.module, directory)
  console.import_tensorflow()
  from distill.data import registration

  family, options.module = registration.find_cached_family(
    options.task, options.module, directory, options.split
  )
  return family


def share(part: int, whole: int) -> str:
  """Returns a count with its percentage, for the summary of a command."""
  return f"{part:,} of {whole:,} ({100 * part / max(1, whole):.1f}%)"


def add_flags(parser: Parser) -> None:
  """Adds the flags of asking."""
  for title, holders in {**_CONTENT, **_COURSE}.items():
    add = parser.add_argument_group(title).add_argument
    for holder in holders:
      optional = holder in _TEACHERS
      flags.add_fields(add, holder, _NAMES.get(holder), optional=optional)


def create_teacher(options: argparse.Namespace) -> Teacher:
  """Returns the teacher that the flags name.

  Raises:
    UserError: There is none, or it lacks something.
  """
  given = {
    name: getattr(options, name)
    for holder in _TEACHERS
    for name in flags.names(holder, _NAMES[holder])
  }
  known = interface.option_names(options.teacher)
  shared = {"seed": options.seed, "send_stop": options.stop is not None}
  given |= {name: value for name, value in shared.items() if name in known}
  return _prepared(interface.create_teacher(options.teacher, **given), options)


def _prepared(teacher: Teacher, options: argparse.Namespace) -> Teacher:
  """Returns a teacher that has its key; a plan needs none."""
  prepare = getattr(teacher, "prepare", None)
  if prepare is not None and not options.plan:
    prepare()
  return teacher


def collection(
  options: argparse.Namespace,
  teacher: Teacher,
  rule: AnswerRule,
  prompt: str,
) -> Collection:
  """Returns what the flags say, without a journal.

  Args:
    options: The flags.
    teacher: From `create_teacher`.
    rule: How the dataset's answers are read.
    prompt: The dataset's own template, where the flags name none.

  Raises:
    UserError: A value is out of its range, or a file cannot be read.
  """
  for name, low, high in _RANGES:
    value = getattr(options, name)
    require(
      f"--{name}",
      value,
      value is None or low <= value <= high,
      f"at least {low:g}" + (f", at most {high:g}" if high < 1e9 else ""),
    )
  _check_samples(options, teacher)
  sampling = from_flags(options, styles.Sampling)
  style = functools.partial(
    styles.create_style,
    from_flags(options, styles.StyleOptions),
    rule,
    prompts.load_prompt(options.prompt or prompt),
  )
  further = None
  if options.retry_wrong or options.hint_gold:
    hotter = attempts.rising_temperatures(sampling, options.retry_wrong)
    hint = prompts.load_prompt("hint_v1") if options.hint_gold else None
    further = attempts.FurtherAttempts(rule, list(map(style, hotter)), hint)
  return Collection(
    teacher,
    style(sampling),
    sampling,
    options.samples,
    limits=from_flags(options, Limits),
    policy=from_flags(options, RetryPolicy, _NAMES[RetryPolicy]),
    price=_price(options, teacher, ""),
    max_cost=options.max_cost,
    further=further,
    judge=_judge(options),
    poll_seconds=options.poll_seconds if options.batch_api else None,
  )


def choice(options: argparse.Namespace) -> Choice:
  """Returns which examples are asked about."""
  return from_flags(options, Choice, _NAMES[Choice])


def _judge(options: argparse.Namespace) -> attempts.Judge | None:
  if not options.verify_with:
    return None
  judge = interface.create_teacher(
    options.verify_with,
    model=options.verify_model,
    base_url=options.verify_base_url,
    api_key_env=options.verify_api_key_env,
  )
  price = _price(options, judge, "verify_")
  return attempts.Judge(_prepared(judge, options), price)


def _price(
  options: argparse.Namespace, teacher: Teacher, prefix: str
) -> prices.Price | None:
  """Returns what a teacher's tokens cost; its flags start with `prefix`."""
  if getattr(teacher, "free", False):
    return prices.FREE
  model, *pair = (
    getattr(options, prefix + name)
    for name in ("model", "price_in", "price_out")
  )
  given = prices.given_price(model or "", f"--{prefix}price", *pair)
  return given or prices.find_price(model or "", options.prices)


def _check_samples(options: argparse.Namespace, teacher: Teacher) -> None:
  """Raises UserError if several samples would be one greedy answer."""
  greedy = options.temperature == 0 or options.top_p == 0
  same = greedy and options.shuffle_exemplars is None
  if options.samples > 1 and same and not getattr(teacher, "free", False):
    raise UserError(
      f"--samples={options.samples} would pay for the same greedy answer"
      f" {options.samples} times.",
      expected="samples that differ: --temperature and --top_p above 0",
      found=f"--temperature={options.temperature:g} --top_p={options.top_p:g}",
      remedy="add --temperature=0.7, or leave out --samples",
    )


def open_journal(
  options: argparse.Namespace, teacher: Teacher, directory: str
) -> Journal | None:
  """Returns the journal of a cache, None if the teacher is free.

  A plan creates none.
  """
  if getattr(teacher, "free", False) and not options.verify_with:
    return None
  folder = options.journal_dir or f"{directory}/journal"
  if options.plan and not pathlib.Path(folder).is_dir():
    return None
  return Journal(folder)


def content_flags(options: argparse.Namespace, parser: Parser) -> str:
  """Returns, for a message, the flags that decide what a split holds."""
  names = [
    name
    for holders in _CONTENT.values()
    for holder in holders
    for name in flags.names(holder, _NAMES.get(holder))
    if not name.startswith("allow_") and name != "teacher"
  ]
  others = flags.changed(parser, options, [*names, "num_shards", "module"])
  return f"{shlex.quote(f'--teacher={options.teacher}')} {others}".rstrip()
