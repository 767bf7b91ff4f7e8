"""The way of decoding by its macros, on a network."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from distill import errors
from distill.model.decoding import Decoding
from distill.model.encoder_decoder import EncoderDecoderModel


@pytest.fixture
def model(tiny_t5):
  module, variables = tiny_t5.transformer(spread=1.0)
  return EncoderDecoderModel(module, None, None), variables["params"]


@pytest.mark.parametrize(
  ("macro", "fields"),
  [
    ("DECODING", {"method": "beams"}),
    ("NUM_DECODES", {"method": "beam", "num_decodes": 0}),
    ("NUM_DECODES", {"num_decodes": 4}),  # greedy gives one
    ("TEMPERATURE", {"method": "sample", "temperature": 0.0}),
    ("TEMPERATURE", {"method": "beam", "temperature": 0.5}),
    ("TOP_K", {"method": "sample", "top_k": 2.5}),
    ("TOP_P", {"method": "sample", "top_p": 1.5}),
    ("TOP_P", {"method": "sample", "top_k": 2, "top_p": 0.5}),
    ("BEAM_ALPHA", {"method": "beam", "alpha": -1.0}),
    ("BEAM_ALPHA", {"method": "beam", "alpha": "0.6"}),
  ],
)
def test_a_bad_value_names_its_macro(macro, fields):
  with pytest.raises(errors.UserError) as caught:
    Decoding(**fields)
  assert macro in caught.value.what
  assert caught.value.expected
  assert caught.value.found == repr(list(fields.values())[-1])


def test_inputs_are_encoded_once_for_all_decodes(model, tiny_t5, monkeypatch):
  student, params = model
  batch = tiny_t5.batch([11, 3], [5] * 2)
  encoded = []
  encode = type(student.module).encode

  def count(self, tokens, *args, **options):
    encoded.append(tokens.shape[0])
    return encode(self, tokens, *args, **options)

  monkeypatch.setattr(type(student.module), "encode", count)
  for method in ("sample", "beam"):
    many = dataclasses.replace(
      student, decoding=Decoding(method, num_decodes=3)
    )
    shapes = jax.eval_shape(many.decode_batch, params, batch)
    assert shapes.tokens.shape == (2, 3, 5)
  assert encoded == [2, 2]


def test_every_method_scores_what_it_says(model, tiny_t5):
  """The scores of decodes are those of teacher forcing."""
  student, params = model
  # Padding, which teacher forcing does not score, is never among the best.
  kernel = params["decoder"]["logits_dense"]["kernel"]
  middle = kernel.at[:, 0].set(jnp.mean(kernel, axis=1))
  params["decoder"]["logits_dense"]["kernel"] = middle
  batch = tiny_t5.batch([11, 3], [6] * 2)
  score = jax.jit(student.score_batch)
  for decoding in (
    Decoding(),
    Decoding("sample", num_decodes=2, temperature=2.0, top_k=4),
    Decoding("beam", num_decodes=2, alpha=0.0),
  ):
    decoder = dataclasses.replace(student, decoding=decoding)
    found = jax.jit(decoder.decode_batch)(params, batch)
    for i in range(decoding.num_decodes):
      targets = found.tokens[:, i]
      again = {
        "encoder_input_tokens": batch["encoder_input_tokens"],
        "decoder_input_tokens": jnp.pad(targets, ((0, 0), (1, 0)))[:, :-1],
        "decoder_target_tokens": targets,
      }
      scores, tokens = score(params, again)
      np.testing.assert_allclose(found.scores[:, i], scores, atol=2e-4)
      np.testing.assert_array_equal(tokens, (targets > 0).sum(-1))
