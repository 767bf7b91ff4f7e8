"""Prompt templates: text files with one placeholder, `{input}`.

A template of exemplars may also be a JSONL file. Each line has `input`,
`rationale` and `answer`; `exemplar_v1.txt` has the form of each exemplar.
"""

import hashlib
import json
import pathlib
import re
from dataclasses import dataclass

from distill.errors import UserError

HOLE = "{input}"
_FOLDER = pathlib.Path(__file__).parent / "prompts"
_EXEMPLAR = "exemplar_v1"


@dataclass(frozen=True)
class PromptTemplate:
  """A template, with the SHA-256 (hex) of the bytes of its files."""

  name: str
  text: str
  sha256: str

  def render(self, input: str) -> str:
    """Returns the prompt for `input`, whose braces stay as they are."""
    return self.text.replace(HOLE, input)

  def changed(self, by: str) -> "PromptTemplate":
    """Returns it with a name and a hash that also depend on `by`."""
    digest = hashlib.sha256(f"{self.sha256} {by}".encode()).hexdigest()
    return PromptTemplate(f"{self.name}({by})", self.text, digest)


def fill(text: str, **values: str) -> str:
  """Returns `text` with each `{name}` replaced by its value.

  All other braces stay, those in values too.
  """
  holes = "|".join(map(re.escape, values))
  return re.sub(rf"\{{({holes})\}}", lambda hole: values[hole[1]], text)


def load_prompt(name_or_path: str) -> PromptTemplate:
  """Returns a packaged template by its name, or a file by its path.

  A path has a slash or ends in '.txt' or '.jsonl'. Newlines at the end of the
  file are not part of the prompt, so that it ends in 'A:'.

  Raises:
    UserError: There is no such template, it is not UTF-8 text, it does not
      have exactly one placeholder, or a line of JSONL is not an exemplar.
  """
  if "/" in name_or_path or name_or_path.endswith((".txt", ".jsonl")):
    path = pathlib.Path(name_or_path)
  else:
    path = _FOLDER / f"{name_or_path}.txt"
  if not path.is_file():
    known = sorted(file.stem for file in _FOLDER.glob("*.txt"))
    raise UserError(
      f"There is no prompt template '{name_or_path}'.",
      expected="one of " + ", ".join(known) + ", or the path of a .txt file"
      " or of a .jsonl file of exemplars",
      remedy="correct the name, or write the file",
    )
  content = path.read_bytes()
  try:
    text = content.decode("utf-8").rstrip("\r\n")
  except UnicodeDecodeError as error:
    raise UserError(
      f"The prompt template {path} is not text.",
      expected="UTF-8",
      found=str(error),
      remedy="save it as UTF-8",
    ) from error
  if path.suffix == ".jsonl":
    form = load_prompt(_EXEMPLAR)
    text = _exemplars(text, form.text, path)
    content += form.sha256.encode()
  if text.count(HOLE) != 1:
    raise UserError(
      f"The prompt template {path} must have one place for the input.",
      expected=f"{HOLE} exactly once",
      found=f"{text.count(HOLE)} times",
      remedy=f"write {HOLE} once, where the question goes",
    )
  return PromptTemplate(path.stem, text, hashlib.sha256(content).hexdigest())


def _exemplars(text: str, form: str, path: pathlib.Path) -> str:
  """Returns the exemplars of a JSONL text, then the placeholder."""
  shown = []
  for number, line in enumerate(text.split("\n"), start=1):
    try:
      row = json.loads(line)
      values = {key: row[key] for key in ("input", "rationale", "answer")}
      shown.append(fill(form, **values))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
      raise UserError(
        f"Line {number} of {path} is not an exemplar.",
        expected='{"input": "…", "rationale": "…", "answer": "…"}',
        found=f"{line[:60]} ({type(error).__name__}: {error})",
      ) from error
  question = form.partition(HOLE)[0] + HOLE
  return "\n\n".join([*shown, f"{question}\nA:"])
