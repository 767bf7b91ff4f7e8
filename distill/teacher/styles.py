"""Prompting styles: how an example's input becomes a rationale and an answer.

A style makes the requests of one example, sends them through a function, and
parses the responses. Its templates are versioned files in `prompts/`; a change
of wording is a new file.
"""

import dataclasses
import json
import random
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from distill import errors
from distill.answers import completions, finish_reasons, rules
from distill.teacher import prompts
from distill.teacher.interface import AskingError, AskOne, Request, Response

# A few-shot completion is over where the model invents the next question.
_NEXT_QUESTION = "\nQ:"
_STEPS = "\n---\n"


@dataclass(frozen=True)
class Sampling:
  """How completions are sampled: the fields of `Request` with these names.

  Attributes:
    temperature: Sampling temperature; 0 is greedy.
    max_tokens: The most tokens of a completion.
    stop: Strings before which a completion ends; `--stop=` is none. Default:
      the style's (few_shot ends at the next 'Q:', which is not sent to chat
      servers).
    top_p: The share of probability that sampling draws from.
    seed: Seeds the sampling, and the built-in teacher's errors.
    logprobs: Whether to keep the log-probabilities of tokens.
  """

  temperature: float = 0.0
  max_tokens: int = 256
  stop: tuple[str, ...] | None = None
  top_p: float = 1.0
  seed: int | None = None
  logprobs: bool = False

  def request(self, prompt: str, sample: int, **changes: Any) -> Request:
    """Returns the request for one sample of a prompt's completion."""
    options = {**self.__dict__, "stop": self.stop or (), **changes}
    return Request(prompt, sample, **options)


@dataclass(frozen=True)
class Completion:
  """A style's result for one sample of one example.

  Attributes:
    text: The raw text of all steps.
    rationale: The reasoning, '' where it could not be parsed or was cut short.
    answer: The answer, '' in the same cases.
    finish_reason: Of the first step that was cut short, or else of the last.
    prompt_tokens: Over all steps.
    completion_tokens: Over all steps.
    logprobs: One for each completion token, None where a step has none.
    reasoning: The thoughts of a reasoning model before its answer.
  """

  text: str
  rationale: str
  answer: str
  finish_reason: str
  prompt_tokens: int
  completion_tokens: int
  logprobs: tuple[float, ...] | None = None
  reasoning: str = ""


class Style(Protocol):
  """A way to prompt. The manifest has `name` and `sha256`, of its files.

  `form` says, for messages, what its completions should look like.
  """

  name: str
  sha256: str
  form: str

  async def complete(self, input: str, sample: int, ask: AskOne) -> Completion:
    """Returns one sample for one input; raises what `ask` raises."""


def _completion(
  steps: list[Response], text: str, rationale: str, answer: str
) -> Completion:
  """Returns the sum of the steps; nothing is parsed if one was cut short."""
  reason = finish_reasons.joined([step.finish_reason for step in steps])
  whole = finish_reasons.is_whole(reason)
  logprobs = [step.logprobs for step in steps if step.logprobs is not None]
  return Completion(
    text=text,
    rationale=rationale if whole else "",
    answer=answer if whole else "",
    finish_reason=reason,
    prompt_tokens=sum(step.prompt_tokens for step in steps),
    completion_tokens=sum(step.completion_tokens for step in steps),
    logprobs=sum(logprobs, ()) if len(logprobs) == len(steps) else None,
    reasoning="\n\n".join(filter(None, (step.reasoning for step in steps))),
  )


def _parse(response: Response, rule: rules.AnswerRule, form: str) -> Completion:
  """Returns the completion of a style of one step."""
  parsed = completions.parse_completion(response.text, rule, form)
  return _completion([response], response.text, parsed.rationale, parsed.answer)


@dataclass
class FewShot:
  """Exemplars, then the question (Hsieh et al. 2023, 3.1; Li et al. 2023).

  Attributes:
    template: Exemplars that start with 'Q:', a blank line between any two.
    rule: Parses the answer.
    sampling: How completions are sampled; 'Q:' stops them unless it has a stop.
    shuffle_seed: None keeps the order of the exemplars. Otherwise each input
      and sample has an order of its own, which it and the seed decide.
  """

  template: prompts.PromptTemplate
  rule: rules.AnswerRule
  sampling: Sampling = field(default_factory=Sampling)
  shuffle_seed: int | None = None

  def __post_init__(self) -> None:
    stop = self.sampling.stop
    self._stop = (_NEXT_QUESTION,) if stop is None else stop
    if self.shuffle_seed is not None:
      by = f"shuffle_seed={self.shuffle_seed}"
      self.template = self.template.changed(by)
    self.name, self.sha256 = self.template.name, self.template.sha256
    answer = rules.form_of(self.rule).text
    self.form = f'a rationale, then "So the answer is X." (X: {answer})'

  def prompt(self, input: str, sample: int) -> str:
    """Returns the whole prompt."""
    if self.shuffle_seed is None:
      return self.template.render(input)
    *shots, asked = re.split(r"\n\n(?=Q:)", self.template.text)
    # Instructions before the first exemplar stay where they are.
    first = [] if not shots or shots[0].startswith("Q:") else [shots.pop(0)]
    random.Random(f"{self.shuffle_seed}/{sample}/{input}").shuffle(shots)
    return "\n\n".join([*first, *shots, asked.replace(prompts.HOLE, input)])

  async def complete(self, input: str, sample: int, ask: AskOne) -> Completion:
    """Returns the completion, parsed at its 'So the answer is'."""
    prompt = self.prompt(input, sample)
    request = self.sampling.request(prompt, sample, stop=self._stop)
    rule = rules.rule_for(self.rule, input)
    return _parse(await ask(request), rule, "sentence")


@dataclass
class ZeroShotTwoSteps:
  """Reason, then extract the answer (Ho et al. 2023, 3; Kojima et al. 2022).

  Attributes:
    rule: Parses the answer, and chooses the trigger unless one is given.
    sampling: How completions are sampled.
    trigger: The end of the second prompt, such as 'the answer is'.
  """

  rule: rules.AnswerRule
  sampling: Sampling = field(default_factory=Sampling)
  trigger: str = ""

  def __post_init__(self) -> None:
    template = prompts.load_prompt("zero_shot_two_step_v1")
    answer = rules.form_of(self.rule)
    self.trigger = self.trigger or f"the answer{answer.kind} is"
    named = template.changed(self.trigger)
    self.name, self.sha256 = named.name, named.sha256
    self.form = f'"Therefore, {self.trigger} X." (X: {answer.text})'
    self._reason, self._extract = template.text.split(_STEPS)

  async def complete(self, input: str, sample: int, ask: AskOne) -> Completion:
    """Returns both completions; without reasoning there is no second one."""
    asked = prompts.fill(self._reason, input=input)
    first = await ask(self.sampling.request(asked, sample))
    reasoning = completions.split_thinking(first.text)[1].strip()
    if not finish_reasons.is_whole(first.finish_reason) or not reasoning:
      return _completion([first], first.text, "", "")
    extract = prompts.fill(
      self._extract, asked=asked, reasoning=reasoning, trigger=self.trigger
    )
    second = await ask(self.sampling.request(extract, sample))
    rule = rules.rule_for(self.rule, input)
    answer = completions.read_answer(second.text, rule)
    text = reasoning + extract.removeprefix(f"{asked} {reasoning}")
    return _completion([first, second], text + second.text, reasoning, answer)


@dataclass
class ZeroShotOneStep:
  """Reasoning and answer in one completion, between tags."""

  rule: rules.AnswerRule
  sampling: Sampling = field(default_factory=Sampling)

  _file: ClassVar = "zero_shot_one_step_v1"
  _layout: ClassVar = "<rationale>…</rationale> <answer>X</answer>"

  def __post_init__(self) -> None:
    self._template = prompts.load_prompt(self._file)
    self.name, self.sha256 = self._template.name, self._template.sha256
    self._answer = rules.form_of(self.rule).text
    self.form = f"{self._layout} (X: {self._answer})"

  def prompt(self, input: str) -> str:
    """Returns the whole prompt."""
    text = self._template.text
    return prompts.fill(text, input=input, form=self._answer)

  async def complete(self, input: str, sample: int, ask: AskOne) -> Completion:
    """Returns the completion, parsed at its tags."""
    response = await ask(self.sampling.request(self.prompt(input), sample))
    return _parse(response, rules.rule_for(self.rule, input), "tags")


@dataclass
class Structured(ZeroShotOneStep):
  """A JSON object by a schema; between tags where the server has no schemas."""

  _file: ClassVar = "structured_v1"
  _layout: ClassVar = '{"rationale": "…", "answer": "X"}'

  def __post_init__(self) -> None:
    super().__post_init__()
    self._fallback = ZeroShotOneStep(self.rule, self.sampling)
    self._refused = False

  async def complete(self, input: str, sample: int, ask: AskOne) -> Completion:
    """Returns the completion, parsed as JSON."""
    rule = rules.rule_for(self.rule, input)
    if not self._refused:
      request = self.sampling.request(
        self.prompt(input), sample, schema=_schema(rule)
      )
      try:
        return _parse(await ask(request), rule, "json")
      except AskingError as error:
        if error.kind != "unsupported":
          raise
        self._refused = True
    return await self._fallback.complete(input, sample, ask)


def _schema(rule: rules.AnswerRule) -> str:
  """Returns the JSON schema of a rationale and an answer, as text."""
  answer: dict[str, Any] = {"type": "string"}
  values = rules.form_of(rule).values
  if values:
    answer["enum"] = list(values)
  # The rationale first: a model that answers first reasons for its answer.
  schema = {
    "type": "object",
    "properties": {"rationale": {"type": "string"}, "answer": answer},
    "required": ["rationale", "answer"],
    "additionalProperties": False,
  }
  return json.dumps(schema)


STYLES: dict[str, Any] = {
  "few_shot": FewShot,
  "zero_shot_two_step": ZeroShotTwoSteps,
  "zero_shot_one_step": ZeroShotOneStep,
  "structured": Structured,
}


@dataclass(frozen=True)
class StyleOptions:
  """Which style, and the options that only some styles have.

  Attributes:
    style: The prompting style: few_shot, zero_shot_two_step,
      zero_shot_one_step or structured. The answers of few_shot must end in 'So
      the answer is X.'; docs/cache.md has the forms of the others.
    prompt: few_shot: the name or the path of a template, or a .jsonl file of
      exemplars; default: the dataset's own.
    shuffle_exemplars: few_shot: the seed of an order of the exemplars for each
      input and sample.
    trigger: zero_shot_two_step: the end of the second prompt, such as 'the
      answer is'; default: by the answer rule.
  """

  style: str = "few_shot"
  prompt: str = ""
  shuffle_exemplars: int | None = None
  trigger: str = ""


def create_style(
  options: StyleOptions,
  rule: rules.AnswerRule,
  template: prompts.PromptTemplate,
  sampling: Sampling | None = None,
) -> Style:
  """Returns one of `STYLES`.

  Args:
    options: The style and its options, except the prompt.
    rule: Parses the answers.
    template: The exemplars of `few_shot`.
    sampling: How completions are sampled.

  Raises:
    UserError: There is no such style, or an option is another style's.
  """
  if options.style not in STYLES:
    raise errors.unknown("prompting style", options.style, STYLES)
  style = STYLES[options.style]
  values = {
    "template": template,
    "rule": rule,
    "sampling": sampling or Sampling(),
    "shuffle_seed": options.shuffle_exemplars,
    "trigger": options.trigger,
  }
  known = {each.name for each in dataclasses.fields(style)}
  for name, what in (("shuffle_seed", "exemplars"), ("trigger", "trigger")):
    if values[name] not in (None, "") and name not in known:
      raise errors.UserError(f"The style '{options.style}' has no {what}.")
  return style(**{key: values[key] for key in values if key in known})
