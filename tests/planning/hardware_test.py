"""Chips, slices and nodes by their names."""

import pytest

from distill import errors
from distill.planning import hardware


def test_a_slice_has_the_product_of_its_sides_of_chips():
  found = hardware.parse("V5P:8x8x16")
  assert (found.name, found.chips, found.devices) == ("v5p:8x8x16", 1024, 1024)
  assert hardware.parse("h100:8").chips == 8


def test_a_chip_of_two_devices_is_shared_between_them():
  found = hardware.parse("tpu7x:2x2x1")
  assert (found.chips, found.devices) == (4, 8)
  assert found.chip.memory == 96 * 2**30
  assert found.chip.peak == 2307e12 / 2


@pytest.mark.parametrize(
  ("name", "said"),
  [
    ("v5e:4", "v5e:4x4 or the like"),
    ("v4:4x4", "v4:4x4x4 or the like"),
    ("h100:0", "h100:4 or the like"),
    ("h100", "h100:4 or the like"),
    ("v6:4x4", "did you mean 'v6e'?"),
  ],
)
def test_a_name_that_means_nothing_is_refused(name, said):
  with pytest.raises(errors.UserError, match="topology|chip") as caught:
    hardware.parse(name)
  assert said in str(caught.value)


@pytest.mark.parametrize("name", hardware.chips())
def test_every_figure_has_a_source_and_every_price_a_date(name):
  chip = hardware.chips()[name]
  assert chip.source.startswith("https://")
  if chip.price is not None:
    assert "https://" in chip.price_source and chip.price_date
