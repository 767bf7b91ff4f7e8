"""The order of a space: each place once, by seed, spread over the space."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.data.procedural.permutation import Permutation


@pytest.mark.parametrize("size", [1, 2, 3, 63, 64, 65, 1000])
def test_a_permutation_hits_each_place_once(size):
  order = Permutation(size, seed=3)
  assert sorted(order[i] for i in range(size)) == list(range(size))


def test_a_permutation_of_a_space_beyond_machine_words():
  size = 9800**40
  places = {Permutation(size, seed=0)[i] for i in range(200)}
  assert len(places) == 200
  # Spread over the space: some in its first and some in its last quarter.
  assert min(places) < size // 4 and max(places) > 3 * size // 4


@given(st.integers(2, 10**30), st.integers(0, 10**6), st.data())
def test_two_places_never_meet(size, seed, data):
  order = Permutation(size, seed)
  one = data.draw(st.integers(0, size - 1))
  other = data.draw(st.integers(0, size - 1).filter(lambda place: place != one))
  assert order[one] != order[other]
  assert 0 <= order[one] < size


def test_seeds_give_orders_that_have_little_in_common():
  orders = [
    [Permutation(1000, seed)[i] for i in range(1000)] for seed in (1, 2)
  ]
  # Two random orders agree in one place on average; 12 is beyond chance.
  assert sum(a == b for a, b in zip(*orders, strict=True)) < 12
  assert orders[0] == [Permutation(1000, 1)[i] for i in range(1000)]
