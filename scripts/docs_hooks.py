"""MkDocs hooks: the pages that are not in docs/, and the links to them.

mkdocs.yml names this file. Links are written for the repository. On the site,
the pages of the top folder stand beside those of docs/, in lower case.
"""

import pathlib
import re
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parent.parent
MOVED = {
  "README.md": "readme.md",
  "CONTRIBUTING.md": "contributing.md",
  "CHANGELOG.md": "changelog.md",
  "Dockerfile": "Dockerfile",
}
LINK = re.compile(r"\]\(([^)#\s]+)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
  """Returns the files of docs/, those of the top folder and a list of results.

  docs.sh downloads `mermaid.min.js`, so that diagrams need no network.
  """
  for name, target in MOVED.items():
    path = str(ROOT / name)
    files.append(File.generated(config, target, abs_src_path=path))
  results = sorted((ROOT / "docs/results").glob("*.md"))
  lines = [f"- [{path.stem}]({path.name})" for path in results]
  content = "\n".join(["# Results", "", *lines])
  files.append(File.generated(config, "results/index.md", content=content))
  script = ROOT / "build/mermaid.min.js"
  if script.exists():
    path = str(script)
    files.append(File.generated(config, script.name, abs_src_path=path))
    config.extra_javascript.append(script.name)
  return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
  """Returns a page's text with the links that it has on the site."""
  del page

  def moved(match: re.Match[str]) -> str:
    target = match[1].removeprefix("../").removeprefix("docs/")
    return "](" + {**MOVED, "results": "results/index.md"}.get(target, target)

  return LINK.sub(moved, markdown)
