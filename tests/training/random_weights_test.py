"""Random weights are bitwise those of one program, and few are compiled."""

import jax
import jax.numpy as jnp
import numpy as np
import tiny_models
from flax import linen as nn

from distill.training import mesh, random_weights

KEY = jax.random.key(5)


def assert_drawn_as_one_program(init):
  """Compares, bit for bit, and returns how many programs were compiled."""
  everywhere = mesh.Partitioner().replicated
  shardings = jax.tree.map(lambda _: everywhere, jax.eval_shape(init, KEY))
  expected = jax.jit(init, out_shardings=shardings)(KEY)
  compiled = []

  def note(event, duration, **_):
    if event == "/jax/core/compile/jaxpr_to_mlir_module_duration":
      compiled.append(duration)

  jax.monitoring.register_event_duration_secs_listener(note)
  try:
    found = random_weights.draw(init, KEY, shardings)
  finally:
    jax.monitoring.unregister_event_duration_listener(note)
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  for one, other in zip(
    jax.tree.leaves(found), jax.tree.leaves(expected), strict=True
  ):
    assert (one.dtype, one.sharding) == (other.dtype, other.sharding)
    np.testing.assert_array_equal(one, other)
  return len(compiled)


def test_a_student_has_the_weights_of_one_program():
  model = tiny_models.t5_model()
  shapes = {name: x.shape for name, x in tiny_models.batch_of(False).items()}

  def init(key):
    return nn.unbox(model.init(key, shapes)["params"])

  weights = jax.tree.leaves(jax.eval_shape(init, KEY))
  assert assert_drawn_as_one_program(init) < len(weights) / 2


def test_layers_share_a_program_and_have_weights_of_their_own():
  layers = [f"layer_{number}" for number in range(20)]

  def init(key):
    return {
      name: jax.random.normal(jax.random.fold_in(key, number), (3,))
      for number, name in enumerate(layers)
    }

  # One of the keys, one of the weights.
  assert assert_drawn_as_one_program(init) <= 2


def test_arrays_that_the_text_of_a_program_hides_are_not_mixed_up():
  def init(key):
    def constant(table):
      return jax.jit(lambda x: x + jnp.asarray(table))(jnp.zeros(3))

    tables = np.array([[1, 2, 3], [4, 5, 6]], np.float32)
    # A number, a weight of the key itself, and weights that share a key.
    one, other = jax.random.split(jax.random.fold_in(key, 1))
    return {
      "constants": [constant(table) for table in tables],
      "number": 3.0,
      "own": jax.random.uniform(key, (2,)),
      "shared": [jax.random.uniform(half, (2,)) for half in (one, other, one)],
    }

  assert_drawn_as_one_program(init)
