"""Programs read from their HLO: loops count as often as they run."""

import dataclasses
import re

import hypothesis
import jax
import jax.numpy as jnp
import optax
import pytest
from flax import linen as nn
from hypothesis import strategies as st
from jax.sharding import NamedSharding, PartitionSpec

from distill.model import costs, encoder_decoder, network
from distill.model.config import T5Config
from distill.planning import hlo
from distill.training import mesh, state, step

CONFIG = T5Config(
  vocab_size=16, emb_dim=8, num_heads=2, num_encoder_layers=1,
  num_decoder_layers=1, head_dim=4, mlp_dim=16,
  mlp_activations=("gelu", "linear"),
)  # fmt: skip
ROWS, INPUTS, TARGETS = 16, 6, 4
ALL_AXES = {"fsdp": 2, "model": 2}


def training_step(config, chunk, microbatches, **sizes):
  """Returns the compiled training step of a tiny T5 on 8 devices."""
  partitioner = mesh.Partitioner(**sizes)
  model = encoder_decoder.EncoderDecoderModel(
    network.Transformer(config), None, None, logits_chunk=chunk
  )
  shapes = {"encoder_input_tokens": (ROWS, INPUTS)}
  for name in ("input_tokens", "target_tokens", "loss_weights", "loss_groups"):
    shapes[f"decoder_{name}"] = (ROWS, TARGETS)

  def schedule(count):
    return 0.1

  optimizer = optax.sgd(schedule)
  compiled, _ = step.compile_step(
    step.make_train_step(model, optimizer, schedule, microbatches),
    partitioner,
    state.abstract_state(model, optimizer, partitioner, shapes),
    partitioner.abstract_batch(shapes),
    jax.device_put(jax.random.key(0), partitioner.replicated),
  )
  return compiled


@pytest.mark.parametrize(
  ("microbatches", "sizes", "policy", "chunk"),
  [
    pytest.param(2, {"fsdp": 4}, "none", None, marks=pytest.mark.long),
    pytest.param(1, {}, "none", None, marks=pytest.mark.long),
    pytest.param(2, ALL_AXES, "none", None, marks=pytest.mark.long),
    pytest.param(2, ALL_AXES, "full", 3, marks=pytest.mark.long),
    pytest.param(1, {}, "minimal", 2, marks=pytest.mark.long),
  ],
)
def test_products_of_a_training_step_are_those_of_the_formula(
  microbatches, sizes, policy, chunk
):
  config = dataclasses.replace(CONFIG, remat_policy=policy)
  compiled = training_step(config, chunk, microbatches, **sizes)
  found = hlo.work(compiled.as_text(), 8)
  flops = 3 * costs.forward_flops(config, INPUTS, TARGETS)
  flops += costs.recomputed_flops(config, INPUTS, TARGETS, chunk)
  assert found.flops == ROWS * flops / 8
  assert not found.unknown_loops
  # Gradients are summed over the eight devices.
  assert found.sent["all-reduce"] > 0


def test_scanned_layers_count_each_time():
  class Layer(nn.Module):
    @nn.compact
    def __call__(self, x, _):
      return nn.Dense(8, use_bias=False)(x), None

  class Stack(nn.Module):
    @nn.compact
    def __call__(self, x):
      layers = nn.scan(
        Layer, variable_axes={"params": 0}, split_rngs={"params": True},
        length=5,
      )  # fmt: skip
      return layers()(x, None)[0]

  x = jnp.ones((4, 8))
  params = Stack().init(jax.random.key(0), x)

  def loss(params):
    return jnp.sum(Stack().apply(params, x) ** 2)

  compiled = jax.jit(jax.grad(loss)).lower(params).compile()
  found = hlo.work(compiled.as_text(), 1)
  # Forward, and the gradients of weights and of inputs, five layers each.
  assert found.flops == 5 * 3 * (2 * 4 * 8 * 8)


def test_a_fusion_in_a_loop_moves_what_it_slices_and_updates():
  # Each of 5 rounds reads a row of `rows` and writes its double to a row of
  # `out`, in place. A row is f32[8], 32 bytes.
  text = """
%fused (rows: f32[5,8], out: f32[5,8], i: s32[]) -> f32[5,8] {
  %rows = f32[5,8]{1,0} parameter(0)
  %out = f32[5,8]{1,0} parameter(1)
  %i = s32[] parameter(2)
  %zero = s32[] constant(0)
  %row = f32[1,8]{1,0} dynamic-slice(%rows, %i, %zero), dynamic_slice_sizes={1,8}
  %twice = f32[1,8]{1,0} add(%row, %row)
  ROOT %new = f32[5,8]{1,0} dynamic-update-slice(%out, %twice, %i, %zero)
}
%round (carry: (s32[], f32[5,8], f32[5,8])) -> (s32[], f32[5,8], f32[5,8]) {
  %carry = (s32[], f32[5,8]{1,0}, f32[5,8]{1,0}) parameter(0)
  %n = s32[] get-tuple-element(%carry), index=0
  %a = f32[5,8]{1,0} get-tuple-element(%carry), index=1
  %b = f32[5,8]{1,0} get-tuple-element(%carry), index=2
  %c = f32[5,8]{1,0} fusion(%a, %b, %n), kind=kLoop, calls=%fused
  ROOT %next = (s32[], f32[5,8]{1,0}, f32[5,8]{1,0}) tuple(%n, %a, %c)
}
%more (carry: (s32[], f32[5,8], f32[5,8])) -> pred[] {
  %state = (s32[], f32[5,8]{1,0}, f32[5,8]{1,0}) parameter(0)
  %count = s32[] get-tuple-element(%state), index=0
  %limit = s32[] constant(5)
  ROOT %less = pred[] compare(%count, %limit), direction=LT
}
ENTRY %main (start: (s32[], f32[5,8], f32[5,8])) -> (s32[], f32[5,8], f32[5,8]) {
  %start = (s32[], f32[5,8]{1,0}, f32[5,8]{1,0}) parameter(0)
  ROOT %all = (s32[], f32[5,8]{1,0}, f32[5,8]{1,0}) while(%start), condition=%more, body=%round
}
"""  # noqa: E501
  # A round reads the counter (4 bytes) and a row, and writes a row; the
  # condition reads the counter, the limit and writes a truth value.
  assert hlo.work(text, 1).traffic == 5 * (4 + 32 + 32 + 4 + 4 + 1)


def test_a_loop_that_may_end_early_counts_to_its_limit():
  def decode(x):
    def go_on(carry):
      return (carry[0] < 7) & jnp.any(carry[1] < 1e9)

    def body(carry):
      return carry[0] + 1, carry[1] @ x

    return jax.lax.while_loop(go_on, body, (0, x))[1]

  x = jax.ShapeDtypeStruct((4, 4), "float32")
  found = hlo.work(jax.jit(decode).lower(x).compile().as_text(), 1)
  assert (found.flops, found.unknown_loops) == (7 * 2 * 4 * 4 * 4, 0)


def collective(function, spec_in, spec_out):
  """Returns the work of a function of f32[8, 16] on 8 devices."""
  devices = mesh.Partitioner(fsdp=8).mesh
  mapped = jax.shard_map(
    function, mesh=devices, in_specs=spec_in, out_specs=spec_out,
    check_vma=False,
  )  # fmt: skip
  x = jax.ShapeDtypeStruct(
    (8, 16), "float32", sharding=NamedSharding(devices, spec_in)
  )
  return hlo.work(jax.jit(mapped).lower(x).compile().as_text(), 8).sent


ROW, ALL = PartitionSpec("fsdp"), PartitionSpec()


@pytest.mark.parametrize(
  ("kind", "function", "spec_in", "spec_out", "sent"),
  [
    # Each device has f32[1, 16], 64 bytes, or all 512.
    ("all-reduce", lambda x: jax.lax.psum(x, "fsdp"), ROW, ALL, 64 * 2 * 7 / 8),
    ("all-gather", lambda x: jax.lax.all_gather(x, "fsdp"), ROW, ALL, 64 * 7),
    (
      "reduce-scatter",
      lambda x: jax.lax.psum_scatter(x, "fsdp"),
      *(ALL, ROW, 512 * 7 / 8),
    ),
  ],
)
def test_bytes_that_a_ring_sends(kind, function, spec_in, spec_out, sent):
  assert collective(function, spec_in, spec_out) == {kind: sent}


# As XLA for TPUs writes it: a matrix product is a convolution, a dimension of
# the batch a window with padding, and S(1) in a layout is memory on the chip.
TPU = """\
HloModule jit_f, is_scheduled=true

%fused (p.0: bf16[64,256], p.1: bf16[256,128]) -> bf16[64,128] {
  %p.0 = bf16[64,256]{1,0:T(8,128)(2,1)} parameter(0)
  %p.1 = bf16[256,128]{1,0:T(8,128)(2,1)S(1)} parameter(1)
  ROOT %c.3 = bf16[64,128]{1,0:T(8,128)(2,1)} convolution(%p.0, %p.1), \
dim_labels=bf_io->bf, metadata={op_name="jit(f)/dot_general"}
}

%body (arg.1: (s32[], bf16[64,256])) -> (s32[], bf16[64,256]) {
  %arg.1 = (s32[]{:T(128)}, bf16[64,256]{1,0:T(8,128)(2,1)}) parameter(0)
  %x = bf16[64,256]{1,0:T(8,128)(2,1)} get-tuple-element(%arg.1), index=1
  %w = bf16[256,128]{1,0:T(8,128)(2,1)S(1)} constant({...})
  %y = bf16[64,128]{1,0:T(8,128)(2,1)} fusion(%x, %w), kind=kOutput, \
calls=%fused
  %b = f32[4,8,8]{2,1,0:T(8,128)} convolution(%u, %v), \
window={size=4 stride=3 lhs_dilate=4}, dim_labels=0bf_0oi->0bf
  %u = f32[4,8,16]{2,1,0:T(8,128)} parameter(1)
  %v = f32[4,8,16]{2,1,0:T(8,128)} parameter(2)
  ROOT %t = (s32[]{:T(128)}, bf16[64,256]{1,0:T(8,128)(2,1)}) tuple(%i, %x)
}

%condition (arg.2: (s32[], bf16[64,256])) -> pred[] {
  %n = s32[]{:T(128)} constant(5)
  ROOT %lt = pred[]{:T(512)} compare(%k, %n), direction=LT
}

ENTRY %main (q: bf16[64,256]) -> bf16[64,256] {
  %q = bf16[64,256]{1,0:T(8,128)(2,1)} parameter(0)
  %loop = (s32[]{:T(128)}, bf16[64,256]{1,0}) while(%z), condition=%condition, \
body=%body
  %g = bf16[64,256]{1,0:T(8,128)} all-gather(%q), \
replica_groups=mesh['axis_0'=4,'axis_1'=2] {'axis_0'}, dimensions={0}
}
"""


def test_the_text_of_a_tpu_program():
  found = hlo.work(TPU, 8)
  product = 2 * 64 * 256 * 128
  batched = 4 * (2 * 8 * 16 * 8)
  assert found.flops == 5 * (product + batched)
  # The weights lie on the chip: x is read and y is written; then u, v and b.
  moved = 64 * 256 * 2 + 64 * 128 * 2 + (2 * 4 * 8 * 16 + 4 * 8 * 8) * 4
  compared = 4 + 1
  gathered = 2 * 64 * 256 * 2
  assert found.traffic == 5 * (moved + compared) + gathered
  assert found.sent == {"all-gather": 3 * 64 * 256 * 2}


def test_an_unknown_limit_counts_once_and_is_told():
  found = hlo.work(re.sub(r"constant\(5\)", "parameter(3)", TPU), 8)
  assert found.unknown_loops == 1
  assert found.flops == hlo.work(TPU, 8).flops / 5


SIDE = st.integers(1, 7)


@hypothesis.given(SIDE, SIDE, SIDE, SIDE, st.integers(-5, 7), SIDE, SIDE)
def test_positions_of_a_window_that_meet_an_input(
  left, right, out, stride, pad, dilate, gap
):
  inputs = {place * dilate for place in range(left)}
  pairs = sum(
    o * stride + k * gap - pad in inputs
    for o in range(out)
    for k in range(right)
  )
  found = hlo.meeting_pairs(left, right, out, stride, pad, dilate, gap)
  assert found == pairs
