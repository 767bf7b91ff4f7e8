"""The T5 encoder-decoder, with T5X's parameter names and shapes.

Packed rows need segment ids alone: T5 has only relative distances, which are
the same in a packed row as in the sequence by itself.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from distill.model import attention, layers
from distill.model.attention import KeysValues
from distill.model.config import T5Config


class DecodingCache(NamedTuple):
  """What a decoding step reads; every leaf has batch as its first axis.

  To decode several sequences for one input, repeat the rows of all leaves; to
  reorder hypotheses, gather the rows of `own`.

  Attributes:
    inputs: Cross-attention keys and values for each layer, computed once.
    inputs_mask: [batch, 1, 1, input length], True where no padding.
    own: Self-attention keys and values for each layer, written step by step.
  """

  inputs: tuple[KeysValues, ...]
  inputs_mask: jax.Array
  own: tuple[KeysValues, ...]


class EncoderLayer(nn.Module):
  """Self-attention and feed-forward, each normalised first and added."""

  config: T5Config

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    mask: jax.Array,
    bias: jax.Array,
    *,
    deterministic: bool,
  ) -> jax.Array:
    """Returns the residual stream [batch, length, embed] after this layer."""
    cfg = self.config
    dropout = layers.dropout(cfg)
    y = layers.RMSNorm(cfg.dtype, name="pre_attention_layer_norm")(x)
    attend = attention.Attention(cfg, name="attention")
    y = attend(
      y, attend.keys_values(y), mask, bias, deterministic=deterministic
    )
    x = x + dropout(y, deterministic=deterministic)
    y = layers.RMSNorm(cfg.dtype, name="pre_mlp_layer_norm")(x)
    y = layers.Mlp(cfg, name="mlp")(y, deterministic=deterministic)
    x = x + dropout(y, deterministic=deterministic)
    return layers.constrain_hidden(x)


class DecoderLayer(nn.Module):
  """Self-attention, attention to the inputs, and feed-forward."""

  config: T5Config

  def setup(self) -> None:
    """Declares the parts under T5X's names."""
    cfg = self.config
    self.pre_self_attention_layer_norm = layers.RMSNorm(cfg.dtype)
    self.self_attention = attention.Attention(cfg)
    self.pre_cross_attention_layer_norm = layers.RMSNorm(cfg.dtype)
    self.encoder_decoder_attention = attention.Attention(cfg)
    self.pre_mlp_layer_norm = layers.RMSNorm(cfg.dtype)
    self.mlp = layers.Mlp(cfg)
    self.dropout = layers.dropout(cfg)

  def inputs_keys_values(self, encoded: jax.Array) -> KeysValues:
    """Projects the encoder's output for this layer's cross-attention."""
    return self.encoder_decoder_attention.keys_values(encoded)

  def __call__(
    self,
    x: jax.Array,
    mask: jax.Array,
    bias: jax.Array,
    inputs: KeysValues,
    inputs_mask: jax.Array,
    *,
    deterministic: bool,
    cache: KeysValues | None = None,
    position: jax.Array | None = None,
  ) -> tuple[jax.Array, KeysValues]:
    """Returns the stream after this layer, and what it self-attended to.

    With a `cache`, the one new position's keys and values are written to it at
    `position`, and the whole cache is attended to.
    """
    y = self.pre_self_attention_layer_norm(x)
    own = self.self_attention.keys_values(y)
    if cache is not None:
      own = jax.tree.map(
        lambda old, new: jax.lax.dynamic_update_slice_in_dim(
          old, new, position, axis=2
        ),
        cache,
        own,
      )
    y = self.self_attention(y, own, mask, bias, deterministic=deterministic)
    x = x + self.dropout(y, deterministic=deterministic)
    y = self.pre_cross_attention_layer_norm(x)
    y = self.encoder_decoder_attention(
      y, inputs, inputs_mask, deterministic=deterministic
    )
    x = x + self.dropout(y, deterministic=deterministic)
    y = self.mlp(self.pre_mlp_layer_norm(x), deterministic=deterministic)
    x = x + self.dropout(y, deterministic=deterministic)
    return layers.constrain_hidden(x), own


class Encoder(nn.Module):
  """The stack of encoder layers between its dropouts, and the last norm."""

  config: T5Config

  @nn.compact
  def __call__(
    self, x: jax.Array, mask: jax.Array, *, deterministic: bool
  ) -> jax.Array:
    """Returns the encoded inputs [batch, length, embed] of embedded ones."""
    cfg = self.config
    bias = attention.RelativePositionBias(
      cfg.num_heads, bidirectional=True, name="relpos_bias"
    )(x.shape[1])
    x = layers.dropout(cfg)(x, deterministic=deterministic)
    for i in range(cfg.num_encoder_layers):
      layer = EncoderLayer(cfg, name=f"layers_{i}")
      x = layer(x, mask, bias, deterministic=deterministic)
    x = layers.RMSNorm(cfg.dtype, name="encoder_norm")(x)
    # T5X's one dropout that does not share its mask along the length.
    return nn.Dropout(cfg.dropout_rate)(x, deterministic=deterministic)


class Decoder(nn.Module):
  """The stack of decoder layers, over whole targets or position by position."""

  config: T5Config

  def setup(self) -> None:
    """Declares the parts under T5X's names."""
    cfg = self.config
    self.relpos_bias = attention.RelativePositionBias(
      cfg.num_heads, bidirectional=False
    )
    self.layers = [DecoderLayer(cfg) for _ in range(cfg.num_decoder_layers)]
    self.decoder_norm = layers.RMSNorm(cfg.dtype)
    self.dropout = layers.dropout(cfg)
    if not cfg.logits_via_embedding:
      self.logits_dense = layers.Dense(
        cfg.vocab_size, ("embed", "vocab"), "float32"
      )

  def inputs_keys_values(self, encoded: jax.Array) -> tuple[KeysValues, ...]:
    """Projects the encoder's output for every layer's cross-attention."""
    return tuple(layer.inputs_keys_values(encoded) for layer in self.layers)

  def __call__(
    self,
    x: jax.Array,
    mask: jax.Array,
    encoded: jax.Array,
    inputs_mask: jax.Array,
    *,
    deterministic: bool,
  ) -> jax.Array:
    """Returns the last hidden states [batch, length, embed]."""
    bias = self.relpos_bias(x.shape[1])
    x = self.dropout(x, deterministic=deterministic)
    for layer in self.layers:
      x, _ = layer(
        x,
        mask,
        bias,
        layer.inputs_keys_values(encoded),
        inputs_mask,
        deterministic=deterministic,
      )
    return self.dropout(self.decoder_norm(x), deterministic=deterministic)

  def step(
    self, x: jax.Array, cache: DecodingCache, position: jax.Array
  ) -> tuple[jax.Array, DecodingCache]:
    """Returns the last hidden state [batch, 1, embed] at `position`."""
    length = cache.own[0].keys.shape[2]
    bias = self.relpos_bias.row(position, length)
    mask = (jnp.arange(length) <= position)[None, None, None]
    own = []
    for layer, layer_own, inputs in zip(
      self.layers, cache.own, cache.inputs, strict=True
    ):
      x, layer_own = layer(
        x,
        mask,
        bias,
        inputs,
        cache.inputs_mask,
        deterministic=True,
        cache=layer_own,
        position=position,
      )
      own.append(layer_own)
    return self.decoder_norm(x), cache._replace(own=tuple(own))


class Transformer(nn.Module):
  """A T5: call it for training, or encode once and decode step by step."""

  config: T5Config

  def setup(self) -> None:
    """Declares the parts under T5X's names."""
    self.token_embedder = layers.Embed(self.config)
    self.encoder = Encoder(self.config)
    self.decoder = Decoder(self.config)

  def __call__(
    self,
    encoder_input_tokens: jax.Array,
    decoder_input_tokens: jax.Array,
    decoder_target_tokens: jax.Array,
    encoder_segment_ids: jax.Array | None = None,
    decoder_segment_ids: jax.Array | None = None,
    encoder_positions: jax.Array | None = None,
    decoder_positions: jax.Array | None = None,
    *,
    enable_dropout: bool = True,
  ) -> jax.Array:
    """Returns float32 logits [batch, targets length, vocab].

    All arguments are [batch, length] of the inputs or the targets; 0 is
    padding. Targets serve only to mask padding. The positions of packed
    examples are taken for T5X's signature: relative distances do not need them.
    """
    del encoder_positions, decoder_positions
    encoded = self.encode(
      encoder_input_tokens, encoder_segment_ids, enable_dropout=enable_dropout
    )
    inputs_mask = attention.key_mask(encoder_input_tokens)
    mask = attention.causal_mask(decoder_input_tokens.shape[1])
    mask = mask & attention.key_mask(decoder_target_tokens)
    if encoder_segment_ids is not None and decoder_segment_ids is not None:
      mask = mask & attention.segment_mask(
        decoder_segment_ids, decoder_segment_ids
      )
      inputs_mask = inputs_mask & attention.segment_mask(
        decoder_segment_ids, encoder_segment_ids
      )
    hidden = self.decoder(
      self.token_embedder(decoder_input_tokens),
      mask,
      encoded,
      inputs_mask,
      deterministic=not enable_dropout,
    )
    return self._logits(hidden)

  def encode(
    self,
    encoder_input_tokens: jax.Array,
    encoder_segment_ids: jax.Array | None = None,
    *,
    enable_dropout: bool = True,
  ) -> jax.Array:
    """Returns the encoded inputs [batch, inputs length, embed]."""
    mask = attention.key_mask(encoder_input_tokens)
    if encoder_segment_ids is not None:
      mask = mask & attention.segment_mask(
        encoder_segment_ids, encoder_segment_ids
      )
    return self.encoder(
      self.token_embedder(encoder_input_tokens),
      mask,
      deterministic=not enable_dropout,
    )

  def start_decoding(
    self, encoder_input_tokens: jax.Array, max_decode_length: int
  ) -> DecodingCache:
    """Encodes [batch, inputs length] and returns the cache of step 0."""
    cfg = self.config
    encoded = self.encode(encoder_input_tokens, enable_dropout=False)
    shape = (
      encoder_input_tokens.shape[0],
      cfg.num_heads,
      max_decode_length,
      cfg.head_dim,
    )
    empty = nn.with_logical_constraint(
      jnp.zeros(shape, cfg.dtype), ("batch", "heads", "length", "kv")
    )
    return DecodingCache(
      inputs=self.decoder.inputs_keys_values(encoded),
      inputs_mask=attention.key_mask(encoder_input_tokens),
      own=(KeysValues(empty, empty),) * cfg.num_decoder_layers,
    )

  def decode_step(
    self, tokens: jax.Array, cache: DecodingCache, position: jax.Array
  ) -> tuple[jax.Array, DecodingCache]:
    """Returns float32 logits [batch, vocab] after `tokens` [batch].

    `position` is how many tokens stand before them; the cache that comes back
    holds them too.
    """
    x = self.token_embedder(tokens[:, None])
    hidden, cache = self.decoder.step(x, cache, position)
    return self._logits(hidden)[:, 0], cache

  def _logits(self, hidden: jax.Array) -> jax.Array:
    if self.config.logits_via_embedding:
      logits = self.token_embedder.attend(hidden)
    else:
      logits = self.decoder.logits_dense(hidden)
    return nn.with_logical_constraint(logits, ("batch", "length", "vocab"))
