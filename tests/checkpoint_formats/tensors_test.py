"""A slice of a view is the view's slice, whatever the view does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from distill.checkpoint_formats import tensors

ARRAY = np.arange(3 * 4 * 5 * 6).reshape(3, 4, 5, 6)
VIEWS = {
  "whole": (lambda t: t, ARRAY),
  "transposed": (lambda t: t.transposed(), ARRAY.T),
  "layer": (lambda t: t.layer(1, 2), ARRAY[:, 2]),
  "joined": (lambda t: t.joined(1), ARRAY.reshape(3, 20, 6)),
  "joined first": (lambda t: t.joined(0), ARRAY.reshape(12, 5, 6)),
  "layer joined": (lambda t: t.layer(0, 1).joined(1), ARRAY[1].reshape(4, 30)),
}


@pytest.mark.parametrize("name", VIEWS)
@given(data=st.data())
def test_a_slice_of_a_view_reads_what_the_array_has_there(name, data):
  make, expected = VIEWS[name]
  view = make(tensors.in_memory(ARRAY, "somewhere"))
  assert view.shape == expected.shape
  index = []
  for size in data.draw(st.sampled_from([expected.shape, expected.shape[:1]])):
    start = data.draw(st.integers(0, size - 1))
    index.append(slice(start, data.draw(st.integers(start + 1, size))))
  np.testing.assert_array_equal(view.read(tuple(index)), expected[tuple(index)])


def test_no_more_than_the_slice_is_read():
  asked = []

  def read(index):
    asked.append(index)
    return ARRAY[index]

  tensor = tensors.Tensor(ARRAY.shape, ARRAY.dtype, "somewhere", read)
  tensor.layer(0, 1).joined(1).read((slice(0, 1), slice(5, 11)))
  [index] = asked
  sizes = [part.stop - part.start for part in index]
  # One layer, one row, and the two of five blocks that the columns lie in.
  assert sizes == [1, 1, 2, 6]
