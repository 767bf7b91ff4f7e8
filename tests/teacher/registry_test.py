"""Teachers by name, with errors that say what there is."""

import pytest

from distill.errors import UserError
from distill.teacher.builtin.teacher import BuiltinTeacher
from distill.teacher.registry import create_teacher


def test_a_teacher_gets_its_options():
  teacher = create_teacher("builtin", error_rate=0.25, seed=3)
  assert teacher == BuiltinTeacher(0.25, 3)
  assert teacher.name == "builtin(error_rate=0.25,seed=3)"
  assert create_teacher("builtin").name == "builtin"


@pytest.mark.parametrize(
  "name, options, named",
  [
    ("gpt-5", {}, "one of builtin"),
    ("builtin", {"rate": 0.5}, "error_rate, seed"),
    ("builtin", {"error_rate": 1.5}, "1.5"),
  ],
)
def test_a_wrong_name_or_option_is_named_with_the_right_ones(
  name, options, named
):
  with pytest.raises(UserError, match=named):
    create_teacher(name, **options)
