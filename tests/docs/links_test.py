"""Links, anchors and paths in the documentation lead somewhere."""

import pathlib
import re

import pytest

from distill import cli

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FOLDERS = "distill|tasks|tests|scripts|bench|gin_configs"
PATH = re.compile(rf"`((?:{FOLDERS})/[^`]*)`")
GIN = re.compile(r"\b(?:models|runs|experiments|grids|macros)/\w+\.gin\b")
# A changelog names what there was.
LASTING = [page for page in PAGES if page.name != "CHANGELOG.md"]


def name(page):
  return page.stem


def anchors(page):
  """Returns the anchors that GitHub makes of a page's headings."""
  found = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
  return {
    re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    for heading in found
  }


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_link_names_a_page_and_a_heading_that_are_there(page):
  for link in LINK.findall(page.read_text()):
    path, _, anchor = link.partition("#")
    if link.startswith(("http:", "https:")):
      continue
    target = (page.parent / path).resolve() if path else page
    assert target.exists(), link
    assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", LASTING, ids=name)
def test_a_path_of_the_repository_is_there(page):
  for path in PATH.findall(page.read_text()):
    first = path.split()[0].rstrip(",")
    if not re.search(r"[{}<>*…X]", first):
      assert (ROOT / first).exists(), path


@pytest.mark.parametrize("page", LASTING, ids=name)
def test_a_gin_file_is_there(page):
  # docs/t5x.md names T5X's own files too, after 't5x/…/'.
  found = re.sub(r"`t5x/[^`]*`", "", page.read_text())
  for path in GIN.findall(found):
    name = pathlib.Path(path).name
    assert name == "X.gin" or (ROOT / "gin_configs" / path).exists(), path


def test_the_index_lists_every_page():
  index = ROOT / "docs/index.md"
  listed = set(LINK.findall(index.read_text()))
  assert {page.name for page in (ROOT / "docs").glob("*.md")} <= listed | {
    "index.md"
  }


def test_the_index_lists_every_command():
  text = (ROOT / "docs/index.md").read_text()
  for command, what in cli.COMMANDS.items():
    assert f"| `distill {command}` | {what} |" in text


def test_the_site_has_the_pages_of_the_index_in_their_order():
  index = (ROOT / "docs/index.md").read_text().partition("## Commands")[0]
  listed = [
    pathlib.Path(link).name.lower()
    for link in LINK.findall(index)
    if link.endswith(".md")
  ]
  nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
  pages = re.findall(r"\S+\.md", nav)
  more = ("index.md", "results/index.md", "changelog.md")
  assert [page for page in pages if page not in more] == listed
