"""Predictions and scores: on any mesh, in order, and as JSONL."""

import dataclasses
import json
import pathlib
import shutil

import numpy as np
import pytest
import seqio

from distill import errors
from distill.data import prefixes
from distill.evaluation import predictions
from distill.model import decoding, encoder_decoder, network
from distill.model.config import T5Config
from distill.training import mesh


def write(student, config, partitioner, folder, **options):
  """Writes lines; returns the paths and the calls of on_progress."""
  calls = []
  model, params = student
  paths = predictions.write_predictions(
    *(model, params, config, partitioner, str(folder)),
    on_progress=lambda *call: calls.append(call),
    **options,
  )
  return paths, calls


def test_lines_have_what_the_task_gives(
  student, partitioner, make_config, questions, answers, scores, tmp_path
):
  rows = [
    {"inputs": question, "targets": "x" if i < 2 else "", "id": f"id-{i}"}
    for i, question in enumerate(questions)
  ]
  config = make_config(rows)
  [path], calls = write(student, config, partitioner, tmp_path)
  assert path == str(tmp_path / "evaluation_test-predict.jsonl")
  with open(path) as file:
    lines = [json.loads(line) for line in file]
  expected = [
    {**row, "prediction": answer, "score": pytest.approx(score, abs=1e-4)}
    for row, answer, score in zip(rows, answers, scores, strict=True)
  ]
  for line in expected[2:]:
    del line["targets"]
  assert lines == expected
  assert calls[-1] == ("evaluation_test", 11, 0)
  assert [p.name for p in tmp_path.iterdir()] == [
    "evaluation_test-predict.jsonl"
  ]


def test_all_samples_are_written_the_best_first(
  student, partitioner, make_config, rows, tmp_path
):
  model, params = student
  sampler = decoding.Decoding("sample", num_decodes=4, temperature=2.0)
  model = dataclasses.replace(model, decoding=sampler)
  lines = []
  for batch_size in (8, 3):
    config = dataclasses.replace(make_config(rows), batch_size=batch_size)
    folder = tmp_path / str(batch_size)
    folder.mkdir()
    [path], _ = write((model, params), config, partitioner, folder)
    seqio.TaskRegistry.remove("evaluation_test")
    with open(path) as file:
      lines.append([json.loads(line) for line in file])
  for line, again in zip(*lines, strict=True):
    texts = [decode["prediction"] for decode in line["decodes"]]
    scores = [decode["score"] for decode in line["decodes"]]
    assert len(texts) == 4
    assert scores == sorted(scores, reverse=True)
    assert (line["prediction"], line["score"]) == (texts[0], scores[0])
    # The same seed draws the same, whatever the batch.
    assert texts == [decode["prediction"] for decode in again["decodes"]]
  drawn = {d["prediction"] for line in lines[0] for d in line["decodes"]}
  assert len(drawn) > 11


def test_scores_are_sums_of_log_probabilities(
  student, partitioner, make_config, questions, tmp_path
):
  texts = ["yes", "", "maybe"]
  rows = [
    {"inputs": question, "targets": text}
    for question, text in zip(questions, texts, strict=False)
  ]
  config = make_config(rows)
  [path], _ = write(student, config, partitioner, tmp_path, mode="score")
  assert path.endswith("evaluation_test-score.jsonl")
  with open(path) as file:
    lines = [json.loads(line) for line in file]
  model, params = student
  for line, row in zip(lines, rows, strict=True):
    inputs, targets = (
      np.array([[*seqio.ByteVocabulary().encode(row[key]), 1]])
      for key in ("inputs", "targets")
    )
    logits = model.module.apply(
      {"params": params},
      *(inputs[:, :12], np.pad(targets, ((0, 0), (1, 0)))[:, :-1], targets),
      enable_dropout=False,
    )
    logits = np.asarray(logits[0], np.float64)
    chosen = logits[np.arange(targets.size), targets[0]]
    expected = np.sum(chosen - np.log(np.sum(np.exp(logits), axis=-1)))
    assert line["score"] == pytest.approx(expected, abs=1e-4)
    assert line["tokens"] == targets.size
    assert line.get("targets", "") == row["targets"]


def test_targets_that_would_be_cut_are_not_scored(
  student, partitioner, make_config, questions, tmp_path
):
  rows = [{"inputs": questions[0], "targets": "longer than six"}]
  config = make_config(rows)
  with pytest.raises(errors.UserError, match="do not fit"):
    write(student, config, partitioner, tmp_path, mode="score")
  config = dataclasses.replace(config, truncate=True)
  _, calls = write(student, config, partitioner, tmp_path, mode="score")
  assert calls == [("evaluation_test", 1, 0)]


def test_existing_predictions_are_not_overwritten(make_config, rows, tmp_path):
  config = make_config(rows)
  predictions.check_outputs(config, str(tmp_path))
  kept = tmp_path / "evaluation_test-predict.jsonl"
  kept.write_text("kept")
  with pytest.raises(errors.UserError, match="exists already"):
    predictions.check_outputs(config, str(tmp_path))


def test_a_stopped_run_leaves_nothing_that_looks_finished(
  student, partitioner, make_config, rows, tmp_path
):
  def stop(*_):
    raise KeyboardInterrupt

  model, params = student
  with pytest.raises(KeyboardInterrupt):
    predictions.write_predictions(
      *(model, params, make_config(rows), partitioner, str(tmp_path)),
      on_progress=stop,
    )
  assert not list(tmp_path.glob("*.jsonl"))


def test_rationales_are_decoded_where_they_are_named(make_config, rows):
  label = make_config(rows, name="evaluation_test_label")
  rationale = make_config(rows, name="evaluation_test_rationale", metric_fns=[])
  names = [c.mixture_or_task_name for c in (label, rationale)]
  mixture = "evaluation_test_mixture"
  seqio.MixtureRegistry.add(mixture, names, 1.0)
  try:
    both = dataclasses.replace(label, mixture_or_task_name=mixture)
    for config, expected in [
      (both, names[:1]),
      (rationale, names[1:]),
    ]:
      tasks = predictions.tasks_to_infer(config)
      assert [task.name for task in tasks] == expected
  finally:
    seqio.MixtureRegistry.remove(mixture)


@pytest.mark.parametrize(
  ("sizes", "batch_size"), [((8, 1, 1), 8), ((2, 2, 2), 4), ((1, 4, 2), 12)]
)
def test_predictions_depend_on_neither_batch_nor_mesh(
  student, examples, tokens, scores, sizes, batch_size
):
  model, params = student
  data, fsdp, model_size = sizes
  partitioner = mesh.Partitioner(data=data, fsdp=fsdp, model=model_size)
  predictor = predictions.Predictor(model, partitioner, batch_size)
  found = list(predictor.decode(params, examples))
  predicted = [best for [best], _ in found]
  np.testing.assert_array_equal(predicted, tokens)
  assert len({tuple(ids) for ids in predicted}) > 3
  scored = [score for _, [score] in found]
  np.testing.assert_allclose(scored, scores, atol=1e-4)
  # The shorter last batch has the shape of the others.
  assert predictor._decode._cache_size() == 1


@pytest.mark.parametrize(
  "way",
  [
    decoding.Decoding("beam", num_decodes=3),
    decoding.Decoding("sample", num_decodes=3),
  ],
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
    predictor = predictions.Predictor(model, mesh_of, batch_size)
    found.append(list(predictor.decode(params, examples)))
  for (tokens, scores), (again, scores_again) in zip(*found, strict=True):
    np.testing.assert_array_equal(tokens, again)
    np.testing.assert_allclose(scores, scores_again, atol=1e-4)


def test_a_batch_that_does_not_divide_is_refused(student):
  with pytest.raises(errors.UserError, match="batch of 9 rows"):
    predictions.Predictor(student[0], mesh.Partitioner(), 9)


def test_no_examples_give_no_predictions(student, partitioner):
  model, params = student
  predictor = predictions.Predictor(model, partitioner, 8)
  assert list(predictor.decode(params, [])) == []


def test_short_inputs_are_decoded_in_shorter_programs(
  student, partitioner, monkeypatch
):
  """Decodes, their scores and their order are those of the whole length."""
  model, params = student
  model = dataclasses.replace(
    model, decoding=decoding.Decoding("sample", num_decodes=2)
  )
  rng = np.random.default_rng(0)
  lengths = [30, 3, 9, 16, 2, 12, 5, 8, 17, 1, 31, 4, 11, 7, 10, 0] * 3
  examples = [
    {
      "encoder_input_tokens": np.pad(
        rng.integers(3, 90, size, np.int32), (0, 32 - size)
      ),
      "decoder_input_tokens": np.zeros(6, np.int32),
    }
    for size in lengths
  ]
  monkeypatch.setattr(predictions, "_WINDOW", 4)

  def decode(shortest):
    monkeypatch.setattr(predictions, "SHORTEST", shortest)
    predictor = predictions.Predictor(model, partitioner, 8)
    found = list(predictor.decode(params, iter(examples)))
    return found, predictor._decode._cache_size()

  short, programs = decode(8)
  assert programs == 3, "of 8, 16 and 32 tokens"
  whole, programs = decode(32)
  assert programs == 1
  for (tokens, scores), (others, expected) in zip(short, whole, strict=True):
    np.testing.assert_array_equal(tokens, others)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("side", prefixes.SIDES)
def test_a_student_is_not_asked_with_its_prefix_on_the_other_side(
  side, partitioner, make_config, rows, tmp_path
):
  starter = pathlib.Path(predictions.__file__).parents[1] / "starters" / "bytes"
  shutil.copytree(starter, tmp_path / "model")
  (tmp_path / "config.gin").write_text(f"PREFIX_SIDE = '{side}'\n")
  sizes = T5Config(
    vocab_size=384,
    emb_dim=32,
    num_heads=4,
    num_encoder_layers=2,
    num_decoder_layers=2,
    head_dim=16,
    mlp_dim=64,
    mlp_activations=("gelu", "linear"),
  )
  byte = seqio.ByteVocabulary()
  model = encoder_decoder.EncoderDecoderModel(
    network.Transformer(sizes), byte, byte
  )
  asked = model, make_config(rows), partitioner, str(tmp_path / "model")
  if side == "input":
    _, checkpoint = predictions.restore(*asked)
    assert checkpoint == str(tmp_path / "model")
  else:
    with pytest.raises(errors.UserError, match="prefix") as error:
      predictions.restore(*asked)
    assert error.value.expected.startswith("PREFIX_SIDE = 'decoder'")
