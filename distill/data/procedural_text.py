"""Procedural text: sentences for a student to learn to read and write from.

People and made-up words give, find, meet, compare and repeat one another, are
put in an order, and are spelled, counted and copied. The text has no question,
label or rationale of the procedural datasets, and shares no three words in a
row with them.
"""

import hashlib
from collections.abc import Callable, Iterator

from distill.data.procedural import Choices
from distill.errors import require

# None of them is in a procedural dataset. A word of three letters could be a
# label of last letters, so that names and made-up words are longer.
_PEOPLE = (
  "Boris Clara Cleo Diego Dora Emil Erika Faye Frida Greta Henri Hugo "
  "Ines Irena Jonas Lena Nora Otto Rosa Tess Vera Will Yara Zeno"
).split()
_PLACES = "bridge gate hill house lake road tower tree wall well".split()
_QUALITIES = "taller older faster louder kinder wiser".split()
_ORDER = "first second third fourth".split()
_NUMBERS = (
  "one two three four five six seven eight nine ten eleven twelve"
).split()
_CONSONANTS = "bcdfghjklmnprstvwz"
_VOWELS = "aeiou"
_STARTS = ("", "be", "so", "al", "in")
_LENGTHS = (4, 5)


def _word(choices: Choices) -> str:
  kinds = (_CONSONANTS, _VOWELS) * 2 + (_CONSONANTS,)
  letters = [choices.pick(kind) for kind in kinds]
  return choices.pick(_STARTS) + "".join(letters[: choices.pick(_LENGTHS)])


def _words(choices: Choices) -> list[str]:
  return [_word(choices) for _ in range(choices.pick((2, 3, 3, 4)))]


def _give(choices: Choices) -> str:
  a, b, c = choices.sample(_PEOPLE, 3)
  word = _word(choices)
  return f"{a} gives {b} the {word}. {b} gives the {word} to {c}."


def _find(choices: Choices) -> str:
  a, b = choices.sample(_PEOPLE, 2)
  word, place = _word(choices), choices.pick(_PLACES)
  return f"{a} finds the {word} near the {place}. {b} wants the {word}."


def _meet(choices: Choices) -> str:
  a, b = choices.sample(_PEOPLE, 2)
  place = choices.pick(_PLACES)
  return f"{a} meets {b} at the {place}. At the {place}, {b} meets {a}."


def _compare(choices: Choices) -> str:
  a, b, c = choices.sample(_PEOPLE, 3)
  more = choices.pick(_QUALITIES)
  return f"{a} is {more} than {b}, {b} than {c}. So {a} is {more} than {c}."


def _repeat(choices: Choices) -> str:
  a, b = choices.sample(_PEOPLE, 2)
  said = " ".join(_words(choices))
  return f'{a} says "{said}". {b} also says "{said}".'


def _put_in_order(choices: Choices) -> str:
  words = _words(choices)
  places = list(zip(_ORDER, words, strict=False))
  if choices.below(2):
    places = choices.sample(places, len(places))
  named = ", ".join(f"{word} is {place}" for place, word in places)
  return f'In "{" ".join(words)}", {named}.'


def _spell(choices: Choices) -> str:
  words = [_word(choices) for _ in range(choices.pick((1, 2, 3)))]
  return " ".join(f'"{word}" is spelled {" ".join(word)}.' for word in words)


def _unspell(choices: Choices) -> str:
  word = _word(choices)
  person = choices.pick(_PEOPLE)
  return f'{person} spells {" ".join(word)}, and reads "{word}".'


def _count(choices: Choices) -> str:
  start, word = choices.below(7), _word(choices)
  counted = _NUMBERS[start : start + choices.pick((3, 4, 5))]
  person = choices.pick(_PEOPLE)
  return f"{person} counts {', '.join(counted)}: {counted[-1]} {word}s."


def _copy(choices: Choices) -> str:
  words = " ".join(_words(choices))
  return f'"{words}" again is "{words}".'


# Spelling and order come more often: they are the hardest to learn.
_KINDS: tuple[Callable[[Choices], str], ...] = (
  *(_give, _find, _meet, _compare, _repeat, _count, _copy, _unspell),
  *(_put_in_order,) * 2,
  *(_spell,) * 3,
)


def lines(count: int, seed: int = 0) -> Iterator[str]:
  """Yields lines of text, the same ones for the same seed.

  Args:
    count: The number of lines; a smaller number gives their beginning.
    seed: Decides what the lines say.

  Raises:
    UserError: `count` is no number of lines.
  """
  ok = isinstance(count, int) and count > 0
  require("The number of lines", count, ok, "a whole number above 0")
  for number in range(count):
    digest = hashlib.shake_128(f"{seed}/{number}".encode()).digest(64)
    choices = Choices(int.from_bytes(digest, "little"))
    yield choices.pick(_KINDS)(choices)
