"""The starter that comes with the package: whole, and pretrained."""

import hashlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen

import distill
from distill.checkpoint_formats import loading
from distill.data import procedural_text
from distill.data.spans import Spans, spans_as_sentinels
from distill.model import losses
from distill.model.config import T5Config
from distill.model.network import Transformer

FOLDER = pathlib.Path(distill.__file__).parent / "starters" / "bytes"
# gin_configs/models/mini_byte.gin
CONFIG = T5Config(
  vocab_size=384,
  emb_dim=32,
  num_heads=4,
  num_encoder_layers=2,
  num_decoder_layers=2,
  head_dim=16,
  mlp_dim=64,
  mlp_activations=("gelu", "linear"),
  dropout_rate=0.0,
)


def test_the_card_has_the_checksum_of_the_weights():
  digest = hashlib.sha256((FOLDER / "model.safetensors").read_bytes())
  assert f"`{digest.hexdigest()}`" in (FOLDER / "README.md").read_text()


def test_it_is_found_by_its_name_unless_a_folder_here_has_it(
  tmp_path, monkeypatch
):
  monkeypatch.chdir(tmp_path)
  assert str(loading.find_checkpoint("starters/bytes")) == str(FOLDER)
  own = tmp_path / "starters" / "bytes"
  own.mkdir(parents=True)
  (own / "model.safetensors").write_bytes(b"")
  assert str(loading.find_checkpoint("starters/bytes")) == str(own)


def test_it_knows_text_that_it_was_not_trained_on(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  module, tokens = Transformer(CONFIG), jnp.ones((1, 4), jnp.int32)
  random = linen.unbox(module.init(jax.random.key(0), *3 * [tokens])["params"])
  checkpoint = loading.open_checkpoint("starters/bytes")
  params, missing = loading.load_params(checkpoint, random, CONFIG)
  assert not missing
  text = "\n".join(procedural_text.lines(100, seed=1)).encode()
  rows = np.frombuffer(text[: 50 * 80], np.uint8).reshape(50, 80) + 3
  spans = Spans(0.2, 4.0)
  mask = spans.noise_mask(50, 80, np.random.default_rng(0))
  inputs = spans_as_sentinels(rows.astype(np.int32), mask, 259)
  targets = spans_as_sentinels(rows.astype(np.int32), ~mask, 259)
  shifted = np.pad(targets[:, :-1], [(0, 0), (1, 0)])

  def loss(weights):
    logits = module.apply(
      {"params": weights}, inputs, shifted, targets, enable_dropout=False
    )
    return losses.token_losses(logits, jnp.asarray(targets))[0].mean()

  assert loss(params) < 1.4 < 5 < loss(random)
