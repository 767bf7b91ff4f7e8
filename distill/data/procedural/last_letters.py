"""Last-letter concatenation (Wei et al. 2022, 4), over made-up words."""

from dataclasses import dataclass

from distill.data.procedural.generation import (
  Choices,
  ProceduralDataset,
  check_number,
)

_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
# Half of the words end in a consonant, so that no ending is a good guess; two
# in three have a syllable in front, so that no place in the question is.
_LENGTHS = (3, 4)
_STARTS = ("", "be", "so")


@dataclass(frozen=True)
class LastLetters(ProceduralDataset):
  """'Join the last letters of "mifo taru keb".' → 'oub'.

  Attributes:
    words: How many words, the difficulty; at 3 an input has under 49 bytes.
  """

  name: str = "last_letters"
  words: int = 3

  def __post_init__(self) -> None:
    super().__post_init__()
    check_number("The number of words", self.words, 1, 100)

  def draw(self, choices: Choices) -> tuple[str, str]:
    """Returns the question and the joined last letters."""
    words = [_word(choices) for _ in range(self.words)]
    label = "".join(word[-1] for word in words)
    return f'Join the last letters of "{" ".join(words)}".', label


def _word(choices: Choices) -> str:
  start, length = choices.pick(_STARTS), choices.pick(_LENGTHS)
  # Always four letters, of which a short word drops the last: the number of
  # options must not depend on the length.
  letters = [choices.pick(kind) for kind in (_CONSONANTS, _VOWELS) * 2]
  return start + "".join(letters[:length])
