"""Sentences and tables of the page, by hand."""

from distill.reporting import summaries
from distill.reporting.material import Evaluation, Run


def evaluation(pairs, name="mine", seed=0):
  """Returns one whose rows have a target and the answer that was read."""
  return Evaluation(
    name=name,
    seed=seed,
    task="nli_label",
    split="test",
    rows=[
      {"id": str(n), "target": target, "prediction": said}
      for n, (target, said) in enumerate(pairs)
    ],
    judged=[
      {"id": str(n), "right": int(target == said), "answer": said}
      for n, (target, said) in enumerate(pairs)
    ],
    rationales={},
  )


def test_many_answers_are_no_classes_and_the_first_seed_counts():
  many = [(str(n), str(n)) for n in range(20)]
  assert not summaries.of_classes([evaluation(many)])
  seeds = [
    evaluation([("a", "b"), ("b", "b")], seed=1),
    evaluation([("a", "a"), ("b", "b")], seed=0),
  ]
  [table] = summaries.of_classes(seeds)
  assert [line[2] for line in table.lines] == ["100.0", "100.0"]


def row(right, agrees):
  return {
    **{"task": "nli", "split": "test"},
    "teachers": [{"agrees": a} for a in agrees],
    "students": [{"student": "s", "right": right}],
  }


def test_errors_of_the_student_alone_are_counted():
  rows = [row(0, [1]), row(0, [0]), row(1, [1]), row(0, [0, 1])]
  [said] = summaries.against_teacher(rows)
  assert said.startswith("nli, test: s is wrong on 2 of 4 examples")


def test_without_a_teacher_on_the_test_it_says_how_to_ask():
  [said] = summaries.against_teacher([row(0, [])])
  assert "distill cache ask --split=test" in said


def test_a_run_shows_its_last_values():
  run = Run(
    "r", [{"step": 10, "loss": 0.5}], [{"step": 10, "a/accuracy": 7}], 20
  )
  table = summaries.of_run(run)
  assert table.lines == [
    ["step", "10 of 20"],
    ["loss", "0.5"],
    ["validation a/accuracy", "7"],
  ]
