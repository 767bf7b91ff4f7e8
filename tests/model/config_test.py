"""A configuration that no network can be built from is refused at once."""

import pytest

from distill.errors import UserError
from distill.model.config import T5Config


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("num_heads", 0),
    ("emb_dim", 512.0),
    ("dtype", "float16"),
    ("dropout_rate", 1.0),
    ("remat_policy", "some"),
    ("mlp_activations", ("gleu", "linear")),
    ("mlp_activations", "gelu"),
    ("mlp_activations", ()),
  ],
)
def test_an_unusable_field_is_named_with_what_was_found(field, value):
  with pytest.raises(UserError) as caught:
    T5Config(**{"vocab_size": 8, field: value})
  assert f"T5Config.{field}" in str(caught.value)
  assert repr(value) in str(caught.value)


def test_a_list_from_gin_makes_the_same_hashable_configuration():
  from_list = T5Config(8, mlp_activations=["gelu", "linear"])
  from_tuple = T5Config(8, mlp_activations=("gelu", "linear"))
  assert {from_list: "found"}[from_tuple] == "found"
