"""The shipped families: every one is registered, read, asked about, judged."""

import dataclasses
import json
import os
import pathlib

import gin
import published_rows
import pytest
import seqio
import tensorflow_datasets as tfds

from distill.answers.rules import rule_for
from distill.data import importing, lookup, published_rationales, registration
from distill.data.methods import METHODS
from distill.data.published import Tfds, splits
from distill.errors import UserError
from distill.teacher import prompts

lookup.import_registrations("tasks")
FAMILIES = lookup.shipped_families()
PROCEDURAL = (
  "chained_arithmetic",
  "coin_flip",
  "last_letters",
  "tracking_shuffled_objects",
)
PUBLISHED = sorted({*FAMILIES} - {*PROCEDURAL})
REAL = os.environ.get("DISTILL_TEST_DATA", "")
needs_data = pytest.mark.skipif(not REAL, reason="DISTILL_TEST_DATA is not set")


def family_of(name):
  return registration.FAMILIES[name]


def scores(name, example):
  """Returns whether a gold label is right by all rules, ours and a paper's."""
  rule, *more = family_of(name).answer_rule, *family_of(name).rules.values()
  # The teacher's answers are read by the rule that knows the input.
  with_input = rule_for(rule, example.input)
  said = with_input.parse(f" {example.label}.")
  return (
    all(
      r.equal(r.parse(example.label) or "", example.label)
      for r in [rule, *more]
    )
    and said is not None
    and with_input.equal(said, example.label)
  )


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_whole(name):
  family = family_of(name)
  assert family.dataset.name == name
  assert "{input}" in prompts.load_prompt(family.prompt).text
  registered = {*seqio.TaskRegistry.names(), *seqio.MixtureRegistry.names()}
  for method in METHODS.values():
    assert {name + method.train, name + method.evaluate} - {name} <= registered
    task = seqio.get_mixture_or_task(name + method.evaluate)
    assert set(task.splits) == {"train", "validation", "test"}
    assert task.metric_fns


@pytest.mark.parametrize("name", PROCEDURAL)
def test_procedural_gold_labels_score_by_their_own_rule(name):
  for example in family_of(name).dataset.examples("validation")[:20]:
    assert scores(name, example)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_gold_labels_score_by_their_own_rule(
  name, tmp_path, monkeypatch
):
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  published_rows.write(tmp_path, [name])
  dataset = family_of(name).dataset
  with tfds.testing.mock_data(as_dataset_fn=published_rows.rows_of):
    parts = {split: dataset.examples(split) for split in dataset.splits}
  assert parts["train"] or parts["validation"]
  assert parts["test"]
  for example in sum(map(list, parts.values()), []):
    assert scores(name, example), example


@pytest.mark.parametrize(
  "name, size", [("cqa", 30), ("gsm8k", 30), ("openbookqa", 60)]
)
def test_sets_with_local_files_are_in_tfds_too(name, size):
  dataset = family_of(name).dataset
  sources = (dataset.source, *dataset.others)
  [only] = [source for source in sources if isinstance(source, Tfds)]
  dataset = dataclasses.replace(dataset, source=only, others=())
  with tfds.testing.mock_data(as_dataset_fn=published_rows.rows_of):
    train, validation, test = map(dataset.examples, dataset.splits)
  assert len(train) + len(validation) == size
  assert len(test) == 30
  assert all(scores(name, example) for example in test)


@pytest.mark.parametrize(
  "name, said, gold",
  [
    ("cqa", " (b) Bank.", "bank"),
    ("esnli", "contradiction", "contradiction"),
    ("svamp", "(84 / 2)", "( 84.0 / 2.0 )"),
    ("aqua", "(B).", "B"),
    ("multiarith", "$39 in all", "39"),
    ("strategy_qa", "No.", "no"),
    ("imdb_contrast", "Positive", "positive"),
  ],
)
def test_published_answers(name, said, gold):
  rule = family_of(name).answer_rule
  assert rule.equal(rule.parse(said), gold)
  assert not rule.equal(rule.parse(said), "neutral")


@needs_data
@pytest.mark.parametrize(
  "name, sizes, label",
  [
    # Train and what is carved from it, then test; the first gold label of it.
    ("addsub", (276, 119), "43"),
    ("cqa", (9741, 1221), None),
    ("date_understanding", (258, 111), None),
    ("gsm8k", (7473, 1319), "18"),
    ("multiarith", (420, 180), "40"),
    ("single_eq", (356, 152), "43"),
    ("strategy_qa", (1603, 687), "yes"),
    ("svamp", (800, 200), "( 10.0 * 45.0 )"),
    ("tracking_shuffled_objects_bigbench", (525, 225), None),
  ],
)
def test_real_files_have_their_published_sizes(name, sizes, label):
  dataset = dataclasses.replace(family_of(name).dataset, root=REAL)
  train, validation, test = map(dataset.examples, dataset.splits)
  assert (len(train) + len(validation), len(test)) == sizes
  assert 0.05 * sizes[0] < len(validation) < 0.15 * sizes[0]
  assert label in (None, test[0].label)
  assert not {e.id for e in train} & {e.id for e in validation}
  for some in (train, validation, test):
    assert all(scores(name, e) for e in some[:200])


@needs_data
@pytest.mark.parametrize(
  "name, split, size",
  [
    ("aqua", "validation", 254),
    ("aqua", "test", 254),
    ("esnli", "validation", 9842),
    ("esnli", "test", 9824),
    ("openbookqa", "train", 4957),
    ("openbookqa", "test", 500),
  ],
)
def test_real_files_of_single_splits(name, split, size):
  dataset = dataclasses.replace(family_of(name).dataset, root=REAL)
  assert dataset.is_there(split)
  examples = dataset.examples(split)
  assert len(examples) == size
  assert all(scores(name, example) for example in examples[:500])


@needs_data
def test_svamps_rows_are_those_of_the_papers_release_in_order():
  released = pathlib.Path(REAL, "distilling_step_by_step", "svamp")

  def of_release(name):
    rows = map(json.loads, (released / name).read_text().splitlines())
    return [(row["input"], row["label"]) for row in rows]

  dataset = dataclasses.replace(family_of("svamp").dataset, root=REAL)
  parts = {
    split: [(e.input, e.label) for e in dataset.examples(split)]
    for split in dataset.splits
  }
  assert parts["test"] == of_release("svamp_test.json")
  assert {*parts["train"], *parts["validation"]} == set(
    of_release("svamp_train.json")
  )


@needs_data
def test_a_template_split_is_an_option():
  index = pathlib.Path(
    REAL, "reasoning_teacher", "split", "multiarith__template.json"
  )
  dataset = dataclasses.replace(
    family_of("multiarith").dataset,
    root=REAL,
    choose=splits.from_file(str(index)),
  )
  train, validation, test = map(dataset.examples, dataset.splits)
  assert (len(train) + len(validation), len(test)) == (413, 187)


def imported(path, **fields):
  found = published_rationales.read_rows(pathlib.Path(path), fields)
  dataset = dataclasses.replace(family_of("svamp").dataset, root=REAL)
  groups = importing.group(found, dataset, "train")
  own = {split: set(dataset.examples(split)) for split in dataset.splits}
  return groups, own


@needs_data
def test_test_questions_are_never_imported_to_be_trained_on():
  # Another project's training data: 164 of the 200 test questions of SVAMP.
  groups, own = imported(
    f"{REAL}/llm_adapters/math_data.json",
    input="instruction",
    completion="output",
    label="answer",
  )
  assert len(groups["test"]) == 164
  assert {e for e, _ in groups["test"]} <= own["test"]
  trained = {e for split in ("train", "validation") for e, _ in groups[split]}
  assert not trained & own["test"]
  # Train questions are the dataset's own, as is their part in validation.
  found = {split: {e for e, _ in groups[split]} for split in groups}
  assert len((found["train"] | found["validation"]) & own["train"]) > 500
  assert not found["train"] & own["validation"]


@needs_data
def test_another_teachers_rationales_are_of_the_datasets_own_examples():
  groups, own = imported(
    f"{REAL}/llm_adapters/SVAMP/svamp_1.json",
    input="question",
    completion="chain-of-thought",
    label="answer",
  )
  # With SVAMP's own label, an equation, not the number in this file.
  assert {split: {e for e, _ in groups[split]} for split in own} == own
  rule = family_of("svamp").answer_rule
  content = [
    importing.to_record(e, some, rule, None, "") for e, some in groups["test"]
  ]
  # Its authors read 156 of them as right.
  assert sum(record.agrees == (1,) for record in content) == 157


def test_an_unknown_split_is_refused_before_any_download():
  with pytest.raises(UserError, match="'dev'"):
    family_of("esnli").dataset.examples("dev")


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
  example = family_of("last_letters").dataset.examples("test")[0]
  assert row["inputs_pretokenized"] == example.input.encode()
  assert bytes(row["targets"].numpy()[:-1].astype("uint8") - 3).decode() == (
    example.label
  )


def test_the_documentation_lists_every_family():
  text = (pathlib.Path(__file__).parents[2] / "docs/datasets.md").read_text()
  rows = [row for row in text.splitlines() if row.startswith("| `")]
  listed = "".join(row.split("|")[1] for row in rows)
  listed = listed.replace("`_r2`, `_r3`", "`anli_r2`, `anli_r3`")
  assert {
    name for name in lookup.shipped_families() if f"`{name}`" in listed
  } == set(lookup.shipped_families())


def test_the_documented_family_of_ones_own_works(tmp_path, monkeypatch):
  text = (pathlib.Path(__file__).parents[2] / "docs/datasets.md").read_text()
  code = text.rpartition("```python\n")[2].partition("```")[0]
  monkeypatch.setenv("DISTILL_RAW_DATA_DIR", str(tmp_path))
  monkeypatch.chdir(tmp_path)
  (tmp_path / "riddles").mkdir()
  row = json.dumps({"question": "What has a bark?", "answer": "a tree"})
  for split in ("train", "test"):
    (tmp_path / "riddles" / f"{split}.jsonl").write_text(row + "\n")
  (tmp_path / "my_riddles.py").write_text(code)
  monkeypatch.syspath_prepend(tmp_path)
  monkeypatch.setattr(registration, "FAMILIES", dict(registration.FAMILIES))
  family = registration.find_family("riddles", ["my_riddles"])
  [example] = family.dataset.examples("test")
  assert (example.input, example.label) == ("What has a bark?", "a tree")
  task = seqio.TaskRegistry.get("riddles_finetune")
  assert task.source.num_input_examples("test") == 1
  for registry in (seqio.TaskRegistry, seqio.MixtureRegistry):
    for name in [n for n in registry.names() if n.startswith("riddles_")]:
      registry.remove(name)


@needs_data
def test_dates_choices_are_in_the_order_of_the_published_prompt():
  # The letters that Fine-tune-CoT's few-shot prompt gives to rows of the set.
  published = {
    "2015 is coming in 36 hours. What is the date one week from today": "A",
    "today is the first Monday of 2019. What is the date today": "C",
    "delayed by one day to today. What is the date 10 days ago": "E",
    "It is 4/19/1969 today. What is the date 24 hours later": "E",
  }
  dataset = dataclasses.replace(
    family_of("date_understanding").dataset, root=REAL
  )
  rows = [e for split in dataset.splits for e in dataset.examples(split)]
  found = {
    phrase: example.label
    for phrase in published
    for example in rows
    if f"{phrase} in MM/DD/YYYY?" in example.input
  }
  assert found == published
