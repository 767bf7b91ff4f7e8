"""Decoding a dataset: order, the last batch, meshes, compiling once."""

import dataclasses

import numpy as np
import pytest

from distill import errors
from distill.evaluation import prediction
from distill.model.decoding import Decoding
from distill.training import mesh


@pytest.mark.parametrize(
  ("sizes", "batch_size"), [((8, 1, 1), 8), ((2, 2, 2), 4), ((1, 4, 2), 12)]
)
def test_predictions_depend_on_neither_batch_nor_mesh(
  student, examples, tokens, scores, sizes, batch_size
):
  model, params = student
  data, fsdp, model_size = sizes
  partitioner = mesh.Partitioner(data=data, fsdp=fsdp, model=model_size)
  predictor = prediction.Predictor(model, partitioner, batch_size)
  found = list(predictor.decode(params, examples))
  predicted = [best for [best], _ in found]
  np.testing.assert_array_equal(predicted, tokens)
  assert len({tuple(ids) for ids in predicted}) > 3
  scored = [score for _, [score] in found]
  np.testing.assert_allclose(scored, scores, atol=1e-4)
  # The shorter last batch has the shape of the others.
  assert predictor._decode._cache_size() == 1


@pytest.mark.parametrize(
  "way", [Decoding("beam", num_decodes=3), Decoding("sample", num_decodes=3)]
)
def test_beams_and_samples_are_the_same_on_any_mesh(
  student, examples, partitioner, way
):
  model, params = student
  model = dataclasses.replace(model, decoding=way)
  found = []
  for mesh_of, batch_size in (
    (partitioner, 11),
    (mesh.Partitioner(data=2, fsdp=2, model=2), 4),
  ):
    predictor = prediction.Predictor(model, mesh_of, batch_size)
    found.append(list(predictor.decode(params, examples)))
  for (tokens, scores), (again, scores_again) in zip(*found, strict=True):
    np.testing.assert_array_equal(tokens, again)
    np.testing.assert_allclose(scores, scores_again, atol=1e-4)


def test_a_batch_that_does_not_divide_is_refused(student):
  with pytest.raises(errors.UserError, match="batch of 9 rows"):
    prediction.Predictor(student[0], mesh.Partitioner(), 9)


def test_no_examples_give_no_predictions(student, partitioner):
  model, params = student
  predictor = prediction.Predictor(model, partitioner, 8)
  assert list(predictor.decode(params, [])) == []
