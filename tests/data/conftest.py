"""What tests of the data path share: gin's vocabulary, a dataset, a teacher."""

import contextlib
import dataclasses
import types

import gin
import pytest
import seqio

from distill.answers.rules import TextAnswer
from distill.data import registration
from distill.data.cache import building
from distill.data.examples import Example
from distill.teacher import styles
from distill.teacher.attempts import Collection
from distill.teacher.interface import Response
from distill.teacher.prompts import PromptTemplate

PROMPT = PromptTemplate("plain", "Q: {input}\nA:", "0" * 64)


@dataclasses.dataclass(frozen=True)
class ListDataset:
  """A user's own dataset: three rows a split unless told otherwise."""

  name: str = "toy"
  rows: tuple[tuple[str, str], ...] = (("a b", "b"), ("c d", "d"), ("e f", "f"))
  splits: tuple[str, ...] = ("train", "validation", "test")

  def examples(self, split):
    return [
      Example(f"{split}{i}", text, label)
      for i, (text, label) in enumerate(self.rows)
    ]


class ListTeacher:
  """Completes prompts by a table from input to completion, or to several."""

  def __init__(self, completions, logprobs=None, name="list"):
    self.name = name
    self.completions = completions
    self.logprobs = logprobs

  async def complete(self, request):
    text = self.completions[request.prompt[3:-3]]
    if not isinstance(text, str):
      text = text[request.sample]
    return Response(text, "stop", 5, 7, self.logprobs)


class SilentTeacher(ListTeacher):
  """The same teacher, who must not be asked again."""

  def __init__(self):
    super().__init__({})


TEACHER = ListTeacher(
  {
    "a b": "The last is b. So the answer is b.",
    "c d": "The last is c. So the answer is c.",
    "e f": "I do not know.",
  }
)


def cache(
  directory,
  dataset=None,
  split="train",
  teacher=TEACHER,
  samples=1,
  journal=None,
  **options,
):
  rule = TextAnswer()
  return building.build_cache(
    dataset or ListDataset(),
    split,
    Collection(
      teacher, styles.FewShot(PROMPT, rule), samples=samples, journal=journal
    ),
    rule,
    str(directory),
    **options,
  )


@contextlib.contextmanager
def registered(dataset, **options):
  """Registers a family for the length of a test."""
  options = {"answer_rule": TextAnswer(), "prompt": "plain", **options}
  registration.register_family(dataset, **options)
  try:
    yield dataset
  finally:
    del registration.FAMILIES[dataset.name]
    for registry in (seqio.TaskRegistry, seqio.MixtureRegistry):
      for name in list(registry.names()):
        if name.startswith(f"{dataset.name}_"):
          registry.remove(name)


@pytest.fixture(scope="session")
def toy():
  """Returns the names above; test modules cannot import a conftest."""
  return types.SimpleNamespace(
    Dataset=ListDataset,
    Teacher=ListTeacher,
    SilentTeacher=SilentTeacher,
    TEACHER=TEACHER,
    cache=cache,
    registered=registered,
  )


BYTES = """
from __gin__ import dynamic_registration
import seqio
from distill.data import vocabulary
vocabulary.model_vocabulary.vocabulary = %VOCABULARY
VOCABULARY = @seqio.ByteVocabulary()
"""


@pytest.fixture
def byte_vocabulary():
  """A model file's half of the bargain: ByT5's bytes, ids from 3."""
  with gin.unlock_config():
    gin.clear_config()
    gin.parse_config(BYTES)
  yield
  gin.clear_config()
