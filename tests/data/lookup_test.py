"""Names of tasks and modules: what is found, and what is said otherwise."""

import gin
import pytest
import seqio

from distill.data import lookup, methods
from distill.errors import UserError

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
      lookup.get_mixture_or_task(name)
  # As T5X leaves it; the module registers something of its own with gin.
  gin.finalize()
  for name in NAMES:
    found = lookup.get_mixture_or_task(name, f"{package}.tasks")
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
    lookup.get_mixture_or_task(name, "tasks")
  assert expected in error.value.expected
  assert "cqa_cot" not in error.value.expected
  assert f"did you mean {near}" in error.value.remedy


def test_a_module_that_a_package_lacks_is_the_users_mistake(package):
  with pytest.raises(UserError, match="'lookup_package.task'"):
    lookup.import_registrations(f"{package}.task")


def test_the_nearest_names_come_first_and_all_names_in_order():
  error = lookup.unknown_name(
    "task", "svamp_labl", ["svamp_label", "esnli_cot"]
  )
  assert error.expected == "one of esnli_cot, svamp_label"
  assert "did you mean svamp_label?" in error.remedy


@pytest.mark.parametrize("known", [[], ["esnli_cot"]])
def test_a_name_like_no_other_is_not_guessed_at(known):
  error = lookup.unknown_name("task", "zzz", known)
  assert "did you mean" not in error.remedy and "--module" in error.remedy
  assert error.expected == (
    "one of esnli_cot" if known else "nothing is registered"
  )


def test_names_are_known_before_anything_is_registered():
  import tasks

  registered = {
    name
    for registry in (seqio.TaskRegistry, seqio.MixtureRegistry)
    for name in registry.names()
    if name.startswith(tuple(f"{family}_" for family in tasks.__all__))
  }
  for name in registered:
    lookup.check_task(name)
  assert lookup.shipped_families() == tuple(tasks.__all__)
  known = {f + s for f in tasks.__all__ for s in methods.suffixes()}
  assert known <= registered
