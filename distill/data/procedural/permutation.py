"""A pseudo-random order of a finite space, computed place by place."""

import hashlib

_ROUNDS = 4


class Permutation:
  """Maps each of 0 … size-1 to another one of them, by seed.

  A Feistel network over the next power of four, walked until it comes back
  into range: no memory, no repeats, any size.
  """

  def __init__(self, size: int, seed: int) -> None:
    self._size = size
    self._half_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    self._half_bytes = (self._half_bits + 7) // 8
    self._mask = (1 << self._half_bits) - 1
    self._keys = [f"{seed}/{turn}/".encode() for turn in range(_ROUNDS)]

  def __getitem__(self, place: int) -> int:
    """Returns what stands at `place`, both in [0, size)."""
    while True:
      place = self._mix(place)
      if place < self._size:
        return place

  def _mix(self, value: int) -> int:
    left, right = value >> self._half_bits, value & self._mask
    for key in self._keys:
      data = key + right.to_bytes(self._half_bytes, "little")
      digest = hashlib.shake_128(data).digest(self._half_bytes)
      noise = int.from_bytes(digest, "little") & self._mask
      left, right = right, left ^ noise
    return left << self._half_bits | right
