"""A Hugging Face folder: as transformers writes it, and as it goes wrong."""

import json

import numpy as np
import pytest
import safetensors.numpy
import tiny_networks
from etils import epath

from distill import errors
from distill.checkpoint_formats import huggingface, loading

UNTIED = tiny_networks.t5_config()
TIED = tiny_networks.t5_config(**tiny_networks.TIED)


@pytest.fixture
def export(tmp_path):
  """Returns a function that writes a network, and the folder of it."""

  def write(config=UNTIED, dtype="float32", **options):
    checkpoint = tiny_networks.checkpoint(config, dtype)
    huggingface.write(checkpoint, tmp_path, config.mlp_activations, **options)
    return checkpoint, tmp_path

  return write


def weights(folder):
  return safetensors.numpy.load_file(folder / "model.safetensors")


def rewrite(folder, changes, config=()):
  """Adds arrays to the weights, and settings to config.json."""
  file = folder / "model.safetensors"
  safetensors.numpy.save_file({**weights(folder), **changes}, file)
  path = folder / "config.json"
  path.write_text(json.dumps({**json.loads(path.read_text()), **dict(config)}))


def load(folder, config):
  abstract = tiny_networks.abstract_params(config)
  return loading.load_params(loading.open_checkpoint(folder), abstract, config)


def test_names_and_orientation_are_those_of_transformers(export):
  checkpoint, folder = export()
  theirs = weights(folder)
  ours = checkpoint.tensors
  encoder, decoder = "encoder.block.1.layer", "decoder.block.2.layer"
  for name, kernel in (
    (f"{encoder}.0.SelfAttention.q", "encoder/layers_1/attention/query"),
    (
      f"{decoder}.1.EncDecAttention.o",
      "decoder/layers_2/encoder_decoder_attention/out",
    ),
    (f"{decoder}.2.DenseReluDense.wi_1", "decoder/layers_2/mlp/wi_1"),
    ("lm_head", "decoder/logits_dense"),
  ):
    np.testing.assert_array_equal(
      theirs[f"{name}.weight"], ours[f"{kernel}/kernel"].read().T
    )
  # Two tables, a norm and a bias a stack, and what is in each layer.
  assert len(theirs) == len(ours) == 2 + 2 * 2 + 2 * 9 + 3 * 14
  bias = "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
  assert theirs[bias].shape == (32, 2)


def test_shards_are_one_checkpoint_and_a_lost_one_is_named(export):
  checkpoint, folder = export(shard_bytes=3000)
  files = sorted(folder.glob("model-*.safetensors"))
  assert len(files) > 2
  for path in (folder, files[0]):
    again = loading.open_checkpoint(path)
    assert tiny_networks.bits(again) == tiny_networks.bits(checkpoint)
  files[1].unlink()
  with pytest.raises(errors.UserError, match="not there") as caught:
    loading.open_checkpoint(folder)
  assert files[1].name in caught.value.found


def test_a_tensor_comes_from_the_file_that_the_index_names(export):
  checkpoint, folder = export(shard_bytes=3000)
  index = json.loads((folder / "model.safetensors.index.json").read_text())
  name = "encoder.final_layer_norm.weight"
  [other, *_] = {*index["weight_map"].values()} - {index["weight_map"][name]}
  # Another value of the same name, as a left-over of another revision has it.
  arrays = safetensors.numpy.load_file(folder / other)
  stale = {name: np.full(8, 7, np.float32), "left_over": np.ones(3)}
  safetensors.numpy.save_file({**arrays, **stale}, folder / other)
  again = loading.open_checkpoint(folder)
  assert tiny_networks.bits(again) == tiny_networks.bits(checkpoint)


def test_a_single_file_wins_over_a_left_over_index(export):
  export(shard_bytes=3000)
  checkpoint, folder = export()
  assert (folder / "model.safetensors.index.json").exists()
  rewrite(folder, {"encoder.final_layer_norm.weight": np.ones(8, "float32")})
  again = loading.open_checkpoint(folder).tensors["encoder/encoder_norm/scale"]
  np.testing.assert_array_equal(again.read(), np.ones(8))


@pytest.mark.parametrize(
  ("change", "words"),
  [
    (lambda index: index["weight_map"].update({"lost.weight": "model-00001-of-"
     f"{len(set(index['weight_map'].values())):05d}.safetensors"}),
     ["not there", "lost.weight"]),
    (lambda index: index["weight_map"].update({"a": "../model.safetensors"}),
     ["is not an index"]),
    (lambda index: index.pop("weight_map"), ["is not an index"]),
  ],
)  # fmt: skip
def test_an_index_that_does_not_fit_its_files_is_refused(export, change, words):
  _, folder = export(shard_bytes=3000)
  path = folder / "model.safetensors.index.json"
  index = json.loads(path.read_text())
  change(index)
  path.write_text(json.dumps(index))
  with pytest.raises(errors.UserError) as caught:
    loading.open_checkpoint(folder)
  assert all(word in str(caught.value) for word in words)


def test_a_model_without_a_decoder_is_refused(export):
  _, folder = export()
  arrays = {n: a for n, a in weights(folder).items() if "decoder" not in n}
  safetensors.numpy.save_file(arrays, folder / "model.safetensors")
  rewrite(folder, {}, {"architectures": ["T5EncoderModel"]})
  with pytest.raises(errors.UserError, match="has no decoder") as caught:
    loading.open_checkpoint(folder)
  assert caught.value.found == "an encoder only"


@pytest.mark.parametrize(
  ("content", "words"),
  [
    (lambda whole: whole[:-100], ["bytes, as its header says"]),
    (lambda whole: whole[:500], ["a whole safetensors file", "500 bytes"]),
    (lambda whole: b"", ["0 bytes"]),
    (lambda whole: b"version https://git-lfs.github.com/spec/v1\noid sha256",
     ["git lfs pull"]),
  ],
)  # fmt: skip
def test_a_file_that_is_not_whole_is_named(export, content, words):
  _, folder = export()
  file = folder / "model.safetensors"
  file.write_bytes(content(file.read_bytes()))
  with pytest.raises(errors.UserError, match="model.safetensors") as caught:
    loading.open_checkpoint(folder)
  assert all(word in str(caught.value) for word in words)


def test_a_pickle_is_refused_with_the_remedy(export):
  _, folder = export()
  (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
  with pytest.raises(errors.UserError, match="save_pretrained") as caught:
    loading.open_checkpoint(folder)
  assert "can run any code" in str(caught.value)


def test_every_field_that_differs_is_named_at_once(export):
  _, folder = export()
  changes = {"feed_forward_proj": "gated-silu", "d_kv": 4, "num_heads": 4,
             "relative_attention_max_distance": 64}  # fmt: skip
  rewrite(folder, {}, changes)
  with pytest.raises(errors.UserError, match="4 fields") as caught:
    load(folder, UNTIED)
  assert "mlp_activations = ('silu', 'linear')" in caught.value.found
  assert "head_dim = 3, num_heads" not in caught.value.found
  for value in ("head_dim = 4", "num_heads = 4", "max_distance = 64"):
    assert value in caught.value.found


def test_what_transformers_reads_past_is_read_past(export):
  checkpoint, folder = export(TIED)
  shared = weights(folder)["shared.weight"]
  names = ("lm_head.weight", "encoder.embed_tokens.weight")
  unused = "1.EncDecAttention.relative_attention_bias.weight"
  unused = {f"decoder.block.0.layer.{unused}": np.ones((32, 2), np.float32)}
  rewrite(folder, {name: shared for name in names} | unused, {})
  again = loading.open_checkpoint(folder)
  assert tiny_networks.bits(again) == tiny_networks.bits(checkpoint)
  load(folder, TIED)
  # Another output layer would be lost without a word.
  rewrite(folder, {"lm_head.weight": shared + 1}, {})
  with pytest.raises(errors.UserError, match="lm_head.weight.* is not the sha"):
    loading.open_checkpoint(folder)


def test_transformers_5_ties_a_model_that_scales_nothing(export):
  """stack: it calls T5.1.1 tied, and says so in another field."""
  checkpoint, folder = export()
  arrays = weights(folder)
  del arrays["lm_head.weight"]
  safetensors.numpy.save_file(arrays, folder / "model.safetensors")
  changes = {"tie_word_embeddings": True, "scale_decoder_outputs": False}
  rewrite(folder, {}, changes)
  params, _ = load(folder, UNTIED)
  np.testing.assert_array_equal(
    params["decoder"]["logits_dense"]["kernel"], arrays["shared.weight"].T
  )


def test_a_folder_that_is_not_on_this_machine_is_refused():
  with pytest.raises(errors.UserError, match="copy it to a disk"):
    huggingface.read(epath.Path("gs://bucket/folder"))
