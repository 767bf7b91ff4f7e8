"""Prompting styles: how an example's input becomes a rationale and an answer.

A style makes the requests of one example, through a function that answers
them, and reads what comes back. Its templates are versioned files in
`prompts/`; a change of wording is a new file.
"""

import json
import random
import re
from dataclasses import dataclass, field
from typing import Any, Protocol

from distill.answers import completions, finish_reasons, rules
from distill.errors import UserError
from distill.teacher import prompts
from distill.teacher.interface import AskingError, AskOne, Request, Response

STYLES = (
  "few_shot",
  "zero_shot_two_step",
  "zero_shot_one_step",
  "structured",
)
# A few-shot completion is over where the model invents the next question.
_NEXT_QUESTION = "\nQ:"
_STEPS = "\n---\n"


@dataclass(frozen=True)
class Sampling:
  """How completions are drawn: what `Request` says of the same names.

  `stop` None leaves it to the style; () lets nothing stop a completion.
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
  """What a style got for one sample of one example.

  Attributes:
    text: The raw text of all steps.
    rationale: The reasoning, '' where it could not be read or was cut short.
    answer: The answer, '' likewise.
    finish_reason: Of the first step that was not whole, else the last one's.
    prompt_tokens: Over all steps.
    completion_tokens: Over all steps.
    logprobs: One a completion token, None where a step has none.
    reasoning: What a reasoning model thought before it answered.
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
  """A way to ask. `name` and `sha256`, of its files, are in the manifest.

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
  """Returns what the steps amount to; nothing is read if one was cut short."""
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


def _read(response: Response, rule: rules.AnswerRule, form: str) -> Completion:
  """Returns the completion of a style of one step."""
  parsed = completions.parse_completion(response.text, rule, form)
  return _completion([response], response.text, parsed.rationale, parsed.answer)


@dataclass
class FewShot:
  """Exemplars, then the question (Hsieh et al. 2023, 3.1; Li et al. 2023).

  Attributes:
    template: Exemplars that start with 'Q:', a blank line between any two.
    rule: Reads the answer.
    sampling: How completions are drawn; 'Q:' stops them unless it says other.
    shuffle_seed: None keeps the exemplars' order. Else each input and sample
      has an order of its own, that it and the seed decide.
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
    self.form = (
      f'a rationale, then "So the answer is X." (X: {_form(self.rule)})'
    )

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
    """Returns the completion, read at its 'So the answer is'."""
    request = self.sampling.request(
      self.prompt(input, sample), sample, stop=self._stop
    )
    rule = rules.rule_for(self.rule, input)
    return _read(await ask(request), rule, "sentence")


@dataclass
class ZeroShotTwoSteps:
  """Reason, then extract the answer (Ho et al. 2023, 3; Kojima et al. 2022).

  Attributes:
    rule: Reads the answer, and chooses the trigger unless one is given.
    sampling: How completions are drawn.
    trigger: What the second prompt ends in, as 'the answer is'.
  """

  rule: rules.AnswerRule
  sampling: Sampling = field(default_factory=Sampling)
  trigger: str = ""

  def __post_init__(self) -> None:
    template = prompts.load_prompt("zero_shot_two_step_v1")
    self.trigger = self.trigger or f"the answer{_kind(self.rule)} is"
    named = template.changed(self.trigger)
    self.name, self.sha256 = named.name, named.sha256
    self.form = f'"Therefore, {self.trigger} X." (X: {_form(self.rule)})'
    self._reason, self._extract = template.text.split(_STEPS)

  async def complete(self, input: str, sample: int, ask: AskOne) -> Completion:
    """Returns both completions; without reasoning nothing is extracted."""
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

  def __post_init__(self) -> None:
    self._template = prompts.load_prompt("zero_shot_one_step_v1")
    self.name, self.sha256 = self._template.name, self._template.sha256
    self.form = (
      f"<rationale>…</rationale> <answer>X</answer> (X: {_form(self.rule)})"
    )

  async def complete(self, input: str, sample: int, ask: AskOne) -> Completion:
    """Returns the completion, read at its tags."""
    prompt = prompts.fill(
      self._template.text, input=input, form=_form(self.rule)
    )
    response = await ask(self.sampling.request(prompt, sample))
    return _read(response, rules.rule_for(self.rule, input), "tags")


@dataclass
class Structured:
  """A JSON object by a schema; between tags where the server has no schemas."""

  rule: rules.AnswerRule
  sampling: Sampling = field(default_factory=Sampling)

  def __post_init__(self) -> None:
    self._template = prompts.load_prompt("structured_v1")
    self.name, self.sha256 = self._template.name, self._template.sha256
    self.form = f'{{"rationale": "…", "answer": "X"}} (X: {_form(self.rule)})'
    self._otherwise = ZeroShotOneStep(self.rule, self.sampling)
    self._refused = False

  async def complete(self, input: str, sample: int, ask: AskOne) -> Completion:
    """Returns the completion, read as JSON."""
    rule = rules.rule_for(self.rule, input)
    if not self._refused:
      prompt = prompts.fill(
        self._template.text, input=input, form=_form(self.rule)
      )
      request = self.sampling.request(prompt, sample, schema=_schema(rule))
      try:
        return _read(await ask(request), rule, "json")
      except AskingError as error:
        if error.kind != "unsupported":
          raise
        self._refused = True
    return await self._otherwise.complete(input, sample, ask)


def _schema(rule: rules.AnswerRule) -> str:
  """Returns the JSON schema of a rationale and an answer, as text."""
  answer: dict[str, Any] = {"type": "string"}
  if isinstance(rule, rules.ChoiceAnswer):
    answer["enum"] = list(dict.fromkeys(rule.choices))
  elif isinstance(rule, rules.YesNoAnswer):
    answer["enum"] = ["yes", "no"]
  # The rationale first: a model that answers first reasons for its answer.
  schema = {
    "type": "object",
    "properties": {"rationale": {"type": "string"}, "answer": answer},
    "required": ["rationale", "answer"],
    "additionalProperties": False,
  }
  return json.dumps(schema)


def _form(rule: rules.AnswerRule) -> str:
  """Returns what an answer is to look like, for a prompt."""
  match rule:
    case rules.NumberAnswer():
      return "the answer as a number"
    case rules.YesNoAnswer():
      return "yes or no"
    case rules.ChoiceAnswer(choices):
      return "one of: " + ", ".join(choices)
    case rules.ListedChoiceAnswer():
      return "the letter and the text of one choice"
    case rules.ExpressionAnswer():
      return "the answer as an arithmetic expression of the question's numbers"
  return "the answer alone"


def _kind(rule: rules.AnswerRule) -> str:
  """Returns what a trigger says of the answer's kind (Kojima et al. 2022)."""
  match rule:
    case rules.NumberAnswer():
      return " (arabic numerals)"
    case rules.YesNoAnswer():
      return " (yes or no)"
    case rules.ChoiceAnswer(choices):
      return f" ({', '.join(choices[:-1])} or {choices[-1]})"
    case rules.ListedChoiceAnswer():
      return " (the letter of one choice)"
    case rules.ExpressionAnswer():
      return " (an arithmetic expression)"
  return ""


def create_style(
  name: str,
  rule: rules.AnswerRule,
  template: prompts.PromptTemplate,
  sampling: Sampling | None = None,
  *,
  shuffle_seed: int | None = None,
  trigger: str = "",
) -> Style:
  """Returns one of `STYLES`.

  Args:
    name: Which one.
    rule: Reads the answers.
    template: The exemplars of `few_shot`.
    sampling: How completions are drawn.
    shuffle_seed: Shuffles the exemplars of `few_shot`.
    trigger: What asks for the answer in `zero_shot_two_step`; '' is by `rule`.

  Raises:
    UserError: There is no such style, or an option is another style's.
  """
  sampling = sampling or Sampling()
  if shuffle_seed is not None and name != "few_shot":
    raise UserError(f"The style '{name}' has no exemplars to shuffle.")
  if trigger and name != "zero_shot_two_step":
    raise UserError(f"The style '{name}' has no trigger.")
  if name == "few_shot":
    return FewShot(template, rule, sampling, shuffle_seed)
  if name == "zero_shot_two_step":
    return ZeroShotTwoSteps(rule, sampling, trigger)
  if name == "zero_shot_one_step":
    return ZeroShotOneStep(rule, sampling)
  if name == "structured":
    return Structured(rule, sampling)
  raise UserError(
    f"There is no prompting style '{name}'.",
    expected="one of " + ", ".join(STYLES),
  )
