"""Parameters, FLOPs and what distilling costs: by hand and by the network."""

import math

import pytest

from distill.comparison import economics, results, statistics
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


@pytest.mark.parametrize("tied", [True, False])
def test_parameters_by_hand(tied):
  config = T5Config(**{**vars(SMALL), "logits_via_embedding": tied})
  # Attention has 4 · 8 · 6 weights a layer, feed-forward 3 · 8 · 5.
  encoder, decoder = 192 + 120, 3 * (2 * 192 + 120)
  norms, tables = (2 + 3 * 3 + 2) * 8, (1 if tied else 2) * 11 * 8
  biases = 2 * 32 * 2  # 32 buckets a head in each stack
  expected = encoder + decoder + norms + tables + biases
  assert economics.parameters(config) == expected


def test_flops_by_hand():
  # Attention 4 · 8 · 6 = 192 weights a layer, feed-forward 3 · 8 · 5 = 120.
  encoder = 2 * (192 + 120) + 2 * 3 * 2 * 8 * 6  # own, and the decoder's keys
  decoder = 2 * 3 * (6 * 8 * 6 + 120) + 2 * 8 * 11
  assert economics.forward_flops(SMALL, 7, 2) == (
    # Two products of 6 · 7 multiplications and additions a head and token.
    7 * (encoder + 4 * 6 * 7) + 2 * (decoder + 3 * 4 * 6 * (7 + 2))
  )


def test_memory_by_hand():
  cached = 3 * 2 * 6 * (7 + 2)
  weights = economics.parameters(SMALL)
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
