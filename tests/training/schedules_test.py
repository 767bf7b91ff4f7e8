"""Each factor's learning rate, worked out by hand."""

import jax.numpy as jnp
import numpy as np
import pytest

from distill.errors import UserError
from distill.training.schedules import FACTORS, create_learning_rate_scheduler

# Arguments, and the rate at some steps; warmup_steps is 100 unless said.
WORKED = {
  "constant": ({}, {0: 0.5, 10**6: 0.5}),
  "linear_warmup": ({}, {0: 1e-8, 25: 0.25, 100: 1.0, 900: 1.0}),
  "linear_decay": (
    {"decay_factor": 0.002},
    {0: 1e-8, 50: 0.25, 100: 0.5, 350: 0.25, 600: 1e-8, 9999: 1e-8},
  ),
  "rsqrt_decay": ({}, {0: 0.1, 100: 0.1, 400: 0.05}),
  "rsqrt_normalized_decay": ({}, {0: 1.0, 100: 1.0, 400: 0.5}),
  "decay_every": (
    {"steps_per_decay": 10, "decay_factor": 0.5},
    {0: 1.0, 9: 1.0, 10: 0.5, 35: 0.125},
  ),
  "cosine_decay": (
    {"steps_per_cycle": 400},
    {0: 1.0, 100: 1.0, 200: 0.5 + 0.5**1.5, 300: 0.5, 500: 1.0, 700: 0.5},
  ),
  # T5's own pre-training, then fine-tuning with a warm-up.
  "constant * rsqrt_decay": (
    {"base_learning_rate": 1.0, "warmup_steps": 10000},
    {0: 0.01, 40000: 0.005},
  ),
  " constant*linear_warmup ": ({}, {50: 0.25, 101: 0.5}),
}


@pytest.mark.parametrize("factors", WORKED)
def test_rates_by_hand(factors):
  arguments, rates = WORKED[factors]
  schedule = create_learning_rate_scheduler(
    factors, **{"warmup_steps": 100, **arguments}
  )
  for step, rate in rates.items():
    found = schedule(jnp.int32(step))
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, rate, rtol=1e-6, err_msg=f"step {step}")


def test_every_factor_has_a_worked_example():
  assert set(FACTORS) <= set(WORKED)


def test_the_offset_and_the_least_rate_hold_for_every_factor():
  schedule = create_learning_rate_scheduler(
    "linear_warmup", warmup_steps=10, step_offset=1000, min_learning_rate=0.01
  )
  rates = [float(schedule(jnp.int32(step))) for step in (0, 1000, 1005, 2000)]
  np.testing.assert_allclose(rates, [0.01, 0.01, 0.5, 1.0])


def test_an_unknown_factor_is_named_beside_all_that_there_are():
  with pytest.raises(UserError) as caught:
    create_learning_rate_scheduler("constant * rsqrt")
  assert "'rsqrt'" in str(caught.value)
  assert all(factor in str(caught.value) for factor in FACTORS)


@pytest.mark.parametrize(
  ("factors", "argument"),
  [
    ("constant * linear_warmup", "warmup_steps"),
    ("rsqrt_decay", "warmup_steps"),
    ("decay_every", "steps_per_decay"),
    ("cosine_decay", "steps_per_cycle"),
  ],
)
def test_a_division_by_no_steps_is_refused(factors, argument):
  with pytest.raises(UserError, match=argument):
    create_learning_rate_scheduler(factors, **{argument: 0})
  create_learning_rate_scheduler("constant", **{argument: 0})
