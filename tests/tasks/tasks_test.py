"""The shipped families: every one is registered and can be asked about."""

import gin
import pytest
import seqio

import tasks
from distill.data import registration
from distill.teacher import prompts

VIEWS = ("finetune", "teacher_label", "label", "rationale", "cot")
PROCEDURAL = (
  "chained_arithmetic",
  "coin_flip",
  "last_letters",
  "tracking_shuffled_objects",
)


@pytest.mark.parametrize("name", tasks.__all__)
def test_every_family_is_whole(name):
  family = registration.FAMILIES[name]
  assert family.dataset.name == name
  assert "{input}" in prompts.load_prompt(family.prompt).text
  for view in VIEWS:
    task = seqio.TaskRegistry.get(f"{name}_{view}")
    assert set(task.splits) == {"train", "validation", "test"}
    assert bool(task.metric_fns) == (view != "rationale")
  assert f"{name}_step_by_step" in seqio.MixtureRegistry.names()


@pytest.mark.parametrize("name", PROCEDURAL)
def test_gold_labels_score_by_their_own_rule(name):
  family = registration.FAMILIES[name]
  for example in family.dataset.examples("validation")[:20]:
    answer = family.answer_rule.parse(f" {example.label}.")
    assert answer is not None
    assert family.answer_rule.equal(answer, example.label)


@pytest.mark.parametrize(
  "name, said, gold",
  [
    ("cqa", " (b) Bank.", "bank"),
    ("esnli", "contradiction", "contradiction"),
    ("svamp", "(84 / 2)", "( 84.0 / 2.0 )"),
  ],
)
def test_published_answers(name, said, gold):
  rule = registration.FAMILIES[name].answer_rule
  assert rule.equal(rule.parse(said), gold)
  assert not rule.equal(rule.parse(said), "neutral")


def test_a_task_reads_its_test_split_without_any_folder(monkeypatch):
  monkeypatch.delenv("DISTILL_DATA_DIR", raising=False)
  gin.parse_config(
    """
    from __gin__ import dynamic_registration
    import seqio
    from distill.data import vocabulary
    vocabulary.model_vocabulary.vocabulary = @seqio.ByteVocabulary()
    """
  )
  task = seqio.get_mixture_or_task("last_letters_finetune")
  row = next(iter(task.get_dataset(split="test", shuffle=False)))
  gin.clear_config()
  example = registration.FAMILIES["last_letters"].dataset.examples("test")[0]
  assert row["inputs_pretokenized"] == example.input.encode()
  assert bytes(row["targets"].numpy()[:-1].astype("uint8") - 3).decode() == (
    example.label
  )
