"""Each method, on three questions worked by hand.

The teacher is right, wrong, right about the first question, wrong thrice about
the second, and cannot be read on the third.
"""

import json

import gin
import numpy as np
import pytest
import seqio

from distill.data import methods, pipeline, registration
from distill.data.feature_converters import LossGroupFeatureConverter
from distill.errors import UserError

pytestmark = pytest.mark.usefixtures("byte_vocabulary")
LENGTHS = {"inputs": 64, "targets": 64}
SO = " So the answer is "
SAID = {
  "a b": [f"r1.{SO}b.", f"r2.{SO}a.", f"r3.{SO}b."],
  "c d": [f"s1.{SO}c.", f"s2.{SO}e.", f"s3.{SO}c."],
  "e f": ["I do not know."] * 3,
}
GOLD = [("a b", "b"), ("c d", "d"), ("e f", "f")]
PROMPT = "Q: 1 or 2?\nA: As. So the answer is 1.\n\nQ: {input}\nA:"


@pytest.fixture(scope="module")
def folder(toy, tmp_path_factory):
  folder = tmp_path_factory.mktemp("caches")
  toy.cache(folder / "toy", teacher=toy.Teacher(SAID), samples=3)
  (folder / "prompt.txt").write_text(PROMPT)
  return folder


@pytest.fixture
def family(toy, folder, monkeypatch):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(folder))
  with toy.registered(toy.Dataset(), prompt=str(folder / "prompt.txt")):
    yield "toy"


def texts(name, split="train", **options):
  task = seqio.get_mixture_or_task(name)
  options = {"shuffle": False, **options}
  return [
    (
      row["inputs_pretokenized"].numpy().decode(),
      row["targets_pretokenized"].numpy().decode(),
    )
    for row in task.get_dataset(LENGTHS, split, **options)
  ]


def thought(text):
  return f"Q: {text}\n\nA: Let's think step by step.\n\n"


def asked(text):
  return f"Q: {text}\nA: "


EXPECTED = {
  "finetune": GOLD,
  "teacher_label": [("a b", "b"), ("c d", "c")],
  "zero_shot": [(f"question: {q}", a) for q, a in GOLD],
  "few_shot": [(PROMPT.replace("{input}", q), a) for q, a in GOLD],
  "label": [(f"[label] {q}", a) for q, a in GOLD],
  "label_teacher": [("[label] a b", "b"), ("[label] c d", "c")],
  "rationale": [("[rationale] a b", "r1."), ("[rationale] c d", "s1.")],
  "cot": [("a b", "r1. --> b"), ("a b", "r3. --> b")],
  "cot_natural": [
    (thought("a b"), "r1.\n\nTherefore, the answer is b"),
    (thought("a b"), "r3.\n\nTherefore, the answer is b"),
  ],
  "scotd_all": [
    (asked("a b"), "r1. So the answer is: b"),
    (asked("a b"), "r3. So the answer is: b"),
  ],
  "scotd_wrong": [
    (asked("a b"), "r2. So the answer is: a"),
    (asked("c d"), "s1. So the answer is: c"),
    (asked("c d"), "s2. So the answer is: e"),
    (asked("c d"), "s3. So the answer is: c"),
  ],
  "scotd_unfiltered": [
    (asked("a b"), "r1. So the answer is: b"),
    (asked("a b"), "r2. So the answer is: a"),
    (asked("a b"), "r3. So the answer is: b"),
    (asked("c d"), "s1. So the answer is: c"),
    (asked("c d"), "s2. So the answer is: e"),
    (asked("c d"), "s3. So the answer is: c"),
  ],
  "answer_first": [
    ("a b", "b explanation: r1."),
    ("a b", "b explanation: r3."),
  ],
  "rationale_wrong": [
    ("a b", "r2."),
    ("c d", "s1."),
    ("c d", "s2."),
    ("c d", "s3."),
  ],
}


@pytest.mark.parametrize("view", EXPECTED)
def test_inputs_and_targets(family, view):
  assert texts(f"toy_{view}") == EXPECTED[view]


@pytest.mark.parametrize(
  "scored", sorted({method.evaluate for method in methods.METHODS.values()})
)
def test_every_method_is_scored_against_gold(family, scored):
  task = seqio.TaskRegistry.get(family + scored)
  assert [metric.rule for metric in task.metric_fns] == [
    registration.FAMILIES[family].answer_rule
  ]
  for split in ("validation", "test"):
    found = texts(task.name, split)
    assert [target for _, target in found] == ["b", "d", "f"]
    # The student is asked as it was taught.
    learnt = EXPECTED.get(task.name.removeprefix("toy_"), [])
    assert learnt[:1] == [] or found[0][0] == learnt[0][0]


@pytest.mark.parametrize(
  "method", methods.METHODS.values(), ids=lambda m: m.name
)
def test_what_a_method_trains_on_is_registered(family, method):
  if not method.train:
    return
  provider = seqio.get_mixture_or_task(family + method.train)
  cached = any(
    "Teacher" in type(task.source).__name__
    for task in seqio.get_subtasks(provider)
  )
  assert cached == method.needs_teacher


def groups(name):
  """Returns the (text, group, weight) runs of a task's targets."""
  task = seqio.TaskRegistry.get(name)
  rows = task.get_dataset(LENGTHS, "train", shuffle=False)
  found = []
  for row in LossGroupFeatureConverter(pack=False)(rows, LENGTHS):
    target, weight, group = (
      row[f"decoder_{key}"].numpy()
      for key in ("target_tokens", "loss_weights", "loss_groups")
    )
    # Exactly the target's tokens count, with one group.
    np.testing.assert_array_equal(weight, target > 0)
    [only] = set(group[weight > 0]) or {0}
    ended = target[weight > 0][-1:].tolist() == [1]
    text = bytes((target[target > 1] - 3).astype(np.uint8)).decode()
    found.append((text, int(only), ended))
  return found


@pytest.mark.parametrize(
  "view, group",
  [("finetune", 0), ("cot", 0), ("scotd_all", 0), ("label_teacher", 1)]
  + [("label", 1), ("rationale", 2)],
)
def test_every_target_token_counts_in_its_group(family, view, group):
  texts = [target for _, target in EXPECTED[view]]
  assert groups(f"toy_{view}") == [(text, group, True) for text in texts]


def test_wrong_rationales_are_unlearnt_but_never_that_they_end(family):
  assert groups("toy_rationale_wrong") == [
    (text, 3, False) for text in ("r2.", "s1.", "s2.", "s3.")
  ]
  mixture = seqio.MixtureRegistry.get("toy_cot_unlikelihood")
  rates = {task.name: mixture.get_rate(task) for task in mixture.tasks}
  assert rates == {"toy_cot": 1, "toy_rationale_wrong": 1}


def test_both_views_of_an_example_are_neighbours(family):
  assert groups("toy_step_by_step_paired") == [
    *(("b", 1, True), ("r1.", 2, True)),
    *(("d", 1, True), ("s1.", 2, True)),
    *(("f", 1, True), ("", 0, False)),
  ]


def test_a_draw_is_right_and_belongs_to_the_seed(family):
  def drawn(seed, epochs=200):
    return texts("toy_scotd", seed=seed, num_epochs=epochs)

  first = drawn(7)
  # One row a visit, whatever the number of right answers; the rest has none.
  assert len(first) == 200
  counts = {text: first.count(text) for text in first}
  assert set(counts) == set(EXPECTED["scotd_all"])
  assert min(counts.values()) > 70
  assert first == drawn(7) != drawn(8)
  assert first[:50] == drawn(7, 50)
  assert texts("toy_scotd", "test") == texts("toy_scotd_all", "test")


def batches(name, lengths=LENGTHS, **changes):
  settings = {"batch_size": 4, "shuffle": True, "seed": 3, "split": "train"}
  return pipeline.TrainBatches(
    pipeline.DatasetConfig(
      mixture_or_task_name=name,
      task_feature_lengths=lengths,
      **settings | changes,
    )
  )


def taken(source, count):
  return [
    {name: array.tolist() for name, array in next(source).items()}
    for _ in range(count)
  ]


@pytest.mark.parametrize("view", ["scotd", "step_by_step_paired"])
def test_a_resumed_run_sees_the_same_rows(family, view, caplog):
  first = batches(f"toy_{view}")
  taken(first, 9)
  position = json.loads(json.dumps(first.position()))
  following = taken(first, 6)
  again = batches(f"toy_{view}")
  again.restore(position)
  assert taken(again, 6) == following
  # The iterator's state was enough: nothing was read again.
  assert "reading past" not in caplog.text


def test_pairs_stay_together_when_shuffled(family):
  for batch in taken(batches("toy_step_by_step_paired"), 5):
    found = [set(row) - {0} for row in batch["decoder_loss_groups"]]
    assert all(one == {1} for one in found[::2])
    assert all(one <= {2} for one in found[1::2])
    label, rationale = batch["encoder_input_tokens"][:2]
    [question] = [q for q, _ in GOLD if label == tokens(f"[label] {q}")]
    # The third question has no rationale.
    wanted = (
      tokens(f"[rationale] {question}") if question != "e f" else [0] * 64
    )
    assert rationale == wanted


def tokens(text):
  return np.pad(
    [*(byte + 3 for byte in text.encode()), 1], (0, 63 - len(text))
  ).tolist()


def test_a_long_rationale_of_a_pair_is_refused(family):
  with pytest.raises(UserError, match="do not fit") as error:
    batches("toy_step_by_step_paired", {"inputs": 64, "targets": 3})
  assert "at least 4" in error.value.expected


def test_a_position_is_of_one_selection(family, caplog):
  before = batches("toy_label")
  taken(before, 2)
  gin.parse_config(
    """
    from __gin__ import dynamic_registration
    from distill.data import selection
    selection.Selection.num_examples = 2
    """
  )
  after = batches("toy_label")
  after.restore(before.position())
  assert "another dataset" in caplog.text
  assert (
    len(
      {str(row) for b in taken(after, 5) for row in b["encoder_input_tokens"]}
    )
    == 2
  )


def test_augmentation_brings_the_teacher_s_labels_alone(family, toy, folder):
  more = toy.Dataset("more", (("a b", "x"), ("c d", "x")))
  toy.cache(folder / "more", more, teacher=toy.Teacher(SAID), samples=3)
  with toy.registered(more):
    registration.register_augmented("toy", "more")
    mixture = seqio.MixtureRegistry.get("toy_step_by_step_more")
    rates = {task.name: mixture.get_rate(task) for task in mixture.tasks}
    assert rates == {
      **{"toy_label": 3, "toy_rationale": 3},
      **{"more_label_teacher": 2, "more_rationale": 2},
    }
    assert texts("more_label_teacher") == EXPECTED["label_teacher"]
    labels = seqio.MixtureRegistry.get("toy_teacher_label_more").tasks
    assert {task.name for task in labels} == {
      *("toy_teacher_label", "more_teacher_label")
    }


def test_coverage_leaves_the_others_their_labels(family):
  gin.parse_config(
    """
    from __gin__ import dynamic_registration
    from distill.data import selection
    selection.Selection.coverage = 0
    """
  )
  assert texts("toy_label") == EXPECTED["label"]
  assert texts("toy_label_teacher") == EXPECTED["label_teacher"]
  for view in ("rationale", "cot", "scotd_unfiltered", "rationale_wrong"):
    assert texts(f"toy_{view}") == []
  # The mixture does not wait for rationales that never come.
  for batch in taken(batches("toy_step_by_step"), 5):
    assert {group for row in batch["decoder_loss_groups"] for group in row} == {
      *(0, 1)
    }
  assert groups("toy_step_by_step_paired") == [
    *(("b", 1, True), ("", 0, False)),
    *(("d", 1, True), ("", 0, False)),
    *(("f", 1, True), ("", 0, False)),
  ]


@pytest.mark.parametrize(
  ("task", "expected"),
  [
    ("last_letters_step_by_step", ("last_letters", "step_by_step")),
    ("svamp_step_by_step_asdiv", ("svamp", "step_by_step")),
    ("cqa_step_by_step_paired", ("cqa", "step_by_step_paired")),
    ("esnli_cot", ("esnli", "cot")),
    ("my_cot_set_finetune", ("my_cot_set", "finetune")),
    ("somebody_s_task", ("", "")),
  ],
)
def test_a_task_s_name_tells_its_dataset_and_its_method(task, expected):
  assert methods.split_name(task) == expected
