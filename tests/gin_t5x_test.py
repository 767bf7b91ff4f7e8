"""Gin files of T5X's users: each binding is named with what replaces it."""

import importlib
import inspect
import pathlib

import pytest

from distill import errors, gin_files, gin_run, gin_t5x

DOCS = pathlib.Path(__file__).parents[1] / "docs" / "t5x.md"
HEAD = "from __gin__ import dynamic_registration\n"
NATIVE = gin_run.search_path()


def refused(*flags):
  with pytest.raises(errors.UserError) as refusal:
    gin_run.configure("train", ["--gin.MODEL_DIR=/m", *flags])
  return refusal.value


@pytest.fixture
def mine(tmp_path):
  """Writes a gin file; returns what `distill train` says to it."""

  def write(text, *flags):
    (tmp_path / "mine.gin").write_text(HEAD + text)
    return refused(f"--gin_file={tmp_path}/mine.gin", *flags)

  return write


@pytest.mark.parametrize(
  ("text", "line", "name", "ours"),
  [
    (
      "from t5x import adafactor\nadafactor.Adafactor.epsilon1 = 1e-20",
      *(3, "adafactor.Adafactor.epsilon1", "optimizers.adafactor.epsilon1"),
    ),
    (
      "from t5x import adafactor as af\n\naf.Adafactor:\n  decay_rate = 0.7",
      *(5, "adafactor.Adafactor.decay_rate", "optimizers.adafactor.decay_rate"),
    ),
    (
      "import t5x.utils\neval/t5x.utils.DatasetConfig.pack = False",
      *(3, "utils.DatasetConfig.pack", "PACK"),
    ),
    (
      "from t5x.examples.t5 import network\nnetwork.T5Config.emb_dim = 8",
      *(3, "network.T5Config.emb_dim", "config.T5Config.emb_dim"),
    ),
    (
      "import __main__ as script\nscript.train.eval_period = 5",
      *(3, "train.eval_period", "EVAL_PERIOD"),
    ),
    (
      "import seqio\nseqio.Evaluator.num_examples = 5",
      *(3, "seqio.Evaluator.num_examples", "EVALUATOR_NUM_EXAMPLES"),
    ),
    (
      "from t5x import optimizers\nOPTIMIZER = @optimizers.adamw()",
      *(2, "t5x.optimizers", "distill.training.optimizers"),
    ),
    ("TRAIN_STEPS_RELATIVE = 5", 2, "TRAIN_STEPS_RELATIVE", "TRAIN_STEPS"),
  ],
)
def test_a_binding_is_named_with_its_line_and_ours(
  mine, text, line, name, ours
):
  error = mine(text)
  assert f"mine.gin, line {line}: {name}" in error.found
  assert f"in place of {name}: {ours}\n" in error.remedy
  assert "python -m t5x.train" in error.remedy


def test_what_has_no_counterpart_is_said_to_belong_to_t5x(mine):
  error = mine(
    "from t5x import partitioning\nfrom t5x.contrib.moe import models\n"
    "partitioning.PjitPartitioner.params_on_devices = False\n"
    "models.MoeEncoderDecoderModel.aux_loss_factor = 0.1\nEVAL_STEPS = 3\n"
  )
  for name in ("PjitPartitioner.params_on_devices", "Model.aux_loss_factor"):
    assert f"{name}, which belongs to T5X alone" in error.remedy
  assert "leave out EVAL_STEPS, which this trainer does not need" in (
    error.remedy
  )


@pytest.mark.parametrize("there", [True, False])
def test_files_of_t5x_are_replaced_wherever_they_are(mine, tmp_path, there):
  folder = tmp_path / "t5x" / "examples" / "t5" / "byt5"
  if there:
    folder.mkdir(parents=True)
    (folder / "xl.gin").write_text(
      f"{HEAD}from t5x import adafactor\nadafactor.Adafactor.beta1 = 0.1\n"
    )
  error = mine(
    "include 't5x/examples/t5/byt5/xl.gin'\ninclude 't5x/my/own.gin'\n",
    f"--gin_search_paths={tmp_path}",
  )
  assert "line 2: t5x/examples/t5/byt5/xl.gin" in error.found
  assert "xl.gin: models/byt5_xl.gin\n" in error.remedy
  assert "t5x/my/own.gin, a file of models/" in error.remedy
  assert "beta1" not in str(error)  # of T5X's file, which is replaced


def test_a_file_of_t5x_on_the_command_line_is_known_for_one():
  error = refused("--gin_file=t5x/configs/runs/finetune.gin")
  assert "the command line: t5x/configs/runs/finetune.gin" in error.found
  assert "finetune.gin: runs/finetune.gin" in error.remedy


@pytest.mark.parametrize(
  ("flag", "ours"),
  [
    ("--gin.USE_HARDWARE_RNG=True", "leave out USE_HARDWARE_RNG"),
    ("--gin.LOSS_NORMALIZING_FACTOR=5", "LOSS_NORMALIZATION\n"),
    ("--gin_bindings=trainer.Trainer.num_microbatches=2", "NUM_MICROBATCHES\n"),
  ],
)
def test_names_of_t5x_on_the_command_line_are_known(flag, ours):
  assert ours in refused("--gin_file=models/tiny_byte.gin", flag).remedy


def native_survey():
  survey = gin_files.Survey(NATIVE)
  for name in (*gin_run.RUN_FILES.values(), "models/byt5.gin"):
    survey.add_file(name)
  survey.add_file("models/adamw.gin")
  return survey


def test_every_counterpart_exists_here():
  """A user who follows the table must not meet another error."""
  survey = native_survey()
  own = {
    "checkpoints": "distill.training",
    "encoder_decoder": "distill.model",
    "config": "distill.model",
    "network": "distill.model",
    "pipeline": "distill.data",
    "mesh": "distill.training",
    "optimizers": "distill.training",
    "schedules": "distill.training",
  }
  tables = [gin_t5x.MACROS, *gin_t5x.OURS.values()]
  for ours in filter(None, {name for t in tables for name in t.values()}):
    if "." not in ours:
      assert ours in survey.defined, ours
      continue
    root, *path, parameter = ours.split(".")
    function = importlib.import_module(f"{own.get(root, 'distill')}.{root}")
    for part in path or [root]:
      function = getattr(function, part)
    assert parameter in inspect.signature(function).parameters, ours
  for ours in gin_t5x.FILES.values():
    gin_files.find_file(ours, NATIVE)
  for ours in gin_t5x.MODULES.values():
    importlib.import_module(ours)


def test_no_macro_of_ours_is_taken_for_one_of_t5x():
  assert not gin_t5x.MACROS.keys() & native_survey().defined.keys()


@pytest.mark.t5x
def test_every_name_of_the_table_exists_in_t5x():
  pytest.importorskip("t5x")
  scripts = {"train": "t5x.train", "evaluate": "t5x.eval", "infer": "t5x.infer"}
  for owner, names in gin_t5x.OURS.items():
    root, *path = owner.split(".")
    module = {"seqio": "seqio", "network": "t5x.examples.t5.network"}.get(
      root, scripts.get(root, f"t5x.{root}")
    )
    function = importlib.import_module(module)
    for part in path or [root]:
      function = getattr(function, part)
    known = set(inspect.signature(function).parameters)
    if owner == "network.T5Config":  # gin names that of scalable_t5 the same
      scalable = importlib.import_module("t5x.examples.scalable_t5.network")
      known |= set(inspect.signature(scalable.T5Config).parameters)
    missing = names.keys() - known
    assert not missing or "kwargs" in known, (owner, missing)
