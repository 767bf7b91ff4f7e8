"""Chips with their prices; slices and nodes of them: `v5e:4x4`, `h100:8`."""

import dataclasses
import datetime
import functools
import math
import pathlib
import re
import tomllib

from distill import errors

TABLE = pathlib.Path(__file__).parent / "chips.toml"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chip:
  """A kind of chip, in figures of one device of JAX.

  Attributes:
    title: Its full name.
    memory: Bytes.
    peak: Matrix products in bfloat16, FLOP/s.
    bandwidth: Of the memory, byte/s.
    network: What a device sends to others of the slice or node, byte/s.
    source: Where these figures are from.
    dimensions: The sides of a TPU slice; 0 for a GPU.
    devices: JAX's devices on one chip.
    price: US dollars for a chip-hour; None if unknown.
    price_source: Where the price is from.
    price_date: The day on which it was read.
  """

  title: str
  memory: float
  peak: float
  bandwidth: float
  network: float
  source: str
  dimensions: int = 0
  devices: int = 1
  price: float | None = None
  price_source: str = ""
  price_date: datetime.date | None = None


@dataclasses.dataclass(frozen=True)
class Topology:
  """A TPU slice or a GPU node.

  Attributes:
    name: As typed, such as `v5e:4x4`.
    chip: The kind of its chips.
    chips: Their number.
  """

  name: str
  chip: Chip
  chips: int

  @property
  def devices(self) -> int:
    """The number of JAX's devices."""
    return self.chips * self.chip.devices


@functools.cache
def chips() -> dict[str, Chip]:
  """Returns the chips of the table by their names."""
  table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
  shared = ("memory", "peak", "bandwidth", "network")
  found = {}
  for name, row in table.items():
    each = {key: row[key] / row.get("devices", 1) for key in shared}
    found[name] = Chip(**(row | each))
  return found


def parse(name: str) -> Topology:
  """Returns what a name such as `v5e:4x4` or `h100:8` stands for.

  Raises:
    UserError: There is no such chip, or its slices have other sides.
  """
  kind, _, sides = name.lower().partition(":")
  if kind not in chips():
    raise errors.unknown("chip", kind, chips(), "--topology=v5e:4x4")
  chip = chips()[kind]
  form = r"[1-9]\d*" + r"x[1-9]\d*" * max(0, chip.dimensions - 1)
  errors.require(
    "--topology",
    name,
    re.fullmatch(form, sides) is not None,
    f"{kind}:" + "x".join(["4"] * (chip.dimensions or 1)) + " or the like",
  )
  count = math.prod(int(side) for side in sides.split("x"))
  return Topology(f"{kind}:{sides}", chip, count)
