"""The T5 encoder-decoder, with T5X's parameter names and shapes.

A packed row needs segment ids, but no positions. T5 uses only relative
distances, and packing does not change them.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from distill.model import attention, layers
from distill.model.attention import KeysValues
from distill.model.config import T5Config
from distill.model.stacks import Decoder, DecodingCache, Encoder


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
    enable_dropout: bool = True,
  ) -> jax.Array:
    """Returns float32 logits [batch, targets length, vocab].

    All arguments are [batch, length] of the inputs or the targets; 0 is
    padding. The targets are used only to mask padding. The positions are not
    used; they are arguments of T5X's signature.
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

    `position` is the number of tokens before them. The returned cache includes
    them.
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
