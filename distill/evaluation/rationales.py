"""Students' rationales: their right steps, and the labels they lead to."""

import re
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import seqio

from distill.answers import completions, rules
from distill.data import metrics, pipeline, registration
from distill.evaluation.evaluator import Evaluator
from distill.teacher.builtin import explanations

_CHAINS = ("_cot", "_scotd", "_answer_first")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
Texts = Mapping[Any, str]


def evaluate(
  scorer: Evaluator,
  params: Any,
  config: pipeline.DatasetConfig,
  decode: bool = True,
) -> dict[str, float]:
  """Returns the metrics of rationales, after `scorer.evaluate`.

  Of chains of thought there are those of `steps`, as `<data>_cot/…`. Of a
  mixture that has a label and a rationale task these are asked for rationales
  too: `<data>_rationale/…` and `agreement`, as `<data>/…`.

  Args:
    scorer: Has evaluated the parameters.
    params: The model's parameters, on the mesh.
    config: What the scorer was given.
    decode: Whether the rationale task is decoded. Chains of thought have been
      decoded by the scorer, and are judged in any case.
  """
  found: dict[str, dict[str, float]] = {}
  parts = {task.name: task for task in seqio.get_subtasks(config.provider())}
  for name, family in registration.FAMILIES.items():
    asked, kinds = f"{name}_rationale", tuple(name + kind for kind in _CHAINS)
    chains = [task for task in scorer.tasks if task.startswith(kinds)]
    labels = [task for task in scorer.tasks if task.startswith(f"{name}_label")]
    decodes = bool(decode and labels and asked in parts)
    if not chains and not decodes:
      continue
    examples = family.dataset.examples(config.split)
    questions = {example.id: example.input for example in examples}
    for chain in chains:
      said = {
        key: reasoning(family.answer_rule, output)
        for key, output in _best(scorer.rows[chain]).items()
      }
      found[chain] = steps(questions, said)
    if decodes:
      said = scorer.ask(params, parts[asked])
      labelled = _best(scorer.rows[labels[0]])
      found[asked] = steps(questions, said)
      found[name] = agreement(family.answer_rule, questions, said, labelled)
  return {
    f"{task}/{name}": value
    for task, values in found.items()
    for name, value in values.items()
  }


def _best(rows: Sequence[Mapping[str, Any]]) -> dict[Any, str]:
  """Returns each whole output by the example's id, the first of several."""
  outputs = {row["id"]: row.get("output", row["prediction"]) for row in rows}
  return {
    key: said if isinstance(said, str) else said[0]
    for key, said in outputs.items()
  }


def reasoning(rule: rules.AnswerRule, output: str) -> str:
  """Returns the rationale of a chain of thought, all of one without answer."""
  before = output.rpartition(metrics.ANSWER_ARROW)[0]
  after = output.partition(metrics.EXPLANATION)[2]
  parsed = completions.parse_completion(output, rule)
  return before or after or parsed.rationale or output


def steps(questions: Texts, rationales: Texts) -> dict[str, float]:
  """Returns how far rationales are right, {} where no solver can tell.

  `right_rationales` is the percentage that is right throughout, and
  `first_wrong_step` the mean 0-based step at which the others first go wrong.
  """
  found = (
    explanations.progress(questions[k], said) for k, said in rationales.items()
  )
  known = [progress for progress in found if progress]
  wrong = [step for step, right in known if not right]
  share = {"right_rationales": 100 * (1 - len(wrong) / max(1, len(known)))}
  first = {"first_wrong_step": fmean(wrong)} if wrong else {}
  return share | first if known else {}


def agreement(
  rule: rules.AnswerRule, questions: Texts, rationales: Texts, labels: Texts
) -> dict[str, float]:
  """Returns `consistency`: rationales that lead to the student's own label.

  It is a percentage of all, as is `concluding_rationales`, of which an answer
  can be read.
  """
  same, read = 0, 0
  for key, said in rationales.items():
    known = rules.rule_for(rule, questions[key])
    answer, label = concluded(known, questions[key], said), labels.get(key)
    read += answer is not None
    if answer is not None and label is not None:
      same += known.equal(answer, known.parse(label) or "")
  total = max(1, len(rationales))
  return {
    "consistency": 100 * same / total,
    "concluding_rationales": 100 * read / total,
  }


def concluded(
  rule: rules.AnswerRule, question: str, rationale: str
) -> str | None:
  """Returns the answer that a rationale leads to, None where none is read.

  It is what the rationale calls its answer; on procedural questions, where its
  steps end; else its last number, or what the rule reads in its last sentence.
  """
  answer = completions.parse_completion(rationale, rule).answer
  if answer:
    return answer
  conclusion = getattr(rule, "conclusion", None)
  if conclusion is not None:
    return conclusion(rationale)
  ended = explanations.conclusion(question, rationale)
  return ended or rule.parse(_SENTENCE_END.split(rationale.strip())[-1])
