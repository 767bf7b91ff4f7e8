"""Recall, precision and confusions, by hand."""

from distill.evaluation import classes


def confusion(*pairs):
  """Returns the table of targets and the answers that were read."""
  rows = [{"id": n, "target": target} for n, (target, _) in enumerate(pairs)]
  judged = [{"id": n, "answer": said} for n, (_, said) in enumerate(pairs)]
  return classes.confusion(rows, judged)


def test_a_class_has_recall_precision_and_what_it_is_taken_for():
  header, lines = confusion(
    *[("yes", "yes"), ("yes", "no"), ("no", "no"), ("no", "no"), ("no", "")],
    ("maybe", "no"),
  )
  assert header == [
    *("class", "examples", "recall %", "precision %"),
    *("said maybe", "said no", "said yes", "other"),
  ]
  assert lines == [
    ["maybe", "1", "0.0", "never said", "0", "1", "0", "0"],
    ["no", "3", "66.7", "50.0", "0", "2", "0", "1"],
    ["yes", "2", "50.0", "100.0", "0", "1", "1", "0"],
  ]


def test_one_answer_or_many_are_no_classes():
  assert confusion(("a", "a"), ("a", "b"))[1] == []
  assert confusion(*((str(n), str(n)) for n in range(13)))[1] == []
  assert len(confusion(*((str(n), str(n)) for n in range(12)))[1]) == 12
