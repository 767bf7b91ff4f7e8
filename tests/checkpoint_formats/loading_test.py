"""What reaches the mesh, and what is refused before anything is trained."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny_networks

from distill import errors
from distill.checkpoint_formats import loading

CONFIG = tiny_networks.t5_config()
KERNEL = "encoder/layers_0/mlp/wi_0/kernel"


def load(checkpoint, config=CONFIG, allow_missing=None, **axes):
  abstract = tiny_networks.abstract_params(config, **axes)
  return loading.load_params(checkpoint, abstract, config, allow_missing)


def changed(**arrays):
  """Returns a checkpoint of `CONFIG` with some arrays replaced, None: none."""
  params = tiny_networks.flat(tiny_networks.random_params(CONFIG))
  params |= {name.replace("__", "/"): a for name, a in arrays.items()}
  return tiny_networks.of_params(
    {k: v for k, v in params.items() if v is not None}
  )


def test_each_device_gets_its_part_and_a_host_reads_no_more():
  whole = tiny_networks.random_params(CONFIG)
  read = []

  def watched(tensor):
    def part(index):
      array = tensor.read_part(index)
      read.append((tensor.shape, array.shape))
      return array

    return dataclasses.replace(tensor, read_part=part)

  checkpoint = tiny_networks.of_params(whole)
  checkpoint = dataclasses.replace(
    checkpoint,
    tensors={name: watched(t) for name, t in checkpoint.tensors.items()},
  )
  params, missing = load(checkpoint, fsdp=4, model=2)
  assert missing == []
  jax.tree.map(np.testing.assert_array_equal, params, whole)
  wanted = tiny_networks.abstract_params(CONFIG, fsdp=4, model=2)
  same = jax.tree.map(lambda a, b: a.sharding == b.sharding, params, wanted)
  assert all(jax.tree.leaves(same))
  # [embed, mlp] of 2 × 5 kernels lies on 4 × 2 devices, each part read once.
  parts = [part for shape, part in read if shape == (8, 12)]
  assert parts == [(2, 6)] * (10 * 8)


def test_bfloat16_weights_become_what_the_network_has():
  checkpoint = tiny_networks.checkpoint(CONFIG, "bfloat16")
  params, _ = load(checkpoint)
  array = tiny_networks.flat(params)[KERNEL]
  assert array.dtype == np.float32
  np.testing.assert_array_equal(array, checkpoint.tensors[KERNEL].read())


@pytest.mark.parametrize(
  ("changes", "expected", "found"),
  [
    (
      {"vocab_size": 18},
      ["vocab_size = 16", "token_embedder/embedding (16, 8)"],
      ["vocab_size = 18", "token_embedder/embedding (18, 8)"],
    ),
    (
      {"num_encoder_layers": 3},
      [
        "num_encoder_layers = 2",
        "encoder/layers_2/attention/key/kernel absent",
      ],
      ["num_encoder_layers = 3", "(8, 6)"],
    ),
    (
      {"num_heads": 3, "head_dim": 2},
      ["num_heads = 2", "head_dim = 3", "rel_embedding (2, 32)"],
      ["num_heads = 3", "head_dim = 2", "rel_embedding (3, 32)"],
    ),
    (
      tiny_networks.TIED,
      ["logits_via_embedding = False", "mlp_branches = 2"],
      [
        "logits_via_embedding = True",
        "decoder/layers_0/mlp/wi_0/kernel absent",
      ],
    ),
  ],
)
def test_another_network_is_refused_with_all_that_differs(
  changes, expected, found
):
  checkpoint = tiny_networks.checkpoint(tiny_networks.t5_config(**changes))
  with pytest.raises(errors.UserError) as caught:
    load(checkpoint)
  for words, said in (
    (expected, caught.value.expected),
    (found, caught.value.found),
  ):
    assert all(word in said for word in words), said


def test_missing_and_extra_parameters_are_named():
  with pytest.raises(errors.UserError, match="2 parameters differ") as caught:
    load(changed(**{KERNEL: None, "extra/scale": np.ones(3)}))
  assert f"{KERNEL} (8, 12)" in caught.value.expected
  assert "extra/scale (3,)" in caught.value.found


def test_what_is_permitted_by_name_stays_open():
  lacking = {KERNEL: None, "decoder/logits_dense/kernel": np.ones((8, 18))}
  params, missing = load(
    changed(**lacking), allow_missing=f"{KERNEL}|decoder/logits_dense/.*"
  )
  assert missing == ["decoder/logits_dense/kernel", KERNEL]
  kept = tiny_networks.flat(params)
  assert [name for name, a in kept.items() if a is None] == sorted(missing)
  with pytest.raises(errors.UserError, match="1 parameters differ"):
    load(changed(**lacking), allow_missing="decoder/.*")
  with pytest.raises(errors.UserError, match="not a regular expression"):
    load(changed(), allow_missing="(")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_named(bad):
  array = np.ones((8, 12), np.float32)
  array[3, 5] = bad
  with pytest.raises(errors.UserError, match=KERNEL) as caught:
    load(changed(**{KERNEL: array}), fsdp=8)
  assert "1 NaN or infinite" in caught.value.found


def test_declared_settings_that_no_shape_tells_are_checked():
  checkpoint = dataclasses.replace(
    tiny_networks.checkpoint(CONFIG),
    declared={
      "mlp_activations": ("silu", "linear"),
      "layer_norm_epsilon": 1e-5,
    },
  )
  with pytest.raises(errors.UserError, match="2 fields") as caught:
    load(checkpoint)
  assert "mlp_activations = ('silu', 'linear')" in caught.value.found
  assert "layer_norm_epsilon = 1e-06" in caught.value.expected
