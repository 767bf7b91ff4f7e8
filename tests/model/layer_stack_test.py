"""The layers as one scan compute what the unrolled layers compute."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import Mesh

from distill.model.network import Transformer
from distill.training import optimizers

DEEP = {"num_encoder_layers": 3, "num_decoder_layers": 2}


def scanned(module):
  return Transformer(dataclasses.replace(module.config, scan_layers=True))


def inputs_of(batch):
  return {k: v for k, v in batch.items() if not k.startswith("decoder_loss")}


def loss(module, params, batch, **kwargs):
  """A sum of squared logits, whose gradient reaches every parameter."""
  kwargs = {**inputs_of(batch), "enable_dropout": False, **kwargs}
  logits = module.apply({"params": params}, **kwargs)
  return jnp.mean(jnp.square(logits))


def near(one, other, rtol=1e-4):
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a, b, rtol=rtol, atol=rtol * np.abs(b).max()
    ),
    one,
    other,
  )


@pytest.mark.parametrize(
  ("variant", "packed"),
  [("t5_1_1", True), pytest.param("t5_1_0", False, marks=pytest.mark.long)],
)
def test_loss_and_gradients_are_those_of_unrolled_layers(
  tiny_t5, variant, packed
):
  module, variables = tiny_t5.transformer(variant, **DEEP)
  batch = tiny_t5.batch([5, 7], [4, 6])
  if packed:
    batch["encoder_segment_ids"] = np.repeat([[1, 2]], [3, 4], axis=1)[[0, 0]]
    batch["decoder_segment_ids"] = np.repeat([[1, 2]], [2, 4], axis=1)[[0, 0]]
  params = variables["params"]

  def gradients(module):
    return jax.jit(jax.value_and_grad(lambda p: loss(module, p, batch)))(params)

  near(gradients(scanned(module)), gradients(module))


@pytest.mark.long
def test_training_on_a_mesh_gives_the_same_parameters(tiny_t5):
  module, variables = tiny_t5.transformer(**DEEP)
  batch = tiny_t5.batch([6, 4, 5, 3], [5, 5, 2, 4])
  optimizer = optimizers.adafactor(min_dim_size_to_factor=4)(lambda _: 0.01)
  mesh = Mesh(np.array(jax.devices()[:8]).reshape(4, 2), ("data", "model"))
  rules = [("batch", "data"), ("heads", "model"), ("mlp", "model")]

  @functools.partial(jax.jit, static_argnums=0)
  def train(module, params):
    grads = jax.grad(lambda p: loss(module, p, batch))(params)
    updates, _ = optimizer.update(grads, optimizer.init(params), params)
    return jax.tree.map(jnp.add, params, updates)

  alone = train(module, variables["params"])
  with jax.set_mesh(mesh), nn.logical_axis_rules(rules):
    near(train(scanned(module), variables["params"]), alone)


def test_bfloat16_is_as_near_to_float32_as_with_unrolled_layers(tiny_t5):
  batch = inputs_of(tiny_t5.batch([5, 7], [4, 6]))

  def logits(**overrides):
    module, variables = tiny_t5.transformer(**DEEP, **overrides)
    apply = jax.jit(lambda v: module.apply(v, **batch, enable_dropout=False))
    return apply(variables)

  exact = logits()
  errors = [
    jnp.linalg.norm(logits(dtype="bfloat16", scan_layers=scan) - exact)
    for scan in (True, False)
  ]
  assert 0 < errors[0] < 1.5 * errors[1]


def test_the_program_has_the_code_of_one_layer(tiny_t5):
  batch = tiny_t5.batch([5], [4])

  def products(layers, scan):
    module, variables = tiny_t5.transformer(
      num_encoder_layers=layers, num_decoder_layers=layers, scan_layers=scan
    )
    jaxpr = jax.make_jaxpr(lambda p: loss(module, p, batch))(
      variables["params"]
    )
    return tiny_t5.count(jaxpr.jaxpr, "dot_general")

  assert products(6, scan=True) == products(2, scan=True)
  assert products(6, scan=False) > 2 * products(2, scan=False)


def test_every_layer_has_a_dropout_mask_of_its_own(tiny_t5):
  module, variables = tiny_t5.transformer(
    dropout_rate=0.5, scan_layers=True, **DEEP
  )
  batch = tiny_t5.batch([5], [4])

  @jax.jit
  def dropped(key):
    """The units of each layer without a gradient: one mask for all tokens."""
    options = {"enable_dropout": True, "rngs": {"dropout": key}}
    grads = jax.grad(lambda p: loss(module, p, batch, **options))(
      variables["params"]
    )
    layers = [grads["encoder"][f"layers_{i}"] for i in range(3)]
    kernels = [layer["mlp"]["wo"]["kernel"] for layer in layers]
    return jnp.all(jnp.stack(kernels) == 0, axis=2)

  masks = np.asarray(dropped(jax.random.key(0)))
  assert masks.any(axis=1).all() and not masks.all(axis=1).any()
  assert len(np.unique(masks, axis=0)) == 3
  np.testing.assert_array_equal(masks, dropped(jax.random.key(0)))
  assert (masks != dropped(jax.random.key(1))).any()
