"""A teacher that needs no model: it solves the question in the prompt."""

import json
import random
import re
from dataclasses import dataclass
from typing import ClassVar

from distill.errors import UserError
from distill.teacher.builtin import (
  chained_arithmetic,
  coin_flip,
  last_letters,
  tracking_shuffled_objects,
  wordings,
)
from distill.teacher.builtin.solution import Solution, Solver
from distill.teacher.interface import Request, Response

SOLVERS: tuple[Solver, ...] = (
  last_letters.solve,
  coin_flip.solve,
  tracking_shuffled_objects.solve,
  chained_arithmetic.solve,
)
_TOKEN = re.compile(r"\S+")


@dataclass(frozen=True)
class BuiltinTeacher:
  """Answers as a language model would: reasoning, 'So the answer is …'.

  It sees the prompt alone and answers its last question, the text between the
  last line that starts with 'Q:' and the next with 'A:', in the form that the
  prompt asks for: reasoning alone, an answer alone, tags, JSON. What it cannot
  solve it says it does not know. Same request, same response.

  Attributes:
    error_rate: The share of questions, in [0, 1], whose explanation is flawed.
    seed: Chooses, with a question's text and the request's `sample`, which
      questions go wrong and how.
    verbosity: `terse` (each step's result alone), `normal` or `verbose`.
    flaw: `wrong_step` (one step is broken, and the answer therefore wrong),
      or one that leaves the answer right: `skipped_step`, `irrelevant` (a
      sentence has nothing to do with it), `answer_first` (the reasoning says
      its answer before its reasons); `none`.
  """

  free: ClassVar[bool] = True

  error_rate: float = 0.0
  seed: int = 0
  verbosity: str = "normal"
  flaw: str = "wrong_step"

  def __post_init__(self) -> None:
    for name, value, known in (
      ("verbosity", self.verbosity, wordings.VERBOSITIES),
      ("flaw", self.flaw, wordings.FLAWS),
    ):
      if value not in known:
        raise UserError(
          f"The built-in teacher has no such {name}.",
          expected="one of " + ", ".join(known),
          found=str(value),
        )
    # A flaw that was asked for and never shows would mislead.
    never = self.flaw not in ("none", "wrong_step") and self.error_rate == 0
    if never or not 0 <= self.error_rate <= 1:
      raise UserError(
        f"The built-in teacher cannot err at this rate with flaw={self.flaw}.",
        expected="an error_rate from 0 to 1, above 0 with a flaw",
        found=str(self.error_rate),
      )

  @property
  def name(self) -> str:
    """Returns 'builtin', with what changes its answers."""
    told = []
    if self.error_rate and self.flaw != "none":
      told += [f"error_rate={self.error_rate:g}", f"seed={self.seed}"]
      if self.flaw != "wrong_step":
        told.append(f"flaw={self.flaw}")
    if self.verbosity != "normal":
      told.append(f"verbosity={self.verbosity}")
    return "builtin" + (f"({','.join(told)})" if told else "")

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
    texts = wordings.VERBOSITIES[self.verbosity](solution)
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
    return wordings.FLAWS[self.flaw](solution, chance)


def solve(
  question: str, mistake: random.Random | None = None
) -> Solution | None:
  """Returns a question's solution, as `Solver` says, by whatever solver."""
  for solver in SOLVERS:
    solution = solver(question, mistake)
    if solution is not None:
      return solution
  return None


def _last_question(prompt: str) -> str:
  asked = f"\n{prompt}".rpartition("\nQ:")[2]
  return asked.partition("\nA:")[0].strip()
