"""One call registers a family, and its tasks train and score students."""

import dataclasses
import json

import numpy as np
import pytest
import seqio

from distill.answers.rules import TextAnswer
from distill.data import feature_converters, lookup, registration
from distill.data.feature_converters import LossGroupFeatureConverter
from distill.errors import UserError

pytestmark = pytest.mark.usefixtures("byte_vocabulary")
LENGTHS = {"inputs": 32, "targets": 32}


@pytest.fixture
def family(toy, tmp_path, monkeypatch):
  """Registers 'toy', whose teacher is right once, wrong once, then silent."""
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  with toy.registered(toy.Dataset()) as dataset:
    yield dataset


def texts(name, split="train"):
  task = seqio.get_mixture_or_task(name)
  return [
    (
      row["inputs_pretokenized"].numpy().decode(),
      row["targets_pretokenized"].numpy().decode(),
    )
    for row in task.get_dataset(LENGTHS, split, shuffle=False)
  ]


def test_the_views_of_a_training_split(toy, family, tmp_path):
  toy.cache(tmp_path / "toy")
  assert texts("toy_finetune") == [("a b", "b"), ("c d", "d"), ("e f", "f")]
  assert texts("toy_teacher_label") == [("a b", "b"), ("c d", "c")]
  assert texts("toy_label") == [
    ("[label] a b", "b"),
    ("[label] c d", "d"),
    ("[label] e f", "f"),
  ]
  assert texts("toy_rationale") == [
    ("[rationale] a b", "The last is b."),
    ("[rationale] c d", "The last is c."),
  ]
  assert texts("toy_cot") == [("a b", "The last is b. --> b")]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_nobody_pays_a_teacher_for_an_evaluation(family, monkeypatch, split):
  monkeypatch.delenv("DISTILL_DATA_DIR")
  plain = [("a b", "b"), ("c d", "d"), ("e f", "f")]
  for view in ("finetune", "teacher_label", "cot"):
    assert texts(f"toy_{view}", split) == plain
  assert texts("toy_label", split) == [(f"[label] {q}", a) for q, a in plain]
  # What `infer` asks for rationales: there is no target to learn.
  asked = [(f"[rationale] {question}", "") for question, _ in plain]
  assert texts("toy_rationale", split) == asked


def test_only_views_of_teacher_output_need_a_cache(family):
  assert len(texts("toy_finetune")) == len(texts("toy_label")) == 3
  for view in ("teacher_label", "rationale", "cot"):
    with pytest.raises(UserError, match="no cached 'train' split of 'toy'"):
      texts(f"toy_{view}")
  with pytest.raises(UserError, match="no cached 'train' split of 'toy'"):
    seqio.get_dataset(
      "toy_step_by_step",
      LENGTHS,
      dataset_split="train",
      feature_converter=LossGroupFeatureConverter(),
    )


def test_the_mixture_is_one_to_one_and_keeps_the_groups(toy, family, tmp_path):
  toy.cache(tmp_path / "toy")
  mixture = seqio.get_mixture_or_task("toy_step_by_step")
  rates = {task.name: mixture.get_rate(task) for task in mixture.tasks}
  assert rates == {"toy_label": 1, "toy_rationale": 1}
  dataset = seqio.get_dataset(
    mixture,
    LENGTHS,
    dataset_split="train",
    feature_converter=LossGroupFeatureConverter(pack=False),
    shuffle=True,
    num_epochs=None,
    seed=0,
  )
  groups = []
  for row in dataset.take(400).as_numpy_iterator():
    source = bytes((row["encoder_input_tokens"][1:3] - 3).astype(np.uint8))
    [group] = set(row["decoder_loss_groups"][row["decoder_loss_weights"] > 0])
    assert group == {b"la": 1, b"ra": 2}[source]
    groups.append(group)
  assert 160 < groups.count(1) < 240


def test_an_unlabeled_row_is_in_no_gold_view(toy, tmp_path, monkeypatch):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  dataset = toy.Dataset("bare", (("a b", ""), ("c d", "d")))
  with toy.registered(dataset):
    toy.cache(tmp_path / "bare", dataset)
    assert texts("bare_finetune") == [("c d", "d")]
    assert texts("bare_cot") == []
    assert len(texts("bare_rationale")) == len(texts("bare_teacher_label")) == 2


def test_a_teacher_s_label_and_other_prefixes(toy, tmp_path, monkeypatch):
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  dataset = toy.Dataset("asked")
  prefixes = {"label_prefix": "predict: ", "rationale_prefix": "explain: "}
  with toy.registered(dataset, label="teacher", **prefixes):
    toy.cache(tmp_path / "asked", dataset)
    assert texts("asked_label") == [
      ("predict: a b", "b"),
      ("predict: c d", "c"),
    ]
    assert texts("asked_rationale")[0][0] == "explain: a b"
    assert texts("asked_label", "test")[1] == ("predict: c d", "d")


def test_the_evaluator_scores_and_logs(family, tmp_path):
  answers = {
    "toy_label": ["b", "x", " F."],
    "toy_cot": ["Hm. --> b", "d", "So --> x --> f"],
  }
  for name, said in answers.items():
    evaluator = seqio.Evaluator(
      name,
      feature_converter=LossGroupFeatureConverter(pack=False),
      eval_split="validation",
      sequence_length=LENGTHS,
      logger_cls=[seqio.JSONLogger],
      log_dir=str(tmp_path),
    )
    tokens = np.zeros([3, 32], np.int32)
    for row, text in zip(tokens, said, strict=True):
      row[: len(text) + 1] = [*(byte + 3 for byte in text.encode()), 1]
    metrics, _ = evaluator.evaluate(
      compute_metrics=True, predict_fn=lambda _, t=tokens: list(enumerate(t))
    )
    assert metrics.result()[name] == {"accuracy": pytest.approx(200 / 3)}
    evaluator.close()
    lines = (tmp_path / f"{name}--00001.jsonl").read_text().splitlines()
    logged = json.loads(lines[0])
    assert logged["input"]["id"] == "validation0"
    assert logged["input"]["inputs_pretokenized"].endswith("a b")
    assert logged["input"]["targets_pretokenized"] == "b"


def test_rationales_are_not_scored(family):
  assert not seqio.get_mixture_or_task("toy_rationale").metric_fns


def test_more_rules_are_more_metrics(toy):
  rules = {"exact": TextAnswer(match_case=True)}
  with toy.registered(toy.Dataset("ruled"), rules=rules):
    assert registration.FAMILIES["ruled"].rules == rules
    for view in ("label", "cot", "few_shot"):
      [metric] = seqio.TaskRegistry.get(f"ruled_{view}").metric_fns
      assert metric(["b", "d"], ["B", "d"]) == {
        "accuracy": 100,
        "exact_accuracy": 50,
      }


def test_a_batch_of_pairs_has_two_rows_an_example(family):
  rows = feature_converters.rows_of_batch
  assert rows("toy_step_by_step_paired", 16) == 32
  assert rows("toy_step_by_step", 16) == rows("toy_finetune", 16) == 16
  with pytest.raises(UserError, match="'toy_x'"):
    rows("toy_x", 16)


def test_an_unknown_task_names_near_ones(family):
  with pytest.raises(UserError, match="toy_finetun'") as error:
    lookup.get_mixture_or_task("toy_finetun")
  assert "did you mean toy_finetune" in error.value.remedy
  assert "toy_step_by_step" in error.value.expected


def test_an_unknown_module_is_named(family, tmp_path, monkeypatch):
  with pytest.raises(UserError, match="no_such.tasks"):
    lookup.get_mixture_or_task("toy_finetune", "no_such.tasks")
  (tmp_path / "breaks.py").write_text("import no_such_thing")
  monkeypatch.syspath_prepend(tmp_path)
  # Its own mistake is a bug to be seen, not a wrong name.
  with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
    lookup.get_mixture_or_task("toy_finetune", "breaks")


def test_an_unknown_split_is_named(family):
  with pytest.raises(UserError, match="no split 'dev'") as error:
    texts("toy_finetune", "dev")
  assert error.value.expected == "one of train, validation, test"


@pytest.mark.parametrize(
  "change, named",
  [
    ({}, "registered already"),
    ({"name": "1st"}, "'1st'"),
    ({"name": "a/b"}, "'a/b'"),
  ],
)
def test_names_that_cannot_be(toy, family, change, named):
  dataset = dataclasses.replace(family, **change)
  with pytest.raises(UserError, match=named), toy.registered(dataset):
    pass


def test_a_label_is_gold_or_the_teacher_s(toy):
  third = toy.registered(toy.Dataset("third"), label="llm")
  with pytest.raises(UserError, match="label='llm'"), third:
    pass
  assert "third" not in registration.FAMILIES
