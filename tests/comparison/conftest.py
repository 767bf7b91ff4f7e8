"""Rows of students, to be put together as tests need them."""

import pytest

from distill.comparison import results


def make_row(right="1100", seed=0, accuracy=None, **fields):
  """Returns a row whose accuracy is that of `right`."""
  if accuracy is None:
    accuracy = 100 * right.count("1") / len(right)
  return results.Result(
    **{
      "task": "last_letters",
      "evaluated": "last_letters",
      "method": "finetune",
      "model": "tiny",
      "teacher": "",
      "train_examples": round(500 * fields.get("fraction", 1.0)),
      "fraction": 1.0,
      "coverage": 1.0,
      "seed": seed,
      "protocol": "best_on_validation",
      "metrics": {"accuracy": accuracy},
      "right": right,
      "steps": 10,
      "target_tokens": 640,
      "cpu_seconds": 7.0,
      **fields,
    }
  )


@pytest.fixture
def row():
  return make_row


@pytest.fixture
def teacher():
  """One that read and wrote 1,000 tokens for 100 answers, at 5 dollars."""
  return results.Teacher(
    name="palm",
    model="PaLM",
    task="last_letters",
    split="train",
    answers=100,
    accuracy=70.0,
    prompt_tokens=900,
    completion_tokens=100,
    cost=5.0,
    parameters=1e6,
  )
