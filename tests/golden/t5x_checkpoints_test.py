"""Checkpoints that T5X itself wrote, and the logits it computed from them."""

import json
import shutil
import tarfile

import numpy as np
import pytest
import tensorstore as ts
import tiny_networks
from flax import serialization, traverse_util
from make_t5x_checkpoints import (
  ARCHIVE,
  INPUTS,
  STEP,
  TARGETS,
  VARIANTS,
  shifted,
)

from distill import errors
from distill.checkpoint_formats import loading, tensors


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
  folder = tmp_path_factory.mktemp("golden")
  with tarfile.open(ARCHIVE) as archive:
    archive.extractall(folder, filter="data")
  return folder


def logits_of(checkpoint, variant):
  config = tiny_networks.t5_config(**VARIANTS[variant])
  params, _ = loading.load_params(
    checkpoint, tiny_networks.abstract_params(config), config
  )
  return tiny_networks.model(config).module.apply(
    {"params": params},
    np.array(INPUTS),
    np.array(shifted(TARGETS)),
    np.array(TARGETS),
    enable_dropout=False,
  )


@pytest.mark.parametrize("variant", VARIANTS)
def test_all_of_t5x_s_formats_give_t5x_s_logits(golden, variant):
  expected = json.loads((golden / "logits.json").read_text())[variant]
  formats = {
    "legacy": "T5X's legacy format",
    "single": "T5X's legacy format",
    "orbax": "T5X's Orbax format",
  }
  read = []
  for name, format_name in formats.items():
    checkpoint = loading.open_checkpoint(golden / f"{variant}_{name}")
    assert (checkpoint.format, checkpoint.step) == (format_name, STEP)
    read.append(tiny_networks.bits(checkpoint))
  assert read[0] == read[1] == read[2]
  logits = logits_of(checkpoint, variant)
  np.testing.assert_allclose(logits, expected, atol=1e-5)


def copied(golden, name, tmp_path):
  [source] = (golden / name).glob("checkpoint_*")
  return shutil.copytree(source, tmp_path / source.name)


def test_the_file_of_the_single_form_may_be_named_itself(golden):
  whole = loading.open_checkpoint(golden / "tied_single")
  file = loading.open_checkpoint(golden / "tied_single" / "checkpoint")
  assert tiny_networks.bits(file) == tiny_networks.bits(whole)


def written_elsewhere(spec, form):
  """Returns a tensorstore spec as T5X wrote it in other places and times."""
  path = spec["kvstore"]["path"]
  if form == "old":
    return {**spec, "kvstore": {"driver": "file"}, "path": path}
  return {**spec, "kvstore": {"driver": form, "bucket": "any", "path": path}}


@pytest.mark.parametrize("form", ["gcs", "gfile", "old"])
def test_where_and_when_it_was_written_does_not_matter(golden, tmp_path, form):
  """As of the public checkpoints, which Google wrote to its own disks."""
  legacy = copied(golden, "untied_legacy", tmp_path)
  whole = tiny_networks.bits(loading.open_checkpoint(legacy))
  file = legacy / "checkpoint"
  contents = serialization.msgpack_restore(file.read_bytes())
  target = traverse_util.flatten_dict(
    contents["optimizer"]["target"], is_leaf=lambda _, x: "kvstore" in x
  )
  contents["optimizer"]["target"] = traverse_util.unflatten_dict(
    {name: written_elsewhere(spec, form) for name, spec in target.items()}
  )
  file.write_bytes(serialization.msgpack_serialize(contents))
  assert tiny_networks.bits(loading.open_checkpoint(legacy)) == whole


def test_a_folder_under_gs_is_read_from_its_bucket():
  assert tensors.kvstore("gs://t5-data/a/checkpoint_1/b") == {
    "driver": "gcs",
    "bucket": "t5-data",
    "path": "a/checkpoint_1/b/",
  }
  with pytest.raises(errors.UserError, match="s3://bucket"):
    tensors.kvstore("s3://bucket/a")


def test_a_checkpoint_that_was_not_written_to_its_end_is_refused(
  golden, tmp_path
):
  legacy = copied(golden, "tied_legacy", tmp_path)
  orbax = copied(golden, "tied_orbax", tmp_path / "orbax")
  half = legacy.rename(tmp_path / f"checkpoint_{STEP}.tmp-1700000000")
  with pytest.raises(errors.UserError, match="not written to its end"):
    loading.open_checkpoint(half)
  with pytest.raises(errors.UserError, match="no checkpoint in it"):
    loading.open_checkpoint(tmp_path)
  (orbax / "commit_success.txt").unlink()
  (orbax / "_CHECKPOINT_METADATA").unlink()
  with pytest.raises(errors.UserError, match="neither commit_success.txt"):
    loading.open_checkpoint(orbax)


def test_a_lost_array_or_chunk_is_named_and_not_read_as_zeros(golden, tmp_path):
  legacy = copied(golden, "tied_legacy", tmp_path)
  name = "target.encoder.layers_0.mlp.wo.kernel"
  checkpoint = loading.open_checkpoint(legacy)
  (legacy / name / "0.0").unlink()
  with pytest.raises(errors.UserError, match=name):
    logits_of(checkpoint, "tied")
  shutil.rmtree(legacy / name)
  with pytest.raises(errors.UserError, match=name):
    logits_of(loading.open_checkpoint(legacy), "tied")


def test_what_is_no_msgpack_of_t5x_s_is_refused(golden, tmp_path):
  legacy = copied(golden, "tied_legacy", tmp_path)
  whole = (legacy / "checkpoint").read_bytes()
  for content in (b'model_checkpoint_path: "model.ckpt-1"\n', whole[:-40]):
    (legacy / "checkpoint").write_bytes(content)
    with pytest.raises(errors.UserError, match="no checkpoint of T5X's"):
      loading.open_checkpoint(legacy)


def test_biases_of_each_layer_are_refused(golden, tmp_path):
  """umT5's, which T5X's scalable network has unless they are equal."""
  folder = copied(golden, "scanned_legacy", tmp_path)
  name = "target.decoder.decoder.relpos_bias.rel_embedding"
  store = {"driver": "file", "path": f"{folder / name}/"}
  array = ts.open({"driver": "zarr", "kvstore": store}).result()
  array[0, 1, 0].write(5.0).result()
  with pytest.raises(errors.UserError, match="as in umT5"):
    loading.open_checkpoint(folder)
