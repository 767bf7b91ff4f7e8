"""scripts/docs.sh: the documentation as a static site, strict about links."""

import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def build(folder):
  """Runs a folder's scripts/docs.sh; returns its exit code and its output."""
  done = subprocess.run(
    ["scripts/docs.sh"], cwd=folder, capture_output=True, text=True, check=False
  )
  return done.returncode, done.stdout + done.stderr


@pytest.fixture
def copy(tmp_path):
  """A copy of what the site is made of, with this clone's environment."""
  for name in ("docs", "scripts"):
    shutil.copytree(ROOT / name, tmp_path / name)
  for path in ROOT.iterdir():
    if path.is_file():
      shutil.copy(path, tmp_path)
  installed, pins = ROOT / ".venv-docs/installed", ROOT / "constraints.txt"
  if installed.exists() and installed.read_text() == pins.read_text():
    (tmp_path / ".venv-docs").symlink_to(ROOT / ".venv-docs")
  return tmp_path


@pytest.mark.long
def test_the_site_is_built_and_a_broken_link_is_refused(copy):
  code, output = build(copy)
  if "No matching distribution" in output:
    pytest.skip("mkdocs-material cannot be installed here")
  assert code == 0, output
  pages = {path.stem for path in (copy / "build/site").glob("*.html")}
  assert {path.stem for path in (copy / "docs").glob("*.md")} < pages
  architecture = (copy / "build/site/architecture.html").read_text()
  source = (copy / "docs/architecture.md").read_text()
  diagrams = architecture.count('<pre class="mermaid">')
  assert diagrams == source.count("```mermaid") > 0
  # No page loads a script or a style of another host.
  for path in (copy / "build/site").rglob("*.html"):
    for address in re.findall(
      r'(?:src|stylesheet" href)="([^"]+)', path.read_text()
    ):
      assert not address.startswith("http"), (path.name, address)
  (copy / "docs/loss.md").open("a").write("[x](index.md#no-such-heading)\n")
  code, output = build(copy)
  assert code != 0 and "no-such-heading" in output
