"""What is printed: the answer first, and every assumption beside its figure."""

import dataclasses

import pytest

from distill.model.config import T5Config
from distill.planning import advice, hardware, plan_text, roofline
from distill.planning.workload import Workload

LARGE = T5Config(
  vocab_size=32128, emb_dim=1024, num_heads=16, num_encoder_layers=24,
  num_decoder_layers=24, head_dim=64, mlp_dim=2816, dtype="bfloat16",
  mlp_activations=("gelu", "linear"),
)  # fmt: skip
WORK = Workload(config=LARGE, inputs=512, targets=256, rows=128, steps=10_000)
FACTS = (
  "  783,150,080 parameters; 10,000 steps of 128 rows of 512 + 256 tokens",
  "Assumed, not measured: 50% of the peak of the bound.",
  "197 TFLOP/s in bfloat16",
  "$1.20 for a chip-hour of TPU v5e on demand, as read on 2026-11-28:",
)


def plan_of(name, **changes):
  topology = hardware.parse(name)
  work = WORK.on(topology)

  def by_formula(work):
    return roofline.formula(work, topology.chip)

  usage = by_formula(work)
  advised = None
  if not usage.fits:
    advised = advice.first_fit(work, topology, usage, by_formula)
  plan = plan_text.Plan(topology, work, usage, 0.5, advised=advised)
  return dataclasses.replace(plan, **changes)


def narrow(text):
  assert max(map(len, text.splitlines())) <= 80, text
  return text


def test_a_page_answers_and_says_what_is_assumed():
  text = narrow(plan_text.page(plan_of("v5e:16x8")))
  assert text.startswith("The run fits on v5e:16x8 (by formula).")
  for fact in FACTS:
    assert fact in text


def test_a_page_of_what_does_not_fit_has_the_lines_that_make_it_fit():
  plan = plan_of("v5e:4x4")
  text = narrow(plan_text.page(plan))
  assert "does NOT fit on v5e:4x4" in text and "too large" in text
  for line in advice.gin_lines(plan.advised[0]):
    assert f"\n  {line}\n" in text
  without = narrow(plan_text.page(plan_of("v5e:4x4", advised=None)))
  assert "more chips" in without and "A step takes" not in without


def test_a_compiled_page_has_the_formula_for_comparison():
  usage = roofline.Usage(
    {"parameters": 2**30, "temporaries": 2**31},
    5e12, 2**32, {"all-gather": 2**20}, fits=True, compiled=True,
  )  # fmt: skip
  text = narrow(plan_text.page(plan_of("v5e:16x8", usage=usage)))
  assert "(compiled)" in text and "The formulas give" in text
  assert "  memory in all             3.00 GiB of 16.00 GiB: fits" in text
  assert "  all-gather                1.00 MiB sent" in text


def test_several_topologies_are_one_narrow_table():
  names = ["v5e:4x4", "v5e:16x8", "v4:4x4x8", "tpu7x:2x2x1", "h200:8"]
  text = narrow(plan_text.table([plan_of(name) for name in names]))
  lines = text.splitlines()
  assert lines[0].split()[:4] == ["topology", "chips", "by", "fits"]
  assert [line.split()[0] for line in lines[1:6]] == names
  assert " unknown" in lines[3]  # no price of v4
  assert "The price of TPU v4 is unknown." in text
  assert "$7.91 for a chip-hour of NVIDIA H200" in text


@pytest.mark.parametrize("name", ["v5e:1x1"])
def test_a_line_of_what_never_fits_has_no_time(name):
  plan = plan_of(name, advised=None)
  row = plan_text.table([plan]).splitlines()[1].split()
  assert row[3] == "no" and len(row) == 5
