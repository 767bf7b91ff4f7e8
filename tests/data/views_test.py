"""What each view makes of a record, by hand."""

import pytest
import seqio
import tensorflow as tf

from distill.data import loss_weights, views

SIGNATURE = {
  "id": tf.TensorSpec([], tf.string),
  "input": tf.TensorSpec([], tf.string),
  "label": tf.TensorSpec([], tf.string),
  "rationales": tf.TensorSpec([None], tf.string),
  "teacher_labels": tf.TensorSpec([None], tf.string),
  "agrees": tf.TensorSpec([None], tf.int32),
}


def rows(*records):
  """Returns a dataset of records of (label, rationales, labels, agrees)."""
  columns = [
    (str(number), f"q{number}", *record)
    for number, record in enumerate(records)
  ]
  content = [dict(zip(SIGNATURE, row, strict=True)) for row in columns]
  return tf.data.Dataset.from_generator(
    lambda: content, output_signature=SIGNATURE
  )


def see(view, *records):
  return [
    (row["inputs"].numpy().decode(), row["targets"].numpy().decode())
    for row in view(rows(*records))
  ]


ONE = ("A", ["why"], ["B"], [0])
SEVERAL = ("A", ["", "no", "yes", "also"], ["", "B", "A", "A"], [0, 0, 1, 1])
UNPARSED = ("A", [""], [""], [0])
UNLABELED = ("", ["why"], ["B"], [-1])
UNASKED = ("A", [], [], [])
ALL = (ONE, SEVERAL, UNPARSED, UNLABELED, UNASKED)


@pytest.mark.parametrize(
  "view, expected",
  [
    (
      views.ToText(views.gold_label),
      [("q0", "A"), ("q1", "A"), ("q2", "A"), ("q4", "A")],
    ),
    (
      views.ToText(views.teacher_label, "[label] "),
      [
        ("[label] q0", "B"),
        ("[label] q1", "B"),
        ("[label] q3", "B"),
        ("[label] q4", "A"),
      ],
    ),
    (
      views.ToText(views.rationale, "why? ", " !", ask=True),
      [
        ("why? q0 !", "why"),
        ("why? q1 !", "no"),
        ("why? q3 !", "why"),
        ("why? q4 !", ""),
      ],
    ),
    (
      views.ToText(views.Chains(" --> ")),
      [("q1", "yes --> A"), ("q1", "also --> A"), ("q4", "A")],
    ),
  ],
)
def test_views(view, expected):
  assert see(view, *ALL) == expected


def test_ids_stay_for_the_logs():
  [row] = views.ToText(views.gold_label)(rows(ONE))
  assert row["id"] == b"0" and set(row) == {"id", "inputs", "targets"}


def test_empty_answers_of_a_right_label_teach_nothing():
  silent = ("A", ["", ""], ["A", "A"], [1, 1])
  assert see(views.ToText(views.Chains(" --> ")), silent) == []
  assert see(views.ToText(views.rationale), silent) == []
  assert see(views.ToText(views.teacher_label), silent) == [("q0", "A")]


PAIRS = views.ToPairs(views.teacher_label, "what? ", "why? ")


def test_pairs():
  rows_ = list(PAIRS(rows(*ALL)).as_numpy_iterator())
  fields = ("inputs", "targets", "rationale_inputs", "rationale_targets")
  assert [tuple(row[f].decode() for f in fields) for row in rows_] == [
    ("what? q0", "B", "why? q0", "why"),
    ("what? q1", "B", "why? q1", "no"),
    # The third says nothing at all.
    ("what? q3", "B", "why? q3", "why"),
    ("what? q4", "A", "", ""),
  ]


def test_a_draw_takes_the_answer_with_its_rationale():
  drawn = list(views.OneRight()(rows(*ALL)).as_numpy_iterator())
  assert [row["id"] for row in drawn] == [b"1", b"4"]
  assert drawn[0]["rationales"].tolist() in ([b"yes"], [b"also"])
  assert drawn[0]["teacher_labels"].tolist() == [b"A"]
  assert drawn[0]["agrees"].tolist() == [1]
  assert drawn[1]["rationales"].tolist() == []


ROWS = tuple((f"question {i}", f"word{i}") for i in range(5))


@pytest.fixture
def targets(toy, tmp_path, monkeypatch, byte_vocabulary):
  """Registers controls; gives a function from task to {id: target tokens}."""
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  dataset = toy.Dataset("controlled", ROWS)
  teacher = toy.Teacher(
    {q: f"Because of {a}. So the answer is {a}." for q, a in ROWS}
  )
  toy.cache(tmp_path / "controlled", dataset, teacher=teacher)

  def read(name, **options):
    task = seqio.TaskRegistry.get(f"controlled_{name}")
    rows = task.get_dataset(split="train", **options).as_numpy_iterator()
    return {row["id"]: row["targets"].tolist() for row in rows}

  with toy.registered(dataset):
    yield read


def test_shuffled_rationales_are_those_of_others(targets):
  own = targets("rationale", shuffle=False)
  shuffled = targets("rationale_shuffled", shuffle=False)
  assert own.keys() == shuffled.keys() and len(own) == 5
  assert all(own[key] != shuffled[key] for key in own)
  assert sorted(own.values()) == sorted(shuffled.values())


def test_permuted_rationales_keep_their_tokens_and_their_end(targets):
  own = targets("rationale", shuffle=False)
  permuted = targets("rationale_permuted", shuffle=False)
  again = targets("rationale_permuted", shuffle=True, seed=3)
  assert permuted == again
  for key, tokens in own.items():
    assert permuted[key] != tokens
    assert sorted(permuted[key]) == sorted(tokens)
    assert permuted[key][-1] == 1


def test_filler_is_as_long_and_says_nothing(targets):
  own = targets("rationale", shuffle=False)
  filler = targets("rationale_filler", shuffle=False)
  dot = ord(".") + 3
  assert filler == {
    key: [dot] * (len(tokens) - 1) + [1] for key, tokens in own.items()
  }


def test_the_label_is_repeated_for_as_many_words(targets):
  repeated = targets("rationale_repeated", shuffle=False)
  said = {
    key: bytes(token - 3 for token in tokens[:-1]).decode()
    for key, tokens in repeated.items()
  }
  # 'Because of word0.' has three words.
  assert said == {
    f"train{i}".encode(): f"word{i} word{i} word{i}" for i in range(5)
  }


@pytest.mark.parametrize("kind", ["shuffled", "permuted", "filler", "repeated"])
def test_controls_are_step_by_step_in_all_else(targets, kind):
  mixture = f"controlled_step_by_step_{kind}"
  tasks = {task.name for task in seqio.MixtureRegistry.get(mixture).tasks}
  assert tasks == {"controlled_label", f"controlled_rationale_{kind}"}
  weights = loss_weights.loss_group_weights(mixture, 0.5)
  assert weights == (1, 0.5, 0.5, 0)
