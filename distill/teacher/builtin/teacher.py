"""A teacher that needs no model: it solves the question in the prompt."""

import json
import random
import re
from dataclasses import dataclass
from typing import ClassVar

from distill import errors
from distill.teacher.builtin import explanations
from distill.teacher.builtin.solvers import Solution, solve
from distill.teacher.interface import Request, Response

_TOKEN = re.compile(r"\S+")


@dataclass(frozen=True)
class BuiltinTeacher:
  """Answers as a language model would: reasoning, 'So the answer is …'.

  It sees only the prompt. It answers the last question in it: the text between
  the last line that starts with 'Q:' and the next line that starts with 'A:'.
  The answer has the form that the prompt asks for: reasoning alone, an answer
  alone, tags or JSON. For a question that no solver reads it says that it does
  not know. The same request always gets the same response.

  Attributes:
    error_rate: The share of questions, in [0, 1], whose explanation is flawed.
    seed: Chooses, with a question's text and the request's `sample`, which
      questions get a flaw and how.
    verbosity: `terse` (only the result of each step), `normal` or `verbose`.
    flaw: `wrong_step` (one step, and therefore the answer, is wrong), `none`,
      or a flaw that leaves the answer right: `skipped_step`, `irrelevant` (an
      unrelated sentence), `answer_first` (the answer precedes its reasons).
  """

  free: ClassVar[bool] = True

  error_rate: float = 0.0
  seed: int = 0
  verbosity: str = "normal"
  flaw: str = "wrong_step"

  def __post_init__(self) -> None:
    for name, value, known in (
      ("verbosity", self.verbosity, explanations.VERBOSITIES),
      ("flaw", self.flaw, explanations.FLAWS),
    ):
      if value not in known:
        raise errors.unknown(name, value, known)
    # A flaw that is given and never made would mislead.
    never = self.flaw not in ("none", "wrong_step") and self.error_rate == 0
    errors.require(
      "--error_rate",
      self.error_rate,
      0 <= self.error_rate <= 1 and not never,
      "from 0 to 1, above 0 with --flaw",
    )

  @property
  def name(self) -> str:
    """Returns 'builtin', with what changes its answers."""
    options = []
    if self.error_rate and self.flaw != "none":
      options += [f"error_rate={self.error_rate:g}", f"seed={self.seed}"]
      if self.flaw != "wrong_step":
        options.append(f"flaw={self.flaw}")
    if self.verbosity != "normal":
      options.append(f"verbosity={self.verbosity}")
    return "builtin" + (f"({','.join(options)})" if options else "")

  async def complete(self, request: Request) -> Response:
    """Returns a completion; its tokens are words between whitespace."""
    text = self._answer(request)
    for stop in request.stop:
      text = text.split(stop, maxsplit=1)[0]
    tokens = list(_TOKEN.finditer(text))
    finish_reason = "stop"
    if len(tokens) > request.max_tokens:
      tokens = tokens[: request.max_tokens]
      text = text[: tokens[-1].end()] if tokens else ""
      finish_reason = "length"
    return Response(
      text, finish_reason, len(_TOKEN.findall(request.prompt)), len(tokens)
    )

  def _answer(self, request: Request) -> str:
    solution = self._solve(_last_question(request.prompt), request.sample)
    if solution is None:
      return " I do not know how to answer this question."
    texts = explanations.VERBOSITIES[self.verbosity](solution)
    reasoning, answer = " ".join(texts), solution.answer
    instructions, _, asked = request.prompt.rpartition("\nQ:")
    begun = asked.rpartition("\nA:")[2]
    if request.schema:
      return json.dumps({"rationale": reasoning, "answer": answer})
    if "<rationale>" in instructions:
      return f" <rationale>{reasoning}</rationale>\n<answer>{answer}</answer>"
    if "\nTherefore," in begun:
      return f" {answer}."
    if begun.endswith("step by step."):
      return f" {reasoning}"
    return f" {reasoning} So the answer is {answer}."

  def _solve(self, question: str, sample: int) -> Solution | None:
    # A string seeds by its SHA-512: the same in every process.
    chance = random.Random(f"{self.seed}/{sample}/{question}")
    flawed = chance.random() < self.error_rate
    mistake = chance if flawed and self.flaw == "wrong_step" else None
    solution = solve(question, mistake)
    if solution is None or not flawed:
      return solution
    return explanations.FLAWS[self.flaw](solution, chance)


def _last_question(prompt: str) -> str:
  asked = f"\n{prompt}".rpartition("\nQ:")[2]
  return asked.partition("\nA:")[0].strip()
