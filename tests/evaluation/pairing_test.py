"""Two evaluations of the same examples: who is ahead, and where."""

import json

import pytest

from distill import errors
from distill.evaluation import pairing


def judged(rights):
  return [{"id": f"e{i}", "right": right} for i, right in enumerate(rights)]


def test_the_difference_is_that_of_the_pairs():
  ours = judged([1] * 12 + [0] * 8)
  theirs = judged([0] * 9 + [1] * 4 + [0] * 7)
  text = pairing.compare(ours, theirs)
  # 9 won, 1 lost of 20: +0.4 ± 1.96 · √((10/20 - 0.4²) / 20) = 0.4 ± 0.2556;
  # p = 2 · (1 + 10) / 2¹⁰.
  assert text.splitlines() == [
    "+40.0 points on 20 common examples, 95% interval +14.4 to +65.6, p 0.021",
    "  right only here: 9 (e0, e1, e2, e3, e4, e5, e6, e7, e8)",
    "  right only there: 1 (e12)",
  ]


def test_equal_results_have_no_difference_and_name_no_example():
  assert pairing.compare(judged([1, 0]), judged([1, 0])).splitlines() == [
    "+0.0 points on 2 common examples, 95% interval +0.0 to +0.0, p 1.000",
    "  right only here: 0",
    "  right only there: 0",
  ]


def test_many_examples_are_counted_and_ten_named():
  text = pairing.compare(judged([1] * 12), judged([0] * 12))
  assert "right only here: 12 (e0, e1, e2, e3, e4, e5, e6, e7, e8, e9" in text
  assert "e9 and 2 more)" in text


def test_examples_are_matched_by_their_id():
  text = pairing.compare(judged([1, 0, 1]), judged([1, 0, 1])[::-1][:2])
  assert text.startswith("+0.0 points on 2 common examples")


def test_other_examples_cannot_be_compared():
  other = [{"id": "x", "right": 1}]
  with pytest.raises(errors.UserError, match="no example in common"):
    pairing.compare(judged([1]), other)


@pytest.mark.parametrize(
  "line", ["{", "[]", json.dumps({"id": "e0"}), '{"id": "e0", "right": null}']
)
def test_a_file_that_is_no_result_is_named(tmp_path, line):
  path = tmp_path / "task-right.jsonl"
  path.write_text(line)
  with pytest.raises(errors.UserError, match="cannot be read") as caught:
    pairing.read_judged(str(tmp_path), "task")
  assert str(path) in str(caught.value)
