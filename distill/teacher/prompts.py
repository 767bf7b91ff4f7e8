"""Prompt templates: text files with one hole, `{input}`."""

import hashlib
import pathlib
from dataclasses import dataclass

from distill.errors import UserError

HOLE = "{input}"
_FOLDER = pathlib.Path(__file__).parent / "prompts"


@dataclass(frozen=True)
class PromptTemplate:
  """A template, with the SHA-256 (hex) of the bytes of its file."""

  name: str
  text: str
  sha256: str

  def render(self, input: str) -> str:
    """Returns the prompt with `input`, braces and all, in the hole."""
    return self.text.replace(HOLE, input)


def load_prompt(name_or_path: str) -> PromptTemplate:
  """Returns a packaged template by its name, or any by its path.

  A path is whatever has a slash or ends in '.txt'. Trailing line ends of the
  file are not part of the prompt, so that it ends in 'A:'.

  Raises:
    UserError: There is no such template, it is not UTF-8 text, or it does not
      have exactly one hole.
  """
  if "/" in name_or_path or name_or_path.endswith(".txt"):
    path = pathlib.Path(name_or_path)
  else:
    path = _FOLDER / f"{name_or_path}.txt"
  if not path.is_file():
    known = sorted(file.stem for file in _FOLDER.glob("*.txt"))
    raise UserError(
      f"There is no prompt template '{name_or_path}'.",
      expected="one of " + ", ".join(known) + ", or the path of a .txt file",
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
  if text.count(HOLE) != 1:
    raise UserError(
      f"The prompt template {path} has no single place for the input.",
      expected=f"{HOLE} exactly once",
      found=f"{text.count(HOLE)} times",
      remedy=f"write {HOLE} where the question goes, and nowhere else",
    )
  return PromptTemplate(path.stem, text, hashlib.sha256(content).hexdigest())
