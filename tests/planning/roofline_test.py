"""The formulas by hand, on a network whose figures are round."""

import dataclasses

import pytest

from distill.model import costs
from distill.model.config import T5Config
from distill.planning import hardware, roofline
from distill.planning.workload import Workload

CONFIG = T5Config(
  vocab_size=100, emb_dim=10, num_heads=2, num_encoder_layers=1,
  num_decoder_layers=1, head_dim=5, mlp_dim=20, dtype="bfloat16",
  mlp_activations=("gelu", "linear"),
)  # fmt: skip
N = costs.parameters(CONFIG)
ROW = costs.activation_bytes(CONFIG, 6, 4)
WORK = Workload(config=CONFIG, inputs=6, targets=4, rows=16, steps=3600)
CHIP = hardware.Chip(
  title="Toy", memory=1e9, peak=1e9, bandwidth=1e6, network=1e3, source="",
  dimensions=1, price=2.0,
)  # fmt: skip


def placed(**sizes):
  return dataclasses.replace(WORK, **sizes)


def test_memory_is_that_of_the_tpu_page():
  """(8 + o + m) · N ÷ (fsdp · model) + rows · a."""
  plain = roofline.formula(placed(data=4), CHIP)
  assert plain.total == pytest.approx(8 * N + 4 * ROW)
  work = placed(data=1, fsdp=4, microbatches=2, optimizer_bytes=8)
  adamw = roofline.formula(work, CHIP)
  assert adamw.total == pytest.approx((8 + 8 + 4) * N / 4 + 2 * ROW)


def test_devices_share_the_products():
  gpu = dataclasses.replace(CHIP, dimensions=0)
  flops = 3 * 16 * costs.forward_flops(CONFIG, 6, 4)
  # On a TPU, the lookup of 10 tokens a row and its gradient are products.
  lookups = 2 * 16 * 10 * (2 * 100 * 10)
  for sizes in ({"data": 8}, {"data": 2, "fsdp": 2, "model": 2}):
    work = placed(**sizes)
    assert roofline.formula(work, gpu).flops == pytest.approx(flops / 8)
    tpu = roofline.formula(work, CHIP).flops
    assert tpu == pytest.approx((flops + lookups) / 8)


def test_each_axis_of_the_mesh_sends_what_its_ring_needs():
  data = roofline.formula(placed(data=4), CHIP).sent
  assert data == {"all-reduce": pytest.approx(2 * 3 / 4 * 4 * N)}
  fsdp = roofline.formula(placed(data=1, fsdp=4, microbatches=2), CHIP).sent
  # The weights in bfloat16 for both passes, their gradients in float32.
  assert fsdp["all-gather"] == pytest.approx(2 * 2 * 3 / 4 * 2 * N)
  assert fsdp["reduce-scatter"] == pytest.approx(2 * 3 / 4 * 4 * N)
  model = roofline.formula(placed(data=1, model=2), CHIP).sent
  # Encoder blocks 2, decoder blocks 3, in both passes, of bfloat16 rows.
  tokens = 16 * (4 * 6 + 6 * 4)
  assert model == {"all-reduce": pytest.approx(2 / 2 * tokens * 10 * 2)}


def test_it_fits_up_to_nine_tenths_of_the_memory():
  need = 8 * N + 4 * ROW
  for memory, fits in ((need / 0.89, True), (need / 0.91, False)):
    chip = dataclasses.replace(CHIP, memory=memory)
    assert roofline.formula(placed(data=4), chip).fits == fits


@pytest.mark.parametrize(
  ("usage", "bound", "seconds"),
  [
    ((4e9, 1e6, 1e3), "compute", 8.0),
    ((1e9, 5e6, 1e3), "memory", 10.0),
    ((1e9, 1e6, 6e3), "network", 12.0),
  ],
)
def test_the_slowest_resource_bounds_a_step(usage, bound, seconds):
  flops, traffic, sent = usage
  used = roofline.Usage({}, flops, traffic, {"all-reduce": sent}, fits=True)
  topology = hardware.Topology("toy:4", CHIP, 4)
  found = roofline.estimate(placed(data=4), used, topology, 0.5)
  assert (found.bound, found.seconds) == (bound, seconds)
  assert found.hours == pytest.approx(seconds)  # 3,600 steps
  assert found.dollars == pytest.approx(seconds * 4 * 2.0)
  forward = costs.forward_flops(CONFIG, 6, 4)
  assert found.mfu == pytest.approx(3 * 16 * forward / (4 * 1e9 * seconds))


def test_an_unknown_price_costs_unknown():
  chip = dataclasses.replace(CHIP, price=None)
  used = roofline.Usage({}, 1e9, 0.0, {}, fits=True)
  topology = hardware.Topology("toy:4", chip, 4)
  assert roofline.estimate(placed(data=4), used, topology, 1.0).dollars is None
