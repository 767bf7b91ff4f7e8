"""docs/macros.md lists the macros that the gin files define."""

import importlib.util
import pathlib

ROOT = pathlib.Path(__file__).parents[2]


def test_the_page_is_what_the_gin_files_define():
  spec = importlib.util.spec_from_file_location(
    "macro_reference", ROOT / "scripts/macro_reference.py"
  )
  script = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(script)
  assert (ROOT / "docs/macros.md").read_text() == script.page()
