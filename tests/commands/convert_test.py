"""`distill convert`: nothing is lost on the way, and nothing overwritten."""

import json
import os
import pathlib
import shutil
import sys

import numpy as np
import pytest
import safetensors.numpy
import seqio

sys.path.insert(
  0, str(pathlib.Path(__file__).parent.parent / "checkpoint_formats")
)
import tiny_networks  # noqa: E402

from distill import errors, train  # noqa: E402
from distill.checkpoint_formats import loading, orbax  # noqa: E402
from distill.commands import convert  # noqa: E402

SENTENCEPIECE = os.path.join(
  os.path.dirname(seqio.__file__),
  "test_data/sentencepiece/sentencepiece.model",
)


def run(source, output, form, *flags):
  arguments = [f"--input={source}", f"--output={output}", f"--format={form}"]
  return errors.run_command(convert.main, [*arguments, *flags])


@pytest.fixture
def native(tmp_path):
  """Returns a function that writes a native checkpoint, and its arrays."""

  def write(dtype="float32", **changes):
    config = tiny_networks.t5_config(**changes)
    checkpoint = tiny_networks.checkpoint(config, dtype)
    orbax.write(checkpoint, tmp_path / "native")
    return tmp_path / "native", tiny_networks.bits(checkpoint)

  return write


@pytest.mark.parametrize("form", ["huggingface", "t5x"])
@pytest.mark.parametrize(
  ("variant", "dtype"),
  [("tied", "float32"), ("untied", "float32"), ("untied", "bfloat16")],
)
def test_there_and_back_is_the_same_to_the_bit(
  native, tmp_path, form, variant, dtype
):
  source, bits = native(dtype, **tiny_networks.VARIANTS[variant])
  assert run(source, tmp_path / "there", form) == 0
  there = loading.open_checkpoint(tmp_path / "there")
  assert tiny_networks.bits(there) == bits
  assert run(tmp_path / "there", tmp_path / "back", "native") == 0
  back = loading.open_checkpoint(tmp_path / "back")
  assert back.format == "this project's format"
  assert tiny_networks.bits(back) == bits


@pytest.mark.parametrize("form", ["huggingface", "native"])
def test_weights_are_written_in_the_type_that_is_asked_for(
  native, tmp_path, form
):
  source, _ = native(**tiny_networks.VARIANTS["untied"])
  assert run(source, tmp_path / "small", form, "--dtype=bfloat16") == 0
  written = loading.open_checkpoint(tmp_path / "small").tensors
  for name, tensor in loading.open_checkpoint(source).tensors.items():
    assert written[name].dtype == "bfloat16"
    expected = tensor.read().astype(written[name].dtype)
    np.testing.assert_array_equal(written[name].read(), expected)


def test_a_student_is_exported_with_its_tokenizer_and_its_history(
  trained, tmp_path, capfd
):
  model_dir, _ = trained
  assert run(model_dir, tmp_path / "student", "huggingface") == 0
  config = json.loads((tmp_path / "student/config.json").read_text())
  assert config["feed_forward_proj"] == "gated-gelu"
  assert (config["d_model"], config["tie_word_embeddings"]) == (32, False)
  generation = json.loads(
    (tmp_path / "student/generation_config.json").read_text()
  )
  assert generation["max_new_tokens"] == 64
  tokenizer = json.loads(
    (tmp_path / "student/tokenizer_config.json").read_text()
  )
  assert tokenizer["tokenizer_class"] == "ByT5Tokenizer"
  card = (tmp_path / "student/README.md").read_text()
  for words in ("last_letters_step_by_step", "`TRAIN_STEPS` | 200"):
    assert words in card
  for words in ("`emb_dim` | 32", "('gelu', 'linear')", "format, step 200"):
    assert words in card
  assert "assumed" not in capfd.readouterr().err


def test_the_model_card_says_what_the_model_is_made_of(
  trained, small_flags, tmp_path
):
  """A reader of the card knows its origin, its score and how to ask it."""
  model_dir = shutil.copytree(trained[0], tmp_path / "letters")
  best = loading.find_checkpoint(model_dir)
  scores = {"last_letters_label/accuracy": 12.5}
  for name, of, value in (("test", best, 12.5), ("old", "checkpoint_1", 99)):
    (model_dir / name).mkdir()
    scores = {"last_letters_label/accuracy": value}
    scores |= {"checkpoint": f"/moved/letters/{of.name}" if of is best else of}
    text = json.dumps({**scores, "split": "test"})
    (model_dir / name / "metrics.json").write_text(text)
  flags = ["--license=apache-2.0"]
  assert run(model_dir, tmp_path / "student", "huggingface", *flags) == 0
  card = (tmp_path / "student/README.md").read_text()
  for words in (
    'license: "apache-2.0"',
    'datasets: ["last_letters"]',
    "| `dataset` | last_letters |",
    "| `method` | step_by_step |",
    "| `teacher` | builtin |",
    "| `base model` | none: random weights |",
    'tokenizer("[label] …", return_tensors="pt")',
    "| `last_letters_rationale` | `'[rationale] …'` |",
    "| `last_letters_label/accuracy` | 12.50 |",
  ):
    assert words in card, words
  assert "99" not in card.partition("## Metrics")[2]
  # The path of this machine is not for others.
  assert str(trained[0].parent) not in card
  assert f"MODEL_DIR = '…/{trained[0].name}'" in card


def test_files_have_the_modes_of_new_files(native, tmp_path):
  source, _ = native()
  (tmp_path / "new").write_text("")
  expected = (tmp_path / "new").stat().st_mode
  for form in convert.FORMATS:
    output = tmp_path / f"to_{form}"
    assert run(source, output, form) == 0
    files = [path for path in output.rglob("*") if path.is_file()]
    assert {path.stat().st_mode for path in files} == {expected}, form


def test_settings_of_a_hugging_face_model_are_kept(native, tmp_path, capfd):
  source, _ = native()
  assert run(source, tmp_path / "one", "huggingface") == 0
  path = tmp_path / "one/config.json"
  own = {
    "layer_norm_epsilon": 1e-5,
    "model_type": "mt5",
    "feed_forward_proj": "gelu",
    "n_positions": 77,
    "_name_or_path": "/home/me/model",
  }
  path.write_text(json.dumps({**json.loads(path.read_text()), **own}))
  tokenizer = {"tokenizer_class": "T5Tokenizer", "extra_ids": 3}
  (tmp_path / "one/tokenizer_config.json").write_text(json.dumps(tokenizer))
  assert run(tmp_path / "one", tmp_path / "two", "huggingface") == 0
  kept = json.loads((tmp_path / "two/config.json").read_text())
  assert "_name_or_path" not in kept
  del own["_name_or_path"]
  assert own.items() <= kept.items()
  assert kept["num_decoder_layers"] == 3
  copied = json.loads((tmp_path / "two/tokenizer_config.json").read_text())
  assert copied == tokenizer
  # These formats have no place for another epsilon.
  for form in ("t5x", "native"):
    output = tmp_path / f"to_{form}"
    assert run(tmp_path / "one", output, form) == errors.USER_ERROR_EXIT
    assert "layer_norm_epsilon = 1e-05" in capfd.readouterr().err
    assert not output.exists()


@pytest.mark.parametrize("form", ["huggingface", "t5x"])
def test_training_starts_from_what_was_converted(
  trained, small_flags, tmp_path, capfd, form
):
  model_dir, _ = trained
  assert run(model_dir, tmp_path / "there", form) == 0
  step = "no known step" if form == "huggingface" else "step 200"
  flags = [
    *(*small_flags, "--gin.TRAIN_STEPS=1", "--gin.LEARNING_RATE=0.0"),
    *(f"--gin.MODEL_DIR={tmp_path}/model", "--gin.EVAL_PERIOD=0"),
    f"--gin.INITIAL_CHECKPOINT_PATH={tmp_path}/there",
  ]
  assert errors.run_command(train.main, flags) == 0
  assert f"{step}: steps are counted from here" in capfd.readouterr().err
  best = loading.open_checkpoint(model_dir)
  again = loading.open_checkpoint(tmp_path / "model/checkpoint_1")
  for name, tensor in best.tensors.items():
    np.testing.assert_allclose(
      tensor.read(), again.tensors[name].read(), atol=1e-6
    )


def test_a_network_of_another_size_is_refused_unless_it_is_permitted(
  trained, small_flags, tmp_path, capfd
):
  model_dir, _ = trained
  assert run(model_dir, tmp_path / "there", "huggingface") == 0
  flags = [
    *(*small_flags, "--gin.TRAIN_STEPS=1", "--gin.EVAL_PERIOD=0"),
    f"--gin.MODEL_DIR={tmp_path}/model",
    f"--gin.INITIAL_CHECKPOINT_PATH={tmp_path}/there",
    *("--gin_bindings=T5Config.vocab_size=400",),
  ]
  assert errors.run_command(train.main, flags) == errors.USER_ERROR_EXIT
  said = capfd.readouterr().err
  assert "vocab_size = 400" in said and "vocab_size = 384" in said
  permitted = "decoder/logits_dense/kernel|token_embedder/.*"
  flags.append(f"--gin.ALLOW_MISSING={permitted}")
  assert errors.run_command(train.main, flags) == 0
  said = capfd.readouterr().err
  assert (
    "random, by ALLOW_MISSING: decoder/logits_dense/kernel, "
    "token_embedder/embedding\n"
  ) in said


def test_a_sentencepiece_file_travels_along(native, tmp_path, capfd):
  source, _ = native(mlp_activations=("relu",))
  output = tmp_path / "there"
  flag = f"--tokenizer={SENTENCEPIECE}"
  assert run(source, output, "huggingface", flag) == 0
  vocabulary = pathlib.Path(SENTENCEPIECE).read_bytes()
  assert (output / "spiece.model").read_bytes() == vocabulary
  assert "relu is assumed" in capfd.readouterr().err


@pytest.mark.parametrize(
  ("flags", "words"),
  [
    (["--tokenizer=/nowhere/spiece.model"], ["/nowhere/spiece.model"]),
    (["--mlp_activations=glue,linear"], ["glue,linear", "gelu"]),
    (["--mlp_activations=linear,gelu"], ["Hugging Face's T5 has no"]),
    (["--fromat=t5x"], ["no flag", "--help"]),
  ],
)
def test_bad_flags_are_one_error_and_leave_nothing(
  native, tmp_path, capfd, flags, words
):
  source, _ = native()
  before = sorted(tmp_path.iterdir())
  code = run(source, tmp_path / "there", "huggingface", *flags)
  assert code == errors.USER_ERROR_EXIT
  said = capfd.readouterr().err
  assert all(word in said for word in words), said
  assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("form", convert.FORMATS)
def test_an_output_that_exists_is_never_touched(native, tmp_path, capfd, form):
  source, _ = native()
  output = tmp_path / "there"
  output.mkdir()
  (output / "mine").write_text("kept")
  assert run(source, output, form) == errors.USER_ERROR_EXIT
  assert "something is there" in capfd.readouterr().err
  assert [path.name for path in output.iterdir()] == ["mine"]


def test_weights_that_are_not_finite_are_not_passed_on(tmp_path, capfd):
  bad = np.full(8, np.nan, np.float32)
  safetensors.numpy.save_file(
    {"decoder.final_layer_norm.weight": bad}, tmp_path / "model.safetensors"
  )
  (tmp_path / "config.json").write_text("{}")
  for form in ("t5x", "native"):
    code = run(tmp_path, tmp_path / "there", form)
    assert code == errors.USER_ERROR_EXIT
    assert "decoder.final_layer_norm.weight" in capfd.readouterr().err
    assert not (tmp_path / "there").exists()
