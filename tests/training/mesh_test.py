"""Where arrays go, and what is said when they cannot go there."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_models
from flax import linen as nn
from jax.sharding import PartitionSpec

from distill import errors
from distill.training import mesh, state

SHAPES = {name: rows.shape for name, rows in tiny_models.batch_of(True).items()}


def specs(tree):
  return jax.tree.map(lambda leaf: leaf.sharding.spec, tree)


@dataclasses.dataclass(frozen=True)
class Chip:
  """A TPU device as JAX describes it."""

  id: int
  coords: tuple[int, int, int]
  core_on_chip: int
  device_kind: str
  slice_index: int = 0
  platform: str = "tpu"

  @property
  def process_index(self):
    return self.id // 4


def chips(kind, x, y, z, cores=1, slices=1):
  places = itertools.product(*map(range, (slices, z, y, x, cores)))
  return [
    Chip(i, (px, py, pz), core, kind, part)
    for i, (part, pz, py, px, core) in enumerate(places)
  ]


@pytest.mark.parametrize("fsdp, model", [(1, 1), (1, 2), (4, 2), (2, 8)])
@pytest.mark.parametrize(
  "topology",
  [
    ("TPU v2", 4, 4, 1, 2),
    ("TPU v3", 8, 8, 1, 2),
    ("TPU v4", 2, 2, 4),
    ("TPU v5 lite", 4, 4, 1),
    ("TPU v5 lite", 16, 16, 1),
    ("TPU v5", 4, 4, 8),
    ("TPU v6 lite", 4, 4, 1),
  ],
)
def test_every_tpu_takes_every_mesh_that_has_its_size(topology, fsdp, model):
  devices = chips(*topology)
  partitioner = mesh.Partitioner(fsdp=fsdp, model=model, devices=devices)
  placed = partitioner.mesh.devices
  assert placed.shape == (len(devices) // (fsdp * model), fsdp, model)
  assert {chip.id for chip in placed.flat} == {chip.id for chip in devices}


def test_slices_split_the_batch_and_nothing_else():
  devices = chips("TPU v5 lite", 4, 4, 1, slices=2)
  placed = mesh.Partitioner(fsdp=4, model=2, devices=devices).mesh.devices
  for slice_index, half in enumerate(np.split(placed, 2)):
    assert {chip.slice_index for chip in half.flat} == {slice_index}
  with pytest.raises(errors.UserError, match="TPU slices"):
    mesh.Partitioner(fsdp=16, model=2, devices=devices)


def test_parameters_follow_the_rules_and_moments_their_parameters():
  partitioner = mesh.Partitioner(fsdp=2, model=2)
  assert dict(partitioner.mesh.shape) == {"data": 2, "fsdp": 2, "model": 2}
  abstract = state.abstract_state(
    tiny_models.t5_model(), optax.adamw(0.1), partitioner, SHAPES
  )
  params = abstract.params
  kernel = params["encoder"]["layers_0"]["mlp"]["wi_0"]["kernel"]
  assert kernel.sharding.spec == PartitionSpec("fsdp", "model")
  embedding = params["token_embedder"]["embedding"]
  assert embedding.sharding.spec == PartitionSpec("model", "fsdp")
  adam = abstract.opt_state[0]
  assert specs(adam.mu) == specs(adam.nu) == specs(params)
  assert adam.count.sharding.spec == PartitionSpec()


def test_factored_moments_are_on_every_device():
  partitioner = mesh.Partitioner(fsdp=8, data=1)
  abstract = state.abstract_state(
    tiny_models.linear_model(),
    optax.scale_by_factored_rms(min_dim_size_to_factor=4),
    partitioner,
    SHAPES,
  )
  assert specs(abstract.params)["kernel"] == PartitionSpec("fsdp", None)
  rows = abstract.opt_state.v_row["kernel"]
  assert rows.shape == (8,) and rows.sharding.spec == PartitionSpec()


def test_random_parameters_do_not_depend_on_the_mesh():
  model = tiny_models.linear_model()
  partitioner = mesh.Partitioner(fsdp=4)
  abstract = state.abstract_state(model, optax.sgd(0.1), partitioner, SHAPES)
  params = state.random_params(
    model, partitioner, SHAPES, abstract, jax.random.key(5)
  )
  assert params["kernel"].addressable_shards[0].data.shape[0] == 2
  expected = tiny_models.host_params(model)
  for name in expected:
    np.testing.assert_array_equal(params[name], expected[name])


def test_activations_and_parameters_share_rules_without_conflict():
  # On activations 'batch' has taken fsdp, so that 'embed' stays whole.
  with mesh.Partitioner(fsdp=4).context():
    constrain = jax.jit(
      lambda x: nn.with_logical_constraint(x, ("batch", "length", "embed"))
    )
    spec = constrain(jnp.ones((8, 3, 4))).sharding.spec
  assert tuple(spec)[:1] == (("data", "fsdp"),)
  assert not any(tuple(spec)[1:])


def test_rows_are_split_over_data_and_fsdp_in_order():
  partitioner = mesh.Partitioner(fsdp=2, model=2)
  rows = np.arange(16, dtype=np.int32).reshape(8, 2)
  sharded = partitioner.shard_batch({"tokens": rows})["tokens"]
  np.testing.assert_array_equal(sharded, rows)
  assert sharded.addressable_shards[0].data.shape == (2, 2)


def test_a_mesh_that_does_not_fit_the_devices_names_the_numbers():
  for sizes in ({"fsdp": 3}, {"data": 4, "model": 4}, {"fsdp": 0}):
    with pytest.raises(errors.UserError, match="= 8 devices"):
      mesh.Partitioner(**sizes)


def test_a_batch_that_does_not_divide_names_the_numbers():
  partitioner = mesh.Partitioner(model=2)
  partitioner.check_batch(16, num_microbatches=4)
  with pytest.raises(errors.UserError, match="4 × 4 = 16") as caught:
    partitioner.check_batch(24, num_microbatches=4)
  assert "BATCH_SIZE = 24" in str(caught.value)


def test_a_parameter_that_does_not_divide_is_named():
  with pytest.raises(errors.UserError, match="rel_embedding") as caught:
    state.abstract_state(
      tiny_models.t5_model(), optax.sgd(0.1), mesh.Partitioner(model=4), SHAPES
    )
  assert "model = 4" in str(caught.value) and "of which 2" in str(caught.value)
