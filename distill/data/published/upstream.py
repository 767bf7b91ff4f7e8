"""How the papers' own code scores a student, as answer rules by name.

For `rules=` of a family whose published rule is flawed (exact text, floats
without a tolerance, any capital letter): ours stays the metric `accuracy`.
"""

from dataclasses import dataclass

from distill.teacher import parsers


@dataclass(frozen=True)
class UpstreamAnswer:
  """A published system's reading and comparison of a student's answer.

  Attributes:
    parser: Its name in `parsers.PARSERS`.
    before: What that parser expects in front of an answer. None: the system
      compares the student's text as it is.
  """

  parser: str
  before: str | None = None

  def parse(self, text: str) -> str | None:
    """Returns the answer as that code reads it, None if there is none."""
    if self.before is not None:
      parser = parsers.find_parser(self.parser)
      text = parser.parse(f"{self.before} {text}").answer
    return text or None

  def equal(self, a: str, b: str) -> bool:
    """Returns whether that code counts `a` as the gold label `b`."""
    return parsers.find_parser(self.parser).equal(a, b)


def step_by_step(data: str) -> dict[str, UpstreamAnswer]:
  """Returns the rule of Distilling Step-by-Step for a set: text, or `eval`."""
  return {"upstream": UpstreamAnswer(f"dss_{data}")}


def fine_tune_cot(data: str) -> dict[str, UpstreamAnswer]:
  """Returns the rule of Fine-tune-CoT for a set: the first candidate."""
  return {
    "upstream": UpstreamAnswer(f"fine_tune_cot_{data}_ft_cot_token", "-->")
  }
