"""Real T5X restores what is exported to it; skipped where T5X is absent."""

import numpy as np
import pytest
import tiny_networks

from distill.checkpoint_formats import t5x

pytestmark = pytest.mark.t5x
checkpoints = pytest.importorskip("t5x.checkpoints", reason="no T5X")

import make_t5x_checkpoints as golden  # noqa: E402


@pytest.mark.parametrize("variant", ["untied", "tied"])
@pytest.mark.parametrize("width", [8, 136])
def test_t5x_restores_parameters_step_and_a_fresh_optimizer(
  tmp_path, monkeypatch, variant, width
):
  monkeypatch.setitem(golden.SIZES, "emb_dim", width)
  monkeypatch.setitem(golden.SIZES, "vocab_size", 2 * width)
  model, initializer, partitioner, state = golden.train_state(variant)
  sizes = {**golden.SIZES, **golden.VARIANTS[variant]}
  checkpoint = tiny_networks.checkpoint(tiny_networks.t5_config(**sizes))
  t5x.write(checkpoint, tmp_path)
  restored = checkpoints.OrbaxCheckpointManagerInterface(
    str(tmp_path), initializer.global_train_state_shape, partitioner
  ).restore(path=str(tmp_path / "checkpoint_0"))
  assert int(restored.step) == 0
  params = tiny_networks.flat(restored.params)
  for name, tensor in checkpoint.tensors.items():
    np.testing.assert_array_equal(params[name], tensor.read())
  # Shapes are those of an optimizer that T5X starts itself.
  for mine, theirs in zip(
    *map(_leaves, (restored.param_states, state.param_states)), strict=True
  ):
    assert mine.shape == theirs.shape and not np.any(mine)


def _leaves(tree):
  import jax

  return jax.tree.leaves(tree)
