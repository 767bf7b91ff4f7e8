"""The pages of docs/ list what the gin files and the code define."""

import importlib.util
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages():
  spec = importlib.util.spec_from_file_location(
    "gin_reference", ROOT / "scripts/gin_reference.py"
  )
  script = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(script)
  return script.pages()


@pytest.mark.parametrize("page", ["macros.md", "configurables.md", "t5x.md"])
def test_a_page_is_what_the_script_writes(page, pages):
  assert (ROOT / "docs" / page).read_text() == pages[page]
