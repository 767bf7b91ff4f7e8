"""One call registers a family, and its tasks train and score students."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import gin
import numpy as np
import pytest
import seqio

from distill import errors
from distill.answers.rules import TextAnswer
from distill.commands import cache_ask
from distill.data import feature_converters, registration
from distill.data.cache import manifest
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
    registration.get_mixture_or_task("toy_finetun")
  assert "did you mean toy_finetune" in error.value.remedy
  assert "toy_step_by_step" in error.value.expected


def test_an_unknown_module_is_named(family, tmp_path, monkeypatch):
  with pytest.raises(UserError, match="no_such.tasks"):
    registration.get_mixture_or_task("toy_finetune", "no_such.tasks")
  (tmp_path / "breaks.py").write_text("import no_such_thing")
  monkeypatch.syspath_prepend(tmp_path)
  # Its own mistake is a bug to be seen, not a wrong name.
  with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
    registration.get_mixture_or_task("toy_finetune", "breaks")


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
  with pytest.raises(UserError, match="label of 'third'"), third:
    pass
  assert "third" not in registration.FAMILIES


NAMES = ["lookup_both", "lookup_one"]
MODULE = """
import gin
import seqio
@gin.register("lookup_configurable")
def configurable(): ...
source = seqio.FunctionDataSource(lambda split, shuffle_files: None, ["train"])
seqio.TaskRegistry.add("lookup_one", source, output_features={})
seqio.MixtureRegistry.add("lookup_both", ["lookup_one"], default_rate=1.0)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
  """A user's package, one module of which registers a task and a mixture."""
  folder = tmp_path / "lookup_package"
  folder.mkdir()
  (folder / "__init__.py").touch()
  (folder / "tasks.py").write_text(MODULE)
  monkeypatch.syspath_prepend(tmp_path)
  yield "lookup_package"
  for name in NAMES:
    seqio.MixtureRegistry.remove(name)
    seqio.TaskRegistry.remove(name)


def test_a_name_is_found_once_its_module_is_named(package):
  for name in NAMES:
    with pytest.raises(UserError, match=f"no task or mixture '{name}'"):
      registration.get_mixture_or_task(name)
  # As T5X leaves it; the module registers something of its own with gin.
  gin.finalize()
  for name in NAMES:
    found = registration.get_mixture_or_task(name, f"{package}.tasks")
    assert found.name == name
  assert gin.config_is_locked()
  gin.clear_config()


@pytest.mark.parametrize(
  ("name", "expected", "near"),
  [
    ("svamp_step_by_stp", "svamp_step_by_step_paired, svamp", "svamp_step_by"),
    ("svamq_cot", "a dataset of addsub, anli_r1", "svamp_cot"),
    ("svamq_cot", "; a method of finetune, teacher_label", "svamp_cot"),
  ],
)
def test_an_unknown_combination_names_what_can_be_combined(
  name, expected, near
):
  with pytest.raises(UserError) as error:
    registration.get_mixture_or_task(name, "tasks")
  assert expected in error.value.expected
  assert "cqa_cot" not in error.value.expected
  assert f"did you mean {near}" in error.value.remedy


ROOT = pathlib.Path(__file__).parents[2]
FAMILY = """
from distill.answers.rules import TextAnswer
from distill.data import registration
from distill.data.examples import Example

class Toys:
  name = "{name}"
  splits = ("train", "validation", "test")
  def examples(self, split):
    return [Example(f"{{split}}{{n}}", f"Toy {{n}}?", "up") for n in range(4)]

registration.register_family(
  Toys(), answer_rule=TextAnswer(), prompt="few_shot_cqa")
"""
TEACHER = """
from distill.teacher.interface import Response

class Teacher:
  name = "toy teacher"
  free = True
  async def complete(self, request):
    return Response("It rises. So the answer is up.", "stop", 1, 1)
"""
ENTRY = manifest.SplitEntry.from_dict(
  dict(
    **{"teacher": "t", "prompt": "p", "prompt_sha256": "", "data_sha256": ""},
    **{"examples": 1, "labeled": 1, "answers": 1, "parsed": 1, "agreeing": 1},
    **{"prompt_tokens": 1, "completion_tokens": 1, "record_bytes": 1},
    **{"flags": "", "shards": [], "ledger": []},
  )
)


@pytest.fixture
def home(tmp_path, monkeypatch):
  """Makes caches and modules; returns the function that does."""
  monkeypatch.syspath_prepend(str(tmp_path / "code"))
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  (tmp_path / "code").mkdir()

  def make(family, module=None, written=True, **entries):
    module = f"module_of_{family}" if module is None else module
    if written:
      path = tmp_path / "code" / f"{module}.py"
      path.write_text(FAMILY.format(name=family))
    entries = entries or {"train": {"modules": (module,)}}
    splits = {
      split: dataclasses.replace(ENTRY, **fields)
      for split, fields in entries.items()
    }
    (tmp_path / family).mkdir()
    manifest.write(str(tmp_path / family), manifest.Manifest(family, splits))
    return str(tmp_path / family)

  return make


def test_the_manifests_module_is_imported_and_the_user_told(home, capsys):
  folder = home("kites")
  family, modules = registration.find_cached_family("kites", [], folder)
  assert (family.dataset.name, modules) == ("kites", ["module_of_kites"])
  said = capsys.readouterr().err
  assert "'module_of_kites'" in said and f"{folder}/manifest.json" in said


def test_the_users_module_wins(home):
  folder = home("balls", "recorded_balls", written=False)
  home("other", "given_balls", written=False)
  pathlib.Path(folder, "../code/given_balls.py").write_text(
    FAMILY.format(name="balls")
  )
  _, modules = registration.find_cached_family("balls", ["given_balls"], folder)
  assert modules == ["given_balls"]


def test_each_split_has_its_own_module(home):
  entries = {
    "train": {"modules": ("not_there",)},
    "test": {"modules": ("module_of_tops",)},
  }
  folder = home("tops", **entries)
  _, modules = registration.find_cached_family("tops", [], folder, "test")
  assert modules == ["module_of_tops"]


@pytest.mark.parametrize(
  "flags",
  [
    "--teacher=a:B --module=module_of_{}",
    "--teacher=openai '--stop=a b' --module=module_of_{} --num_shards=2",
    "--teacher=openai (and then --append --teacher=b --module=module_of_{})",
  ],
)
def test_an_older_manifest_has_the_module_among_its_flags(home, flags):
  name = f"older{abs(hash(flags))}"
  folder = home(name, train={"flags": flags.format(name)})
  _, modules = registration.find_cached_family(name, [], folder)
  assert modules == [f"module_of_{name}"]


def test_flags_that_are_no_shell_words_name_no_module(home):
  folder = home("bricks", train={"flags": "--module=module_of_bricks 'open"})
  with pytest.raises(UserError, match="no dataset family 'bricks'"):
    registration.find_cached_family("bricks", [], folder)


def test_a_module_that_is_gone_is_an_error_that_names_the_manifest(home):
  folder = home("dolls", written=False)
  with pytest.raises(UserError, match="'module_of_dolls'") as caught:
    registration.find_cached_family("dolls", [], folder)
  assert f"{folder}/manifest.json" in caught.value.expected
  assert "--module" in caught.value.remedy
  with pytest.raises(UserError, match="'module_of_dolls'"):
    registration.get_mixture_or_task("dolls_finetune")


@pytest.mark.parametrize(
  "module", ["os; x", "../up", "my-module", "a..b", "class.b", "", "a b"]
)
def test_what_is_no_modules_name_is_refused(home, module, capsys):
  folder = home("traps", module, written=False)
  with pytest.raises(UserError, match="cannot be one") as caught:
    registration.find_cached_family("traps", [], folder)
  assert (caught.value.what.split()[0], caught.value.found) == (
    *(f"{folder}/manifest.json", module),
  )
  assert not capsys.readouterr().err


@pytest.mark.parametrize("modules", ["toys", [1], None, {"a": 1}])
def test_modules_that_are_no_list_of_names_are_a_damaged_manifest(
  home, modules
):
  folder = home("marbles")
  path = pathlib.Path(folder, manifest.FILE_NAME)
  content = json.loads(path.read_text())
  content["splits"]["train"]["modules"] = modules
  path.write_text(json.dumps(content))
  with pytest.raises(UserError, match="not a manifest that can be read"):
    registration.find_cached_family("marbles", [], folder)


def test_a_family_of_ours_needs_no_module_of_a_manifest(home, capsys):
  folder = home("last_letters", "evil", written=False)
  assert registration.find_cached_family("last_letters", [], folder)[1] == []
  assert not capsys.readouterr().err


def test_training_finds_a_task_by_its_cache(home, capsys):
  home("big", "not_wanted", written=False)
  home("big_toys")
  task = registration.get_mixture_or_task("big_toys_step_by_step")
  assert task.name == "big_toys_step_by_step"
  assert "not_wanted" not in capsys.readouterr().err
  assert "not_wanted" not in sys.modules


def test_commands_record_the_module_and_do_without_the_flag(home, tmp_path):
  """In a process of its own, which has not imported the module yet."""
  code = tmp_path / "code"
  (code / "blocks_module.py").write_text(FAMILY.format(name="blocks"))
  (code / "blocks_teacher.py").write_text(TEACHER)
  asked = errors.run_command(
    cache_ask.main,
    [
      *("--task=blocks", "--module=blocks_module", "--no_report"),
      "--teacher=blocks_teacher:Teacher",
    ],
  )
  assert asked == 0 and "blocks" in registration.FAMILIES
  written = manifest.read(f"{tmp_path}/blocks").splits["train"]
  assert written.modules == ("blocks_module",)
  done = subprocess.run(
    [
      *(sys.executable, "-m", "distill", "cache", "filter", "--task=blocks"),
      f"--input_dir={tmp_path}/blocks",
      *(f"--output_dir={tmp_path}/right", "--agrees"),
    ],
    env=os.environ | {"PYTHONPATH": f"{ROOT}:{code}"},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert "Importing the module 'blocks_module'" in done.stderr
  filtered = manifest.read(f"{tmp_path}/right").splits["train"]
  assert filtered.modules == ("blocks_module",)
  assert "--module=blocks_module" in filtered.flags
