"""What a compiled program does, read from its HLO text, with loops unrolled.

XLA's own `cost_analysis` counts the body of a loop once. Here each computation
counts as often as it runs: microbatches and scanned layers by the trip count
that XLA notes at the loop.
"""

import collections
import dataclasses
import functools
import math
import re
from collections.abc import Iterator, Mapping, Sequence

_BYTES = {"pred": 1, "token": 0, "opaque": 0, "c64": 8, "c128": 16}
_TYPE = re.compile(r"\b([a-z]\w*)\[([\d,]*)\](?:\{([^}]*)\})?")
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.-]+) (?:\(.*)?\{$")
_INSTRUCTION = re.compile(
  r"^\s+(?:ROOT )?%?([\w.-]+) = (.*?) ([a-z][\w-]*)\((.*)$"
)
_CALLED = re.compile(
  r"\b(?:calls|to_apply|body|condition|true_computation|false_computation"
  r"|branch_computations|called_computations)=(\{[^}]*\}|%?[\w.-]+)"
)
_TRIPS = re.compile(r'known_trip_count":\{"n":"(\d+)"')
_CONTROL = ("while", "conditional", "call")
COLLECTIVES = (
  "all-reduce",
  "all-gather",
  "reduce-scatter",
  "all-to-all",
  "collective-permute",
)
# They move no bytes themselves.
_FREE = {
  *("parameter", "constant", "iota", "tuple", "get-tuple-element", "bitcast"),
  *("while", "conditional", "call", "partition-id", "after-all", "domain"),
  *("opt-barrier", "copy-done", "async-update", "async-done"),
}


@dataclasses.dataclass(frozen=True)
class Work:
  """What one device does in one run of a program.

  Attributes:
    flops: FLOPs of all matrix products and convolutions.
    traffic: Bytes read from and written to the device's main memory.
    sent: For each kind of collective, the bytes that the device sends over a
      ring: all-reduce 2·(n-1)/n of its array, the others (n-1)/n, of n devices.
    unknown_loops: Loops without a known trip count, which count once.
  """

  flops: float
  traffic: float
  sent: Mapping[str, float]
  unknown_loops: int


@dataclasses.dataclass(frozen=True)
class _Instruction:
  type: str
  opcode: str
  operands: tuple[str, ...]
  attributes: str


_Computations = dict[str, dict[str, _Instruction]]
# The instructions that have a value as an operand, with their names.
_Users = dict[str, list[tuple[str, _Instruction]]]


def work(text: str, devices: int) -> Work:
  """Returns what a program does.

  Args:
    text: The HLO of one device, of `compiled.as_text()`.
    devices: The devices that the program runs on.
  """
  computations, entry = _parse(text)
  sums: dict[str, float] = collections.defaultdict(float)
  sent: dict[str, float] = collections.defaultdict(float)

  def add(name: str, times: int, fused: bool) -> None:
    inside = computations[name]
    for one in inside.values():
      sums["flops"] += times * _flops(one, inside)
      if not fused:
        sums["traffic"] += times * _traffic(one, inside, computations)
      kind = one.opcode.removesuffix("-start")
      if kind in COLLECTIVES:
        sent[kind] += times * _sent(kind, one, inside, devices)
      trips = _trips(one, computations) if one.opcode == "while" else 1
      sums["unknown"] += trips is None
      for called in _called(one):
        add(called, times * (trips or 1), fused or one.opcode not in _CONTROL)

  add(entry, 1, False)
  return Work(sums["flops"], sums["traffic"], dict(sent), int(sums["unknown"]))


def _trips(one: _Instruction, computations: _Computations) -> int | None:
  """Returns how often a loop runs, at most; None if it is not known.

  XLA for CPUs notes it. Elsewhere it is the number that the condition compares
  the loop's counter with, which starts at 0.
  """
  if known := _TRIPS.search(one.attributes):
    return int(known[1])
  condition = re.search(r"condition=%?([\w.-]+)", one.attributes)
  names = [condition[1]] if condition else []
  limits = []
  for name in names:  # Grows while it is read.
    for inner in computations[name].values():
      names += _called(inner)
      if inner.opcode == "constant" and inner.type.startswith("s32[]"):
        limits += [int(n) for n in inner.operands]
  return max(limits, default=None)


def _parse(text: str) -> tuple[_Computations, str]:
  """Returns computation → instruction's name → instruction, and the entry."""
  computations: _Computations = {}
  entry = name = ""
  for line in text.splitlines():
    if found := _COMPUTATION.match(line):
      name = found[2]
      computations[name] = {}
      entry = name if found[1] else entry
    elif name and (found := _INSTRUCTION.match(line)):
      inner, attributes = _split_operands(found[4])
      numbered = found[3] in ("constant", "parameter")
      pattern = r"(-?\d+)" if numbered else r"%([\w.-]+)"
      operands = tuple(re.findall(pattern, inner))
      computations[name][found[1]] = _Instruction(
        found[2], found[3], operands, attributes
      )
  return computations, entry


def _split_operands(text: str) -> tuple[str, str]:
  """Splits 'a, b), attributes' at the parenthesis that closes the operands."""
  depth = 1
  for place, letter in enumerate(text):
    depth += (letter == "(") - (letter == ")")
    if not depth:
      return text[:place], text[place + 1 :]
  return text, ""


def _called(one: _Instruction) -> Iterator[str]:
  for names in _CALLED.findall(one.attributes):
    yield from re.findall(r"[\w.-]+", names)


def _shape(text: str) -> list[int]:
  """Returns the sides of the first array of a type."""
  found = _TYPE.search(text)
  return [int(n) for n in found[2].split(",") if n] if found else []


def _bytes(text: str, main_memory: bool = False) -> int:
  """Returns the bytes of a type; `main_memory` leaves out those on the chip."""
  total = 0
  for kind, sides, layout in _TYPE.findall(text):
    if not (main_memory and "S(1)" in layout):
      bits = re.search(r"\d+", kind)
      size = _BYTES.get(kind, int(bits[0]) / 8 if bits else 0)
      total += int(size * math.prod(int(n) for n in sides.split(",") if n))
  return total


def _traffic(
  one: _Instruction,
  inside: Mapping[str, _Instruction],
  computations: _Computations,
) -> int:
  if one.opcode in _FREE or one.opcode.endswith("-done"):
    return 0
  if one.opcode == "fusion":
    return _fusion_traffic(one, inside, computations[next(_called(one))])
  written = one.type
  if one.opcode.endswith("-start"):  # A tuple of source, result and a context.
    written = ""
  read = [inside[name].type for name in one.operands if name in inside]
  if one.opcode == "dynamic-update-slice":  # In place.
    return 2 * _bytes(read[1], True)
  if one.opcode in ("dynamic-slice", "gather", "slice"):
    return 2 * _bytes(written, True)
  return sum(_bytes(part, True) for part in [written, *read])


def _fusion_traffic(
  one: _Instruction,
  inside: Mapping[str, _Instruction],
  fused: Mapping[str, _Instruction],
) -> int:
  """Returns the traffic of a fusion.

  An operand that is only sliced is read in part. A result that is an update of
  an operand is written in part, in place. Loops slice and update what they
  stack, such as the parameters and activations of scanned layers.
  """
  users: _Users = collections.defaultdict(list)
  for user, inner in fused.items():
    for name in inner.operands:
      users[name].append((user, inner))
  total = 0
  for name, inner in fused.items():
    if inner.opcode == "parameter":
      operand = inside[one.operands[int(inner.operands[0])]].type
      total += min(_bytes(operand, True), _read(name, fused, users))
  root = list(fused.values())[-1]
  results = root.operands if root.opcode == "tuple" else ()
  outputs = [fused[name] for name in results] or [root]
  written = sum(_written(output, fused) for output in outputs)
  return total + min(_bytes(one.type, True), written)


def _read(name: str, fused: Mapping[str, _Instruction], users: _Users) -> int:
  """Returns the bytes that a fusion reads of a value."""
  total = 0
  for user, inner in users[name]:
    sliced = inner.operands[0] == name
    if inner.opcode == "bitcast":
      total += _read(user, fused, users)
    elif inner.opcode == "dynamic-slice" and sliced:
      total += _bytes(inner.type)
    elif not (inner.opcode == "dynamic-update-slice" and sliced):
      return _bytes(fused[name].type)
  return total


def _written(one: _Instruction, fused: Mapping[str, _Instruction]) -> int:
  """Returns the bytes that a result of a fusion writes."""
  while one.opcode == "bitcast":
    one = fused[one.operands[0]]
  if one.opcode == "dynamic-update-slice":
    one = fused[one.operands[1]]
  return _bytes(one.type)


def _sent(
  kind: str,
  one: _Instruction,
  inside: Mapping[str, _Instruction],
  devices: int,
) -> float:
  size = sum(_bytes(inside[n].type) for n in one.operands if n in inside)
  count = _group_size(one.attributes, devices)
  if kind == "collective-permute":
    return size
  if kind == "all-gather":  # Of the whole, and the operand is a part.
    return size * (count - 1)
  return size * (2 if kind == "all-reduce" else 1) * (count - 1) / count


def _group_size(attributes: str, devices: int) -> int:
  """Returns how many devices take part in one group of a collective."""
  if mesh := re.search(
    r"replica_groups=mesh\[([^\]]*)\] ?\{([^}]*)\}", attributes
  ):
    sides = dict(re.findall(r"'(\w+)'=(\d+)", mesh[1]))
    return math.prod(int(sides[n]) for n in re.findall(r"'(\w+)'", mesh[2]))
  if tiles := re.search(r"replica_groups=\[(\d+),(\d+)\]", attributes):
    return int(tiles[2])
  if first := re.search(r"replica_groups=\{\{([\d,]+)\}", attributes):
    return len(first[1].split(","))
  return devices


def _flops(one: _Instruction, inside: Mapping[str, _Instruction]) -> float:
  if one.opcode not in ("dot", "convolution"):
    return 0.0
  out = math.prod(_shape(one.type))
  sides = [_shape(inside[name].type) for name in one.operands[:2]]
  if one.opcode == "dot":
    found = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", one.attributes)
    summed = [int(n) for n in found[1].split(",") if n] if found else []
    return 2.0 * out * math.prod(sides[0][n] for n in summed)
  return _convolution_flops(one, sides[0], sides[1])


def _convolution_flops(
  one: _Instruction, left: Sequence[int], right: Sequence[int]
) -> float:
  """Returns FLOPs of a convolution; on a TPU, matrix products become ones.

  Dimensions of the batch become windows in which most positions are padding,
  so that only the pairs of an input and an output position that meet count.
  """
  labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", one.attributes)
  if labels is None:
    return 0.0
  out = _shape(one.type)
  window = re.search(r"window=\{([^}]*)\}", one.attributes)
  fields = dict(
    part.split("=") for part in (window[1] if window else "").split()
  )
  pairs = 1
  spatial = [name for name in labels[3] if name.isdigit()]
  for place, name in enumerate(sorted(spatial)):

    def field(key: str, default: str, place: int = place) -> str:
      return fields[key].split("x")[place] if key in fields else default

    pairs *= meeting_pairs(
      left[labels[1].index(name)],
      right[labels[2].index(name)],
      out[labels[3].index(name)],
      int(field("stride", "1")),
      int(field("pad", "0_0").split("_")[0]),
      int(field("lhs_dilate", "1")),
      int(field("rhs_dilate", "1")),
    )
  features = right[labels[2].index("i")] * right[labels[2].index("o")]
  groups = re.search(r"batch_group_count=(\d+)", one.attributes)
  rows = left[labels[1].index("b")] // (int(groups[1]) if groups else 1)
  return 2.0 * pairs * features * rows


@functools.cache
def meeting_pairs(
  left: int, right: int, out: int, stride: int, pad: int, dilate: int, gap: int
) -> int:
  """Returns the pairs of kernel and output position that meet an input.

  Kernel position k and output position o meet the dilated input at
  n = o · stride + k · gap - pad, which has to be a multiple of `dilate`.
  """
  common = math.gcd(stride, dilate)
  period = dilate // common
  inverse = pow(stride // common, -1, period)
  pairs = 0
  for at in range(right):
    offset = at * gap - pad
    if offset % common == 0:
      least = max(0, -(offset // stride))
      most = min(out - 1, ((left - 1) * dilate - offset) // stride)
      first = least + (-(offset // common) * inverse - least) % period
      pairs += max(0, (most - first) // period + 1)
  return pairs
