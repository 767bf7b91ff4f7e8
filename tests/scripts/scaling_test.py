"""docs/scaling.md has what its commands print."""

import importlib.util
import pathlib

SPEC = importlib.util.spec_from_file_location(
  "scaling", pathlib.Path(__file__).parents[2] / "scripts" / "scaling.py"
)
scaling = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(scaling)


def test_the_formulas_of_the_page_are_what_the_command_prints():
  page = scaling.PAGE.read_text()
  assert page.count("--cost") >= 4
  assert scaling.rewritten(page, compiling=False) == page


def test_a_wrong_figure_is_replaced_and_a_compiled_one_is_kept():
  command = "distill plan --gin_file=experiments/last_letters_tiny_cot.gin \\\n"
  page = (
    f"```sh\n{command}  --topology=h100:8 --cost\n```\n\n```\nwrong\n```\n"
    f"```sh\n{command}  --topology=v5e:4x4\n```\n\n```\nkept\n```\n"
  )
  found = scaling.rewritten(page, compiling=False)
  assert "wrong" not in found and "The run fits on h100:8" in found
  assert found.endswith("```\nkept\n```\n")
