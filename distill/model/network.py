"""The T5 encoder-decoder, with T5X's parameter names and shapes.

The decoder runs over whole targets in training, and over one position at a time
in decoding. A packed row needs segment ids, but no positions. T5 uses only
relative distances, and packing does not change them.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from distill.model import layers
from distill.model.config import T5Config
from distill.model.layer_stack import run_layers
from distill.model.layers import KeysValues


class EncoderLayer(nn.Module):
  """Self-attention and feed-forward, with a norm before each block."""

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
    """Returns the residual stream, [batch, length, embed]."""
    cfg = self.config
    dropout = layers.dropout(cfg)
    y = layers.RMSNorm(cfg.dtype, name="pre_attention_layer_norm")(x)
    attend = layers.Attention(cfg, name="attention")
    y = attend(
      y, attend.keys_values(y), mask, bias, deterministic=deterministic
    )
    x = x + dropout(y, deterministic=deterministic)
    y = layers.RMSNorm(cfg.dtype, name="pre_mlp_layer_norm")(x)
    y = layers.Mlp(cfg, name="mlp")(y, deterministic=deterministic)
    x = x + dropout(y, deterministic=deterministic)
    return layers.constrain_hidden(x)


class Encoder(nn.Module):
  """The encoder layers, with one position bias, and the final norm."""

  config: T5Config

  @nn.compact
  def __call__(
    self, x: jax.Array, mask: jax.Array, *, deterministic: bool
  ) -> jax.Array:
    """Encodes embedded inputs; returns [batch, length, embed]."""
    cfg = self.config
    bias = layers.RelativePositionBias(
      cfg.num_heads, bidirectional=True, name="relpos_bias"
    )(x.shape[1])
    x = layers.dropout(cfg)(x, deterministic=deterministic)
    x = run_layers(
      [
        EncoderLayer(cfg, name=f"layers_{i}")
        for i in range(cfg.num_encoder_layers)
      ],
      lambda layer, x: layer(x, mask, bias, deterministic=deterministic),
      x,
      cfg.scan_dtype,
      cfg.remat_policy,
    )
    x = layers.RMSNorm(cfg.dtype, name="encoder_norm")(x)
    # Only this dropout of T5X does not share its mask along the length.
    return nn.Dropout(cfg.dropout_rate)(x, deterministic=deterministic)


class DecodingCache(NamedTuple):
  """The state of decoding; the first axis of every leaf is the batch.

  To decode several sequences for one input, repeat the rows of all leaves. To
  reorder hypotheses, gather the rows of `own`.

  Attributes:
    inputs: The cross-attention keys and values of each layer, computed once.
    inputs_mask: [batch, 1, 1, input length], False for padding.
    own: The self-attention keys and values of each layer. Each step writes one
      position.
  """

  inputs: tuple[KeysValues, ...]
  inputs_mask: jax.Array
  own: tuple[KeysValues, ...]


class DecoderLayer(nn.Module):
  """Self-attention, attention to the inputs, and feed-forward."""

  config: T5Config

  def setup(self) -> None:
    """Declares the parts under T5X's names."""
    cfg = self.config
    self.pre_self_attention_layer_norm = layers.RMSNorm(cfg.dtype)
    self.self_attention = layers.Attention(cfg)
    self.pre_cross_attention_layer_norm = layers.RMSNorm(cfg.dtype)
    self.encoder_decoder_attention = layers.Attention(cfg)
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
    """Returns the residual stream, and the keys and values of self-attention.

    With a `cache`, `x` has one position. Its keys and values are written to the
    cache at `position`, and `x` attends to the whole cache.
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


class Decoder(nn.Module):
  """The decoder layers, with one position bias, and the final norm."""

  config: T5Config

  def setup(self) -> None:
    """Declares the parts under T5X's names."""
    cfg = self.config
    self.relpos_bias = layers.RelativePositionBias(
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
    """Returns the final hidden states, [batch, length, embed]."""
    bias = self.relpos_bias(x.shape[1])
    x = self.dropout(x, deterministic=deterministic)

    def block(layer: DecoderLayer, x: jax.Array) -> jax.Array:
      inputs = layer.inputs_keys_values(encoded)
      return layer(
        x, mask, bias, inputs, inputs_mask, deterministic=deterministic
      )[0]

    cfg = self.config
    x = run_layers(self.layers, block, x, cfg.scan_dtype, cfg.remat_policy)
    return self.dropout(self.decoder_norm(x), deterministic=deterministic)

  def step(
    self, x: jax.Array, cache: DecodingCache, position: jax.Array
  ) -> tuple[jax.Array, DecodingCache]:
    """Returns the final hidden state [batch, 1, embed] and the new cache."""
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
  """A T5: called for training, and stepwise for decoding."""

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
    decoder_example_ids: jax.Array | None = None,
    enable_dropout: bool = True,
    with_logits: bool = True,
  ) -> jax.Array:
    """Returns float32 logits [batch, targets length, vocab].

    Without `with_logits`, it returns what `logits` makes them of, the decoder's
    hidden states [batch, targets length, embed].

    All arguments are [batch, length] of the inputs or the targets; 0 is
    padding. The targets are used only to mask padding. The positions are not
    used; they are arguments of T5X's signature.

    Targets attend to each other by `decoder_segment_ids`. They attend to the
    encoder's segment of the id in `decoder_example_ids` (by default
    `decoder_segment_ids`), or to the whole row of an encoder without segments.
    Several targets of one input thus share its encoder pass.
    """
    del encoder_positions, decoder_positions
    encoded = self.encode(
      encoder_input_tokens, encoder_segment_ids, enable_dropout=enable_dropout
    )
    inputs_mask = layers.key_mask(encoder_input_tokens)
    mask = layers.causal_mask(decoder_input_tokens.shape[1])
    mask = mask & layers.key_mask(decoder_target_tokens)
    if decoder_segment_ids is not None:
      mask = mask & layers.segment_mask(
        decoder_segment_ids, decoder_segment_ids
      )
      if decoder_example_ids is None:
        decoder_example_ids = decoder_segment_ids
    if encoder_segment_ids is not None and decoder_example_ids is not None:
      inputs_mask = inputs_mask & layers.segment_mask(
        decoder_example_ids, encoder_segment_ids
      )
    hidden = self.decoder(
      self.token_embedder(decoder_input_tokens),
      mask,
      encoded,
      inputs_mask,
      deterministic=not enable_dropout,
    )
    return self.logits(hidden) if with_logits else hidden

  def encode(
    self,
    encoder_input_tokens: jax.Array,
    encoder_segment_ids: jax.Array | None = None,
    *,
    enable_dropout: bool = True,
  ) -> jax.Array:
    """Returns the encoded inputs [batch, inputs length, embed]."""
    mask = layers.key_mask(encoder_input_tokens)
    if encoder_segment_ids is not None:
      mask = mask & layers.segment_mask(
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
      inputs_mask=layers.key_mask(encoder_input_tokens),
      own=(KeysValues(empty, empty),) * cfg.num_decoder_layers,
    )

  def decode_step(
    self, tokens: jax.Array, cache: DecodingCache, position: jax.Array
  ) -> tuple[jax.Array, DecodingCache]:
    """Returns float32 logits [batch, vocab] after `tokens` [batch].

    `position` is the number of tokens before them. The returned cache includes
    them.
    """
    x = self.token_embedder(tokens[:, None])
    hidden, cache = self.decoder.step(x, cache, position)
    return self.logits(hidden)[:, 0], cache

  def logits(self, hidden: jax.Array) -> jax.Array:
    """Returns float32 logits [batch, length, vocab] of hidden states."""
    if self.config.logits_via_embedding:
      logits = self.token_embedder.attend(hidden)
    else:
      logits = self.decoder.logits_dense(hidden)
    return nn.with_logical_constraint(logits, ("batch", "length", "vocab"))
