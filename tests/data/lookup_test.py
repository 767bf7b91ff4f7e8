"""Names of tasks and modules: what is found, and what is said otherwise."""

import pytest
import seqio

from distill.data import lookup, methods, registration
from distill.errors import UserError


def test_a_module_that_a_package_lacks_is_the_users_mistake(
  tmp_path, monkeypatch
):
  (tmp_path / "lookup_empty").mkdir()
  (tmp_path / "lookup_empty" / "__init__.py").touch()
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(UserError, match="'lookup_empty.task'"):
    lookup.import_registrations("lookup_empty.task")


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
  lookup.import_registrations("tasks")
  shipped = lookup.shipped_families()
  assert {*shipped} <= {*registration.FAMILIES}
  registered = {
    name
    for registry in (seqio.TaskRegistry, seqio.MixtureRegistry)
    for name in registry.names()
    if name.startswith(tuple(f"{family}_" for family in shipped))
  }
  for name in registered:
    lookup.check_task(name)
  known = {f + s for f in shipped for s in methods.suffixes()}
  assert known <= registered
