"""The module of a family, found by the manifest of its cache."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import pytest

from distill import cache_rationales, errors
from distill.data import lookup, recorded_modules, registration
from distill.data.cache import manifest
from distill.errors import UserError

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
ENTRY = manifest.SplitEntry(
  **{"teacher": "t", "prompt": "p", "prompt_sha256": "", "data_sha256": ""},
  **{"examples": 1, "labeled": 1, "answers": 1, "parsed": 1, "agreeing": 1},
  **{"prompt_tokens": 1, "completion_tokens": 1, "record_bytes": 1},
  **{"flags": "", "shards": ()},
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
  family, modules = recorded_modules.find_family("kites", [], folder)
  assert (family.dataset.name, modules) == ("kites", ["module_of_kites"])
  said = capsys.readouterr().err
  assert "'module_of_kites'" in said and f"{folder}/manifest.json" in said


def test_the_users_module_wins(home):
  folder = home("balls", "recorded_balls", written=False)
  home("other", "given_balls", written=False)
  pathlib.Path(folder, "../code/given_balls.py").write_text(
    FAMILY.format(name="balls")
  )
  _, modules = recorded_modules.find_family("balls", ["given_balls"], folder)
  assert modules == ["given_balls"]


def test_each_split_has_its_own_module(home):
  entries = {
    "train": {"modules": ("not_there",)},
    "test": {"modules": ("module_of_tops",)},
  }
  folder = home("tops", **entries)
  _, modules = recorded_modules.find_family("tops", [], folder, "test")
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
  _, modules = recorded_modules.find_family(name, [], folder)
  assert modules == [f"module_of_{name}"]


def test_flags_that_are_no_shell_words_name_no_module(home):
  folder = home("bricks", train={"flags": "--module=module_of_bricks 'open"})
  with pytest.raises(UserError, match="no dataset family 'bricks'"):
    recorded_modules.find_family("bricks", [], folder)


def test_a_module_that_is_gone_is_an_error_that_names_the_manifest(home):
  folder = home("dolls", written=False)
  with pytest.raises(UserError, match="'module_of_dolls'") as caught:
    recorded_modules.find_family("dolls", [], folder)
  assert f"{folder}/manifest.json" in caught.value.expected
  assert "--module" in caught.value.remedy
  with pytest.raises(UserError, match="'module_of_dolls'"):
    lookup.get_mixture_or_task("dolls_finetune")


@pytest.mark.parametrize(
  "module", ["os; x", "../up", "my-module", "a..b", "class.b", "", "a b"]
)
def test_what_is_no_modules_name_is_refused(home, module, capsys):
  folder = home("traps", module, written=False)
  with pytest.raises(UserError, match="cannot be one") as caught:
    recorded_modules.find_family("traps", [], folder)
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
    recorded_modules.find_family("marbles", [], folder)


def test_a_family_of_ours_needs_no_module_of_a_manifest(home, capsys):
  folder = home("last_letters", "evil", written=False)
  assert recorded_modules.find_family("last_letters", [], folder)[1] == []
  assert not capsys.readouterr().err


def test_training_finds_a_task_by_its_cache(home, capsys):
  home("big", "not_wanted", written=False)
  home("big_toys")
  task = lookup.get_mixture_or_task("big_toys_step_by_step")
  assert task.name == "big_toys_step_by_step"
  assert "not_wanted" not in capsys.readouterr().err
  assert "not_wanted" not in sys.modules


def test_commands_record_the_module_and_do_without_the_flag(home, tmp_path):
  """In a process of its own, which has not imported the module yet."""
  code = tmp_path / "code"
  (code / "blocks_module.py").write_text(FAMILY.format(name="blocks"))
  (code / "blocks_teacher.py").write_text(TEACHER)
  asked = errors.run_command(
    cache_rationales.main,
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
      *(sys.executable, "-m", "distill.filter_rationales", "--task=blocks"),
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
