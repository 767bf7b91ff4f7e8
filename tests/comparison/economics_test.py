"""What distilling costs, by hand."""

import math

import pytest

from distill.comparison import economics, results, statistics
from distill.model import costs
from distill.model.config import T5Config

SMALL = T5Config(
  vocab_size=11,
  emb_dim=8,
  num_heads=2,
  num_encoder_layers=1,
  num_decoder_layers=3,
  head_dim=3,
  mlp_dim=5,
  mlp_activations=("gelu", "linear"),
)


def test_memory_by_hand():
  cached = 3 * 2 * 6 * (7 + 2)
  weights = costs.parameters(SMALL)
  assert economics.memory_bytes(SMALL, 7, 2) == 4 * (weights + cached)


STUDENT = {
  "training_flops": 1e9,
  "prediction_flops": 1e3,
  "memory_bytes": 2e6,
  "prediction_seconds": 0.036,
}


def balance(row, teacher, **fields):
  [group] = statistics.group(
    [row(cpu_seconds=7200.0, student=STUDENT, teacher="palm")]
  )
  found = results.Results(
    grid="mine", command="", rows=group.rows, teachers=[teacher], **fields
  )
  return economics.balance(found, group)


def test_queries_after_which_distilling_paid(row, teacher):
  found = balance(row, teacher, cpu_hour_price=0.5)
  # 5 dollars for the cache, 1 for training; 5 cents a query of the teacher's,
  # and 0.036 s at 0.5 dollars an hour, 0.0005 cents, of the student's.
  assert found["pays after ($)"] == pytest.approx(6 / (0.05 - 0.000005))
  # 2 · 1e6 parameters · 1,000 tokens for 100 answers.
  assert found["teacher FLOPs a query"] == pytest.approx(2e7)
  assert found["pays after (FLOPs)"] == pytest.approx((2e9 + 1e9) / (2e7 - 1e3))
  assert (found["MB"], found["ms a query"]) == pytest.approx((2.0, 36.0))


def test_what_is_not_known_is_not_invented(row, teacher):
  unpriced = balance(row, teacher)
  assert unpriced["pays after ($)"] is None
  assert unpriced["teacher $ a query"] == 0.05


def test_a_free_teacher_is_never_dearer(row, teacher):
  free = results.Teacher(**{**vars(teacher), "cost": 0.0})
  found = balance(row, free, cpu_hour_price=0.5)
  assert found["pays after ($)"] == math.inf
