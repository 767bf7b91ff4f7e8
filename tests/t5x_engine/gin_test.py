"""The T5X half of the gin tree against the native half, without T5X."""

import importlib
import inspect

import gin
import pytest

from distill import gin_files, gin_run
from distill.loss_groups import GROUPS
from distill.model.encoder_decoder import EncoderDecoderModel

ROOT = gin_run.GIN_CONFIGS
EXPERIMENTS = sorted(
  path.relative_to(ROOT).as_posix() for path in ROOT.glob("experiments/*.gin")
)
SHARED = sorted(
  path.relative_to(ROOT).as_posix()
  for folder in ("models", "runs")
  for path in (ROOT / folder).glob("*.gin")
)


def survey_of(search_path, *names):
  survey = gin_files.Survey(search_path)
  for name in names:
    survey.add_file(name)
  return survey


@pytest.mark.parametrize("command", gin_run.RUN_FILES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_has_the_same_macros_in_both_halves(name, command):
  files = (gin_run.RUN_FILES[command], name)
  native = survey_of(gin_run.search_path(), *files)
  t5x = survey_of([str(ROOT)], *files)
  assert native.defined.keys() == t5x.defined.keys()
  assert native.missing() == t5x.missing()
  for macro, definition in native.defined.items():
    if "@" not in repr(definition.value):
      assert definition.value == t5x.defined[macro].value, macro


@pytest.mark.parametrize("name", SHARED)
def test_the_t5x_half_binds_parameters_of_ours_that_exist(name):
  """But for those of the one module that imports T5X: runs_test.py."""
  survey = survey_of([str(ROOT)], name)
  for binding in survey.bindings.values():
    module = binding.configurable.module
    if not module.startswith("distill."):
      continue
    if module == "distill.t5x_engine.model":
      continue
    function = importlib.import_module(module)
    for part in binding.configurable.name.split("."):
      function = getattr(function, part)
    parameters = set(inspect.signature(function).parameters)
    if "weights" in parameters:  # loss_group_weights takes one for each group
      parameters |= {f"{group.name}_weight" for group in GROUPS.values()}
    assert binding.parameter in parameters, binding.written


def test_every_macro_of_the_native_mesh_and_steps_reaches_t5x():
  """A macro that nothing reads would be ignored in silence."""
  t5x = survey_of([str(ROOT)], "runs/finetune.gin", "models/tiny_byte.gin")
  unread = t5x.defined.keys() - t5x.read
  # docs/t5x.md says what T5X does instead.
  best = {"BEST_METRIC", "BEST_MODE", "PATIENCE", "MIN_STEPS"}
  logs = {"METRIC_WRITERS", "PROFILE_STEPS"}
  programs = {"SCAN_LAYERS", "REMAT", "LOGITS_CHUNK", "COMPILATION_CACHE_DIR"}
  assert unread == best | logs | programs | {"TRUNCATE_TARGETS"}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_line_of_t5x_configures_this_trainer_too(name, monkeypatch):
  monkeypatch.chdir(ROOT.parent)
  train = gin_run.configure(
    "train",
    [
      *("--gin_search_paths=gin_configs", "--gin_file=runs/finetune.gin"),
      *(f"--gin_file={name}", "--gin.MODEL_DIR='/path'"),
      "--gin.INITIAL_CHECKPOINT_PATH='gs://public/checkpoint_1000000'",
    ],
  )
  arguments = gin.get_bindings(train)
  assert isinstance(arguments["model"], EncoderDecoderModel)
  assert arguments["model_dir"] == "/path"
