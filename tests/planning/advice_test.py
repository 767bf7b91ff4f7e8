"""What makes a run fit."""

import dataclasses

from distill.model.config import T5Config
from distill.planning import advice, hardware, roofline
from distill.planning.workload import Workload

XXL = T5Config(
  vocab_size=32128, emb_dim=4096, num_heads=64, num_encoder_layers=24,
  num_decoder_layers=24, head_dim=64, mlp_dim=10240, dtype="bfloat16",
  mlp_activations=("gelu", "linear"),
)  # fmt: skip
WORK = Workload(config=XXL, inputs=512, targets=128, rows=64, steps=10)
V5P = hardware.parse("v5p:2x2x4")


def by_formula(work):
  return roofline.formula(work, V5P.chip)


def test_what_is_advised_fits_keeps_the_batch_and_fills_the_slice():
  placed = WORK.on(V5P)
  need = by_formula(placed)
  assert not need.fits
  variant, usage = advice.first_fit(placed, V5P, need, by_formula)
  assert usage.fits and usage.total <= 0.9 * V5P.chip.memory
  assert variant.rows == 64
  assert variant.data * variant.fsdp * variant.model == 16
  parts = variant.data * variant.fsdp * variant.microbatches
  assert variant.rows % parts == 0
  assert f"FSDP_PARALLEL = {variant.fsdp}" in advice.gin_lines(variant)


def test_rematerialization_is_tried_where_nothing_else_fits():
  """XXL on v5e-16: one row alone keeps as much as a device has."""
  v5e = hardware.parse("v5e:4x4")
  placed = WORK.on(v5e)
  usage = roofline.formula(placed, v5e.chip)
  variant, found = advice.first_fit(
    placed, v5e, usage, lambda work: roofline.formula(work, v5e.chip)
  )
  assert found.fits and variant.config.remat_policy != "none"
  lines = advice.gin_lines(variant)
  assert f"REMAT = {variant.config.remat_policy!r}" in lines
  chosen = dataclasses.replace(
    placed, config=dataclasses.replace(XXL, remat_policy="full")
  )
  policies = {v.config.remat_policy for v in advice.candidates(chosen, v5e)}
  assert policies == {"full"}


def test_the_fastest_variant_comes_first():
  found = advice.candidates(WORK.on(V5P), V5P)
  times = [roofline.estimate(v, by_formula(v), V5P, 1.0).seconds for v in found]
  assert len(found) > 3 and times == sorted(times)


def test_a_compiler_that_refuses_the_first_is_asked_for_the_next():
  asked = []

  def compiles(work):
    asked.append(work)
    return dataclasses.replace(by_formula(work), fits=len(asked) == 2)

  placed = WORK.on(V5P)
  variant, _ = advice.first_fit(placed, V5P, by_formula(placed), compiles)
  assert asked == advice.candidates(WORK.on(V5P), V5P)[:2]
  assert variant == asked[1]


def test_nothing_is_advised_where_nothing_fits():
  one = hardware.parse("v5e:1x1")
  placed = WORK.on(one)
  need = roofline.formula(placed, one.chip)
  assert advice.first_fit(placed, one, need, by_formula) is None


def test_a_compiler_that_needs_less_than_the_formula_is_asked_for_more():
  placed = WORK.on(V5P)
  careful, bold = (advice.candidates(placed, V5P, share) for share in (1, 0.5))
  assert set(careful) < set(bold)
