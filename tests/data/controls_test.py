"""The controls keep everything but what a rationale says of its example."""

import pytest
import seqio

from distill.data import loss_weights

ROWS = tuple((f"question {i}", f"word{i}") for i in range(5))


@pytest.fixture
def targets(toy, tmp_path, monkeypatch, byte_vocabulary):
  """Registers controls; gives a function from task to {id: target tokens}."""
  monkeypatch.setenv("DISTILL_DATA_DIR", str(tmp_path))
  dataset = toy.Dataset("controlled", ROWS)
  teacher = toy.Teacher(
    {q: f"Because of {a}. So the answer is {a}." for q, a in ROWS}
  )
  toy.cache(tmp_path / "controlled", dataset, teacher=teacher)

  def read(name, **options):
    task = seqio.TaskRegistry.get(f"controlled_{name}")
    rows = task.get_dataset(split="train", **options).as_numpy_iterator()
    return {row["id"]: row["targets"].tolist() for row in rows}

  with toy.registered(dataset):
    yield read


def test_shuffled_rationales_are_those_of_others(targets):
  own = targets("rationale", shuffle=False)
  shuffled = targets("rationale_shuffled", shuffle=False)
  assert own.keys() == shuffled.keys() and len(own) == 5
  assert all(own[key] != shuffled[key] for key in own)
  assert sorted(own.values()) == sorted(shuffled.values())


def test_permuted_rationales_keep_their_tokens_and_their_end(targets):
  own = targets("rationale", shuffle=False)
  permuted = targets("rationale_permuted", shuffle=False)
  again = targets("rationale_permuted", shuffle=True, seed=3)
  assert permuted == again
  for key, tokens in own.items():
    assert permuted[key] != tokens
    assert sorted(permuted[key]) == sorted(tokens)
    assert permuted[key][-1] == 1


def test_filler_is_as_long_and_says_nothing(targets):
  own = targets("rationale", shuffle=False)
  filler = targets("rationale_filler", shuffle=False)
  dot = ord(".") + 3
  assert filler == {
    key: [dot] * (len(tokens) - 1) + [1] for key, tokens in own.items()
  }


def test_the_label_is_repeated_for_as_many_words(targets):
  repeated = targets("rationale_repeated", shuffle=False)
  said = {
    key: bytes(token - 3 for token in tokens[:-1]).decode()
    for key, tokens in repeated.items()
  }
  # 'Because of word0.' has three words.
  assert said == {
    f"train{i}".encode(): f"word{i} word{i} word{i}" for i in range(5)
  }


@pytest.mark.parametrize("kind", ["shuffled", "permuted", "filler", "repeated"])
def test_controls_are_step_by_step_in_all_else(targets, kind):
  mixture = f"controlled_step_by_step_{kind}"
  tasks = {task.name for task in seqio.MixtureRegistry.get(mixture).tasks}
  assert tasks == {"controlled_label", f"controlled_rationale_{kind}"}
  weights = loss_weights.loss_group_weights(mixture, 0.5)
  assert weights == (1, 0.5, 0.5, 0)
