"""The flags that say whom to ask, how, and within which limits.

Nothing here needs TensorFlow or JAX, so that wrong flags are said at once.
"""

import argparse
import math
import pathlib
import shlex
import sys

from distill.answers.rules import AnswerRule
from distill.errors import UserError, require
from distill.flags import Parser, add_fields, from_flags
from distill.teacher import attempts, interface, prices, prompts, styles
from distill.teacher.collecting import Collection
from distill.teacher.interface import Teacher
from distill.teacher.journal import Journal
from distill.teacher.limits import Limits, RetryPolicy

# What a teacher's class may take; the others are for all teachers.
_TEACHER_OPTIONS = (
  "base_url",
  "model",
  "api_key_env",
  "endpoint",
  "served_model",
  "extra_body",
  "error_rate",
  "flaw",
  "verbosity",
)
# What changes a cache's content, to be said where it is to be made again.
_CONTENT = (
  *("teacher", *_TEACHER_OPTIONS, "seed", "style", "prompt", "trigger"),
  *("shuffle_exemplars", "samples", "temperature", "top_p", "max_tokens"),
  *("retry_wrong", "hint_gold", "verify_with", "verify_model"),
  *("verify_base_url", "verify_api_key_env"),
  *("stop", "logprobs", "fraction", "data_seed", "limit", "num_shards"),
  "module",
)

# The fields of RetryPolicy that are flags.
_RETRY_FLAGS = {
  "timeout": "request_timeout",
  **dict.fromkeys(("first", "longest", "longest_asked"), ""),
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


def add_flags(parser: Parser) -> None:
  """Adds the flags."""
  add = parser.add_argument_group("whom to ask").add_argument
  add(
    "--teacher",
    default="builtin",
    help="builtin, openai (any OpenAI-compatible server), or module:Class of"
    " your own; default: %(default)s",
  )
  add("--model", help="openai: the model, as the server names it")
  add("--base_url", help="openai: the server, such as http://localhost:8000/v1")
  add("--api_key_env", help="openai: the variable that holds the key")
  add("--endpoint", help="openai: chat (default) or completion")
  add("--served_model", help="openai: how the server calls the model itself")
  add(
    "--extra_body",
    metavar="JSON",
    help="openai: an object that is merged into each request's body, such as"
    """ '{"reasoning_effort": "low"}'""",
  )
  add("--error_rate", type=float, help="builtin: share of flawed answers")
  add("--flaw", help="builtin: wrong_step (default), skipped_step, irrelevant…")
  add("--verbosity", help="builtin: terse, normal (default), verbose")
  add = parser.add_argument_group("how").add_argument
  add(
    "--style",
    default="few_shot",
    help="one of " + ", ".join(styles.STYLES) + "; default: %(default)s. The"
    " answers of few_shot must end in 'So the answer is X.'; docs/cache.md has"
    " the forms of the others",
  )
  add("--prompt", help="few_shot: a template's name or path, or a .jsonl file")
  add("--shuffle_exemplars", type=int, metavar="SEED", help="few_shot")
  add("--trigger", default="", help="zero_shot_two_step: 'the answer is'")
  add("--samples", type=int, default=1, help="completions an example")
  add_fields(add, styles.Sampling)
  add = parser.add_argument_group("again").add_argument
  add(
    "--retry_wrong",
    type=int,
    default=0,
    help="further attempts at a wrong answer",
  )
  add(
    "--hint_gold",
    action="store_true",
    help="as a last attempt, show the gold label",
  )
  add("--verify_with", help="a second teacher that judges the rationales")
  add("--verify_model", help="openai: the judge's model")
  add("--verify_base_url", help="openai: the judge's server")
  add("--verify_api_key_env", help="openai: the variable of the judge's key")
  add("--verify_price_in", type=float, help="--price_in of the judge")
  add("--verify_price_out", type=float, help="--price_out of the judge")
  add = parser.add_argument_group("how much").add_argument
  add(
    "--fraction",
    type=float,
    default=1.0,
    help="share of the examples: those of the same DATA_FRACTION in training",
  )
  add(
    "--data_seed",
    type=int,
    default=0,
    help="seed of --fraction, DATA_SEED in training; default: %(default)s",
  )
  add("--limit", type=int, help="maximum number of examples")
  add_fields(add, Limits)
  add_fields(add, RetryPolicy, _RETRY_FLAGS)
  add(
    "--max_cost", type=float, help="maximum cost in US dollars; stops before it"
  )
  add("--price_in", type=float, help="US dollars per million prompt tokens")
  add(
    "--price_out", type=float, help="US dollars per million completion tokens"
  )
  add("--prices", help="your own price table (docs/teachers.md)")
  add("--batch_api", action="store_true", help="openai: ask by batch files")
  add(
    "--poll_seconds",
    type=float,
    default=30.0,
    help="seconds between checks of a batch",
  )
  add("--journal_dir", help="default: <output_dir>/journal")
  add(
    "--plan", action="store_true", help="print requests and cost; send nothing"
  )
  add(
    "--allow_failures",
    action="store_true",
    help="leave out samples that the teacher failed to answer",
  )
  add(
    "--allow_unread",
    action="store_true",
    help="write the cache even if under a tenth of the first answers can be"
    " read",
  )


def create_teacher(options: argparse.Namespace) -> Teacher:
  """Returns the teacher that the flags name.

  Raises:
    UserError: There is none, or it lacks something.
  """
  given = {name: getattr(options, name) for name in _TEACHER_OPTIONS}
  if "seed" in interface.option_names(options.teacher):
    given["seed"] = options.seed
  if "send_stop" in interface.option_names(options.teacher):
    given["send_stop"] = options.stop is not None
  return _prepared(interface.create_teacher(options.teacher, **given), options)


def _prepared(teacher: Teacher, options: argparse.Namespace) -> Teacher:
  """Returns a teacher that has its key, but to plan, which needs none."""
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
  template = prompts.load_prompt(options.prompt or prompt)

  def style(drawn: styles.Sampling) -> styles.Style:
    return styles.create_style(
      options.style,
      rule,
      template,
      drawn,
      shuffle_seed=options.shuffle_exemplars,
      trigger=options.trigger,
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
    None,
    from_flags(options, Limits),
    from_flags(options, RetryPolicy, _RETRY_FLAGS),
    _price(options, teacher, ""),
    options.max_cost,
    further,
    _judge(options),
    options.poll_seconds if options.batch_api else None,
  )


def _judge(options: argparse.Namespace) -> attempts.Judge | None:
  given = {
    name: getattr(options, f"verify_{name}")
    for name in ("model", "base_url", "api_key_env")
  }
  if not options.verify_with:
    return None
  judge = _prepared(
    interface.create_teacher(options.verify_with, **given), options
  )
  return attempts.Judge(judge, _price(options, judge, "verify_"))


def _price(
  options: argparse.Namespace, teacher: Teacher, prefix: str
) -> prices.Price | None:
  """Returns what a teacher's tokens cost; its flags start with `prefix`."""
  if getattr(teacher, "free", False):
    return prices.FREE
  model, price_in, price_out = (
    getattr(options, prefix + name)
    for name in ("model", "price_in", "price_out")
  )
  flag = f"--{prefix}price"
  given = prices.given_price(model or "", flag, price_in, price_out)
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

  To plan, one that is not there yet is not made.
  """
  if getattr(teacher, "free", False) and not options.verify_with:
    return None
  folder = options.journal_dir or f"{directory}/journal"
  if options.plan and not pathlib.Path(folder).is_dir():
    return None
  return Journal(folder)


def content_flags(options: argparse.Namespace, parser: Parser) -> str:
  """Returns, for a message, the flags that decide what a split holds."""
  flags = [f"--teacher={options.teacher}"]
  for name in _CONTENT[1:]:
    value = getattr(options, name)
    if value is True:
      flags.append(f"--{name}")
    elif value != parser.get_default(name):
      values = value if isinstance(value, list) else [value]
      flags += [f"--{name}={one}" for one in values]
  return shlex.join(flags)
