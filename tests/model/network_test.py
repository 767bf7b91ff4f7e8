"""The network against float64 NumPy, and its parameters against T5X's list."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import Mesh, PartitionSpec

from distill.model.network import Transformer


def bucket(relative, bidirectional):
  """T5's bucket of one relative position, in whole numbers throughout."""
  count, first, n = 32, 0, max(-relative, 0)
  if bidirectional:
    count, first, n = 16, 16 * (relative > 0), abs(relative)
  exact = count // 2
  if n < exact:
    return first + n
  k = 0  # of the buckets that begin at exact·(128 / exact)^(k / exact)
  while k + 1 < exact and (
    n**exact * exact ** (k + 1) >= exact**exact * 128 ** (k + 1)
  ):
    k += 1
  return first + exact + k


class NumpyT5:
  """One example through a T5 in float64, one head and one query at a time."""

  def __init__(self, cfg, params):
    self.cfg = cfg
    self.params = jax.tree.map(lambda x: np.asarray(x, np.float64), params)

  def norm(self, p, x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * p["scale"]

  def attend(self, p, queries, keys, table=None, bidirectional=False):
    cfg, out = self.cfg, []
    q, k, v = (
      x @ p[name]["kernel"]
      for x, name in [(queries, "query"), (keys, "key"), (keys, "value")]
    )
    for i in range(len(queries)):
      heads = []
      for h in range(cfg.num_heads):
        d = slice(h * cfg.head_dim, (h + 1) * cfg.head_dim)
        seen = range(len(keys))
        if table is not None and not bidirectional:
          seen = range(i + 1)
        scores = [q[i, d] @ k[j, d] for j in seen]
        if table is not None:
          scores = [
            s + table[h, bucket(j - i, bidirectional)]
            for s, j in zip(scores, seen, strict=True)
          ]
        e = np.exp(scores - np.max(scores))
        heads.append(
          sum(w * v[j, d] for w, j in zip(e / e.sum(), seen, strict=True))
        )
      out.append(np.concatenate(heads))
    return np.stack(out) @ p["out"]["kernel"]

  def mlp(self, p, x):
    if "wi" in p:
      hidden = np.maximum(x @ p["wi"]["kernel"], 0)
    else:
      a = x @ p["wi_0"]["kernel"]
      gelu = a * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3))) / 2
      hidden = gelu * (x @ p["wi_1"]["kernel"])
    return hidden @ p["wo"]["kernel"]

  def __call__(self, inputs, decoder_inputs):
    embedding = self.params["token_embedder"]["embedding"]
    p, x = self.params["encoder"], embedding[inputs]
    table, layer = p["relpos_bias"]["rel_embedding"], p["layers_0"]
    y = self.norm(layer["pre_attention_layer_norm"], x)
    x = x + self.attend(layer["attention"], y, y, table, bidirectional=True)
    x = x + self.mlp(layer["mlp"], self.norm(layer["pre_mlp_layer_norm"], x))
    encoded = self.norm(p["encoder_norm"], x)
    p, x = self.params["decoder"], embedding[decoder_inputs]
    table, layer = p["relpos_bias"]["rel_embedding"], p["layers_0"]
    y = self.norm(layer["pre_self_attention_layer_norm"], x)
    x = x + self.attend(layer["self_attention"], y, y, table)
    y = self.norm(layer["pre_cross_attention_layer_norm"], x)
    x = x + self.attend(layer["encoder_decoder_attention"], y, encoded)
    x = x + self.mlp(layer["mlp"], self.norm(layer["pre_mlp_layer_norm"], x))
    x = self.norm(p["decoder_norm"], x)
    if self.cfg.logits_via_embedding:
      return x @ embedding.T / np.sqrt(self.cfg.emb_dim)
    return x @ p["logits_dense"]["kernel"]


def forward(module, variables, batch, **kwargs):
  features = [f for f in batch if not f.startswith("decoder_loss")]
  kwargs = {"enable_dropout": False, **kwargs}
  apply = jax.jit(lambda v, b: module.apply(v, **b, **kwargs))
  return apply(variables, {f: batch[f] for f in features})


@pytest.mark.parametrize("variant", ["t5_1_1", "t5_1_0"])
def test_logits_equal_float64_numpy_and_padding_changes_nothing(
  tiny_t5, variant
):
  module, variables = tiny_t5.transformer(variant)
  lengths = [(40, 30), (3, 1), (17, 29)]
  batch = tiny_t5.batch(*zip(*lengths, strict=True))
  logits = forward(module, variables, batch)
  reference = NumpyT5(module.config, variables["params"])
  for row, (n, m) in enumerate(lengths):
    expected = reference(
      batch["encoder_input_tokens"][row, :n],
      batch["decoder_input_tokens"][row, :m],
    )
    np.testing.assert_allclose(logits[row, :m], expected, rtol=0, atol=1e-5)


def test_packed_examples_do_not_see_each_other(tiny_t5):
  module, variables = tiny_t5.transformer()
  apart = tiny_t5.batch([5, 7], [4, 6])
  alone = forward(module, variables, apart)

  def pack(feature, lengths):
    rows = [apart[feature][i, :n] for i, n in enumerate(lengths)]
    return np.pad(np.concatenate(rows), (0, 2))[None]

  packed = {f: pack(f, [4, 6]) for f in apart if f.startswith("decoder")}
  packed["encoder_input_tokens"] = pack("encoder_input_tokens", [5, 7])
  packed["encoder_segment_ids"] = np.repeat([1, 2, 0], [5, 7, 2])[None]
  packed["decoder_segment_ids"] = np.repeat([1, 2, 0], [4, 6, 2])[None]
  packed["decoder_positions"] = np.r_[0:4, 0:6, 0, 0][None]
  together = forward(module, variables, packed)
  np.testing.assert_allclose(together[0, :4], alone[0, :4], atol=1e-5)
  np.testing.assert_allclose(together[0, 4:10], alone[1, :6], atol=1e-5)


def test_dropout_is_off_without_and_repeatable_with_a_key(tiny_t5):
  module, variables = tiny_t5.transformer(dropout_rate=0.5)
  batch = tiny_t5.batch([6], [5])

  tokens = {f: batch[f] for f in batch if f.endswith("tokens")}
  dropped = jax.jit(
    lambda v, b, key: module.apply(v, **b, rngs={"dropout": key})
  )
  first, again, other = (
    dropped(variables, tokens, jax.random.key(seed, impl="unsafe_rbg"))
    for seed in (1, 1, 2)
  )
  np.testing.assert_array_equal(first, again)
  assert np.abs(first - other).max() > 0.1
  without = Transformer(tiny_t5.config(dropout_rate=0.0))
  np.testing.assert_array_equal(
    forward(module, variables, batch), forward(without, variables, batch)
  )


@pytest.mark.parametrize(
  ("policy", "scan"),
  [pytest.param("minimal", False, marks=pytest.mark.long), ("full", True)],
)
def test_rematerialization_changes_neither_loss_nor_gradients(
  tiny_t5, policy, scan
):
  """With dropout, whose masks are drawn again."""
  batch = tiny_t5.batch([6, 4], [5, 5])
  tokens = {f: batch[f] for f in batch if f.endswith("tokens")}

  @functools.partial(jax.jit, static_argnums=0)
  def gradients(module, variables):
    def loss(variables):
      key = {"dropout": jax.random.key(0)}
      return jnp.sum(module.apply(variables, **tokens, rngs=key) ** 2)

    return jax.value_and_grad(loss)(variables)

  options = {
    "num_encoder_layers": 2,
    "num_decoder_layers": 2,
    "dropout_rate": 0.5,
    "scan_layers": scan,
  }
  plain, variables = tiny_t5.transformer(**options)
  module, _ = tiny_t5.transformer(remat_policy=policy, **options)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(
      a, b, rtol=1e-5, atol=1e-6 * np.abs(b).max()
    ),
    gradients(module, variables),
    gradients(plain, variables),
  )


def test_bfloat16_computes_near_float32_and_returns_float32(tiny_t5):
  _, variables = tiny_t5.transformer()
  batch = tiny_t5.batch([6, 4], [5, 5])
  exact = forward(Transformer(tiny_t5.config()), variables, batch)
  module = Transformer(tiny_t5.config(dtype="bfloat16"))
  logits = forward(module, variables, batch)
  assert logits.dtype == jnp.float32
  error = np.abs(logits - exact).max() / np.abs(exact).max()
  assert 1e-4 < error < 5e-2
  shapes = jax.eval_shape(
    lambda: module.init(jax.random.key(0), *[jnp.ones((1, 1), int)] * 3)
  )
  assert {x.dtype for x in jax.tree.leaves(shapes)} == {jnp.dtype("float32")}


def test_a_stack_computes_its_position_bias_once(tiny_t5):
  module, variables = tiny_t5.transformer(
    num_encoder_layers=3, num_decoder_layers=3
  )
  batch = tiny_t5.batch([6], [5])
  jaxpr = jax.make_jaxpr(lambda v: forward(module, v, batch))(variables)
  assert tiny_t5.count(jaxpr.jaxpr, "pad") == 2


def test_sharded_over_a_mesh_the_logits_are_the_same(tiny_t5):
  module, variables = tiny_t5.transformer()
  batch = tiny_t5.batch([6, 4], [5, 5])
  alone = forward(module, variables, batch)
  mesh = Mesh(np.array(jax.devices()[:4]).reshape(2, 2), ("data", "model"))
  rules = [("batch", "data"), ("heads", "model"), ("mlp", "model")]
  with jax.set_mesh(mesh), nn.logical_axis_rules(rules):
    logits = forward(module, variables, batch)
  np.testing.assert_allclose(logits, alone, atol=1e-5)
  assert logits.sharding.spec == PartitionSpec("data")


ATTENTION = {
  "query/kernel": ((12, 10), ("embed", "joined_kv")),
  "key/kernel": ((12, 10), ("embed", "joined_kv")),
  "value/kernel": ((12, 10), ("embed", "joined_kv")),
  "out/kernel": ((10, 12), ("joined_kv", "embed")),
}
NORM = ((12,), ("embed",))
RELPOS = ((2, 32), ("heads", "relpos_buckets"))
WI = ((12, 16), ("embed", "mlp"))
WO = ((16, 12), ("mlp", "embed"))
COMMON = {
  "token_embedder/embedding": ((23, 12), ("vocab", "embed")),
  "encoder/relpos_bias/rel_embedding": RELPOS,
  "encoder/layers_0/pre_attention_layer_norm/scale": NORM,
  **{f"encoder/layers_0/attention/{k}": v for k, v in ATTENTION.items()},
  "encoder/layers_0/pre_mlp_layer_norm/scale": NORM,
  "encoder/layers_0/mlp/wo/kernel": WO,
  "encoder/encoder_norm/scale": NORM,
  "decoder/relpos_bias/rel_embedding": RELPOS,
  "decoder/layers_0/pre_self_attention_layer_norm/scale": NORM,
  **{f"decoder/layers_0/self_attention/{k}": v for k, v in ATTENTION.items()},
  "decoder/layers_0/pre_cross_attention_layer_norm/scale": NORM,
  **{
    f"decoder/layers_0/encoder_decoder_attention/{k}": v
    for k, v in ATTENTION.items()
  },
  "decoder/layers_0/pre_mlp_layer_norm/scale": NORM,
  "decoder/layers_0/mlp/wo/kernel": WO,
  "decoder/decoder_norm/scale": NORM,
}
ONLY = {
  "t5_1_1": {
    "encoder/layers_0/mlp/wi_0/kernel": WI,
    "encoder/layers_0/mlp/wi_1/kernel": WI,
    "decoder/layers_0/mlp/wi_0/kernel": WI,
    "decoder/layers_0/mlp/wi_1/kernel": WI,
    "decoder/logits_dense/kernel": ((12, 23), ("embed", "vocab")),
  },
  "t5_1_0": {
    "encoder/layers_0/mlp/wi/kernel": WI,
    "decoder/layers_0/mlp/wi/kernel": WI,
  },
}


def shapes_of(cfg):
  one = jnp.ones((1, 1), jnp.int32)
  return jax.eval_shape(
    lambda: Transformer(cfg).init(jax.random.key(0), one, one, one)
  )["params"]


@pytest.mark.parametrize("variant", ["t5_1_1", "t5_1_0"])
def test_parameters_have_t5x_names_shapes_and_axes(tiny_t5, variant):
  boxed = shapes_of(tiny_t5.config(variant))
  found = {
    "/".join(key.key for key in path): (box.value.shape, box.names)
    for path, box in jax.tree_util.tree_leaves_with_path(
      boxed, is_leaf=lambda x: isinstance(x, nn.LogicallyPartitioned)
    )
  }
  assert found == {**COMMON, **ONLY[variant]}


def test_t5_1_1_small_has_the_published_size(tiny_t5):
  small = tiny_t5.config(
    vocab_size=32128,
    emb_dim=512,
    num_heads=6,
    head_dim=64,
    num_encoder_layers=8,
    num_decoder_layers=8,
    mlp_dim=1024,
  )
  sizes = [np.prod(x.shape) for x in jax.tree.leaves(shapes_of(small))]
  assert sum(sizes) == 76_961_152
