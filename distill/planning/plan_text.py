"""What `distill plan` prints: a page of one topology, a table of several."""

import dataclasses
import textwrap
from collections.abc import Sequence

from distill.model import costs
from distill.planning import advice, roofline
from distill.planning.hardware import Chip, Topology
from distill.planning.roofline import Usage
from distill.planning.workload import Workload

_WIDTH = 80
_GIB = 2**30


@dataclasses.dataclass(frozen=True)
class Plan:
  """One run on one topology.

  Attributes:
    topology: The slice or the node.
    work: The workload, placed on it.
    usage: What the training step uses.
    efficiency: The share of the bounding peak that a step reaches.
    others: What other programs use, by name.
    advised: If training does not fit, a variant that does, and what that uses.
  """

  topology: Topology
  work: Workload
  usage: Usage
  efficiency: float
  others: dict[str, Usage] = dataclasses.field(default_factory=dict)
  advised: tuple[Workload, Usage] | None = None

  @property
  def fits(self) -> bool:
    """Whether all programs fit."""
    return all(u.fits for u in [self.usage, *self.others.values()])


def page(plan: Plan) -> str:
  """Returns the page of one topology, of at most 80 columns."""
  lines = [
    f"The run {'fits' if plan.fits else 'does NOT fit'} on"
    f" {plan.topology.name} ({_by(plan.usage)}).",
    "",
    *_workload_lines(plan),
    "",
    "The training step, of one device:",
    *_usage_lines(plan.usage, plan.topology.chip),
    *_formula_lines(plan),
  ]
  for name, usage in plan.others.items():
    lines += ["", f"The program of {name}, of one device:"]
    lines += _usage_lines(usage, plan.topology.chip)
  if not plan.usage.fits:
    lines += ["", *_advice_lines(plan)]
  work, usage = plan.advised or (plan.work, plan.usage)
  if usage.fits:
    lines += ["", *_time_lines(plan, work, usage)]
  return "\n".join(lines)


def _by(usage: Usage) -> str:
  return "compiled" if usage.compiled else "by formula"


def _workload_lines(plan: Plan) -> list[str]:
  work, topology, chip = plan.work, plan.topology, plan.topology.chip
  policy = work.config.remat_policy
  remat = "" if policy == "none" else f"; remat: {policy}"
  return [
    f"  {topology.chips} chips of {chip.title}, each "
    f"{chip.memory * chip.devices / _GIB:.1f} GiB",
    f"  mesh: data {work.data}, fsdp {work.fsdp}, model {work.model};"
    f" microbatches: {work.microbatches}{remat}",
    f"  {costs.parameters(work.config):,} parameters; {work.steps:,} steps of"
    f" {work.rows} rows of {work.inputs} + {work.targets} tokens",
  ]


def _usage_lines(usage: Usage, chip: Chip) -> list[str]:
  lines = [_line(name, _bytes(size)) for name, size in usage.memory.items()]
  usable = "" if usage.compiled else f" ({roofline.USABLE:.0%} usable)"
  answer = "fits" if usage.fits else "too large"
  limit = f"of {_bytes(chip.memory).strip()}{usable}: {answer}"
  lines.append(_line("memory in all", f"{_bytes(usage.total)} {limit}"))
  if usage.flops:
    lines.append(_line("matrix products", _scaled(usage.flops, "FLOP")))
    lines.append(_line("memory traffic", _bytes(usage.traffic)))
  for kind, size in sorted(usage.sent.items()):
    lines.append(_line(kind, f"{_bytes(size)} sent"))
  return lines


def _formula_lines(plan: Plan) -> list[str]:
  """Returns the formulas' figures beside those of a compiled training step."""
  if not plan.usage.compiled:
    return []
  formula = roofline.formula(plan.work, plan.topology.chip)
  return [
    "  The formulas give, for comparison:",
    _line("activations, at most", _bytes(formula.memory["activations"])),
    _line("memory in all", _bytes(formula.total)),
    _line("matrix products", _scaled(formula.flops, "FLOP")),
  ]


def _line(name: str, text: str) -> str:
  return f"  {name:<22}{text}"


def _bytes(size: float) -> str:
  unit, power = ("GiB", 3) if size >= 2**28 else ("MiB", 2)
  return f"{size / 2 ** (10 * power):8.2f} {unit}"


def _scaled(value: float, unit: str) -> str:
  prefix, scale = ("T", 1e12) if value >= 1e11 else ("G", 1e9)
  return f"{value / scale:8.2f} {prefix}{unit}"


def _time_lines(plan: Plan, work: Workload, usage: Usage) -> list[str]:
  chip = plan.topology.chip
  found = roofline.estimate(work, usage, plan.topology, plan.efficiency)
  lines = [
    f"A step takes {found.seconds:.3g} s; {found.bound} is the bound.",
    f"  MFU {found.mfu:.0%}: 3 × forward FLOPs by time and peak.",
    f"  Assumed, not measured: {plan.efficiency:.0%} of the peak of the bound.",
    f"  Peaks of a device: {chip.peak / 1e12:.0f} TFLOP/s in bfloat16,"
    f" {chip.bandwidth / 1e9:,.0f} GB/s of memory,",
    f"  {chip.network / 1e9:.0f} GB/s sent ({chip.source}).",
    "",
    f"All steps take {found.hours:.3g} h, without start, evaluation, saving.",
  ]
  if found.dollars is not None:
    lines.append(
      f"  {plan.topology.chips} chips × {found.hours:.3g} h ="
      f" ${found.dollars:,.2f}"
    )
  return [*lines, *_price_lines(chip)]


def _price_lines(chip: Chip) -> list[str]:
  if chip.price is None:
    return [f"  The price of {chip.title} is unknown."]
  text = (
    f"${chip.price:.2f} for a chip-hour of {chip.title} on demand, as read on"
    f" {chip.price_date}: {chip.price_source}"
  )
  return textwrap.wrap(
    text,
    _WIDTH,
    initial_indent="  ",
    subsequent_indent="  ",
    break_long_words=False,
    break_on_hyphens=False,
  )


def _advice_lines(plan: Plan) -> list[str]:
  if plan.advised is None:
    return [
      "No mesh, number of microbatches and REMAT that was tried makes it fit:",
      "take more chips, or shorter rows.",
    ]
  work, usage = plan.advised
  return [
    f"It fits with these gin lines ({_by(usage)}):",
    *(f"  {line}" for line in advice.gin_lines(work)),
    f"The training step, of one of {work.data} × {work.fsdp} × {work.model}"
    " devices, then:",
    *_usage_lines(usage, plan.topology.chip),
  ]


_COLUMNS = (
  *("topology", "chips", "by", "fits", "GiB", "s/step", "bound", "MFU"),
  *("hours", "dollars"),
)
_LEGEND = """\
by: XLA compiled the training step, or a formula. fits: 'f4 m1 n2' fits with
FSDP_PARALLEL = 4, MODEL_PARALLEL = 1, NUM_MICROBATCHES = 2, and not as given;
'min' is REMAT = 'minimal', 'full' REMAT = 'full'. GiB: of one device. s/step:
assumes {:.0%} of the peak of what bounds it. MFU: 3 × forward FLOPs by time and
peak. hours, dollars: all steps, without start, evaluation and saving."""


def table(plans: Sequence[Plan]) -> str:
  """Returns a table with a line for each plan, of at most 80 columns."""
  rows = [_COLUMNS, *map(_row, plans)]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  lines = [
    " ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip()
    for row in rows
  ]
  lines += ["", _LEGEND.format(plans[0].efficiency)]
  chips = {plan.topology.chip.title: plan.topology.chip for plan in plans}
  for chip in chips.values():
    lines += _price_lines(chip)
  return "\n".join(lines)


def _row(plan: Plan) -> tuple[str, ...]:
  work, usage = plan.advised or (plan.work, plan.usage)
  fits = "yes" if plan.fits else "no"
  if plan.advised:
    fits = f"f{work.fsdp} m{work.model} n{work.microbatches}"
    fits += {"none": "", "minimal": " min", "full": " full"}[
      work.config.remat_policy
    ]
  start = (
    plan.topology.name,
    str(plan.topology.chips),
    "XLA" if usage.compiled else "formula",
    fits,
    f"{usage.total / _GIB:.1f}",
  )
  if not usage.fits:
    return (*start, *[""] * (len(_COLUMNS) - len(start)))
  found = roofline.estimate(work, usage, plan.topology, plan.efficiency)
  dollars = "unknown" if found.dollars is None else f"{found.dollars:,.2f}"
  return (
    *start,
    f"{found.seconds:.3g}",
    found.bound,
    f"{found.mfu:.0%}",
    f"{found.hours:.3g}",
    dollars,
  )
