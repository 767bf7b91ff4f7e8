"""The accuracy that tables report."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.answers.rules import ListedChoiceAnswer, NumberAnswer, TextAnswer
from distill.data import metrics


def test_accuracy_is_a_percentage_by_the_rule():
  score = metrics.Accuracy(NumberAnswer())
  assert score(["5", "6", "7", "8"], ["5.0", "it is 6", "", "9"]) == {
    "accuracy": 50.0
  }
  assert score([], []) == {"accuracy": 0.0}


def test_no_answer_is_never_right():
  assert metrics.Accuracy(TextAnswer())([""], [""]) == {"accuracy": 0.0}


def test_every_target_needs_a_prediction():
  with pytest.raises(ValueError):
    metrics.Accuracy(TextAnswer())(["a", "b"], ["a"])


# Samples of one input each, the most likely first; the target is 5 each time.
SAMPLES = [
  # What may be written in two ways has two votes, against the best one's.
  (["6", "5", "it is 5.0"], 1),
  # What cannot be read does not vote; of as many votes the earliest wins.
  (["", "no", "7", "5"], 2),
  (["5", "8", "8"], 1),
  (["?", "", "-"], None),
  (["5", "5", "5"], 0),
]


@pytest.mark.parametrize("samples, voted", SAMPLES)
def test_the_vote_of_samples(samples, voted):
  assert metrics.majority(NumberAnswer(), samples) == voted


def test_metrics_of_samples():
  samples = [said + ["x"] * (4 - len(said)) for said, _ in SAMPLES]
  found = metrics.Accuracy(NumberAnswer())(["5"] * 5, samples)
  assert found == pytest.approx(
    {
      "accuracy": 100 * 2 / 5,
      "best_likelihood_accuracy": 100 * 2 / 5,
      "majority_accuracy": 100 * 2 / 5,  # the first and the last
      "oracle_accuracy": 100 * 4 / 5,
      "mean_accuracy": 100 * (2 + 1 + 1 + 0 + 3) / 4 / 5,
    }
  )


def test_more_rules_are_reported_by_name():
  exact = TextAnswer(match_case=True)
  score = metrics.Accuracy(NumberAnswer(), {"upstream": exact})
  assert score(["5", "5", "5"], ["5", "5.0", "6"]) == pytest.approx(
    {"accuracy": 200 / 3, "upstream_accuracy": 100 / 3}
  )


@given(st.lists(st.sampled_from(["5", "5.0", "6", "7", "?"]), min_size=1))
def test_no_answer_has_more_votes_than_the_chosen(samples):
  rule = NumberAnswer()
  voted = metrics.majority(rule, samples)

  def votes(place):
    return sum(rule.equal(samples[place], other) for other in samples)

  if voted is None:
    assert set(samples) == {"?"}
  else:
    all_votes = [votes(place) for place in range(len(samples))]
    assert voted == all_votes.index(max(all_votes))


@pytest.mark.parametrize(
  "text, is_target, answer",
  [
    ("So it is. --> ab", False, "ab"),
    ("x --> y --> z", False, "z"),
    ("The letters are a and b", False, ""),
    ("The letters -->", False, ""),
    ("ab", True, "ab"),
    (["x --> y", "z"], False, ["y", ""]),
  ],
)
def test_the_answer_of_a_chain(text, is_target, answer):
  example = {"inputs_pretokenized": b"?"}
  found = metrics.answer_after_arrow(text, example=example, is_target=is_target)
  assert found == answer


@pytest.mark.parametrize(
  "read, text, answer",
  [
    ("after_therefore", "So 2.\n\nTherefore, the answer is 7", " 7"),
    # A vocabulary without line ends gives spaces for them.
    ("after_therefore", "So 2. Therefore, the answer is 7", " 7"),
    # The template as published, without the comma, is never learnt.
    ("after_therefore", "Therefore the answer is 7", ""),
    ("after_so", "Hm. So the answer is: (b)", " (b)"),
    ("after_so", "So the answer is: a? So the answer is: b", " b"),
    ("after_so", "A. So the answer is: a\n\nQ: z So the answer is: b", " a"),
    ("after_so", "One.\n\nTwo. So the answer is: b", " b"),
    ("after_so", "I do not know.", ""),
    ("before_explanation", "b explanation: c explanation: d", "b "),
    ("before_explanation", "b", "b"),
  ],
)
def test_where_an_answer_stands(read, text, answer):
  postprocess = getattr(metrics, f"answer_{read}")
  assert postprocess(text, example=None, is_target=False) == answer
  assert postprocess([text, text]) == [answer, answer]
  # A training split's targets are chains, a test split's are labels.
  assert postprocess(text, is_target=True) == (answer or text)
  assert postprocess("(b)", is_target=True) == "(b)"


def example(text):
  return {"inputs_pretokenized": text.encode()}


def test_zero_shot_answers_are_read_by_the_rule():
  read = metrics.answer_to(NumberAnswer(), "question: ")
  assert (
    read("There are 12 of them.", example=example("question: How many?"))
    == "12"
  )
  assert read("None.", example=example("question: How many?")) == ""
  assert read("12 eggs", is_target=True) == "12 eggs"


def test_a_letter_is_one_of_the_question_s_own_choices(tmp_path):
  rule = ListedChoiceAnswer()
  question = "Where?\nAnswer Choices:\n(a) bank\n(b) river"
  asked = example(f"question: {question}")
  assert metrics.answer_to(rule, "question: ")("(b)", example=asked) == "river"
  # The exemplars of a prompt have choices, too.
  prompt = "Q: Who?\n(a) me\n(b) you\nA: As. So the answer is (b).\n\nQ: "
  path = tmp_path / "prompt.txt"
  path.write_text(f"{prompt}{{input}}\nA:")
  read = metrics.answer_to(rule, prompt=str(path))
  asked = example(f"{prompt}{question}\nA:")
  assert read("It flows. So the answer is (b).", example=asked) == "river"


def test_few_shot_answers_are_read_as_the_teacher_s(tmp_path):
  path = tmp_path / "prompt.txt"
  path.write_text("Q: {input}\nA:")
  read = metrics.answer_to(TextAnswer(), prompt=str(path))
  said = "Hm. So the answer is b.\n\nQ: next? So the answer is c."
  assert read(said, example=example("Q: x\nA:")) == "b"
  assert read("No idea", example=example("Q: x\nA:")) == ""
