"""The gin tree: two halves with the same macros, and files that keep word."""

import importlib
import math
import pathlib
import re

import gin
import jax
import pytest
from gin import config_parser

from distill import gin_checks, gin_flags, gin_loading, gin_survey

ROOT = gin_flags.GIN_CONFIGS
HALVES = {"native": gin_flags.search_path(), "t5x": [str(ROOT)]}
FILES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.gin"))
SHARED = [name for name in FILES if name.startswith(("models/", "runs/"))]
EXPERIMENTS = [name for name in FILES if name.startswith("experiments/")]
SIZES = [
  name for name in SHARED if re.fullmatch(r"models/\w+_[a-z]+.gin", name)
]
MODULE = "MIXTURE_OR_TASK_MODULE"
# A value for whatever an experiment leaves to the command line.
GIVEN = {
  "MODEL_DIR": "'/m'",
  "INITIAL_CHECKPOINT_PATH": "[]",
  "CHECKPOINT_PATH": "'/m'",
  "EVAL_OUTPUT_DIR": "'/e'",
  "INFER_OUTPUT_DIR": "'/i'",
  "MIXTURE_OR_TASK_NAME": "'last_letters_finetune'",
  MODULE: "'tasks'",
  "TASK_FEATURE_LENGTHS": "{'inputs': 8, 'targets': 8}",
  "TRAIN_STEPS": "1",
}


def survey_of(half, *names):
  survey = gin_survey.Survey(HALVES[half])
  for name in names:
    survey.add_file(name)
  return survey


def header(name):
  """Returns the fields of a file's opening comment, by their names."""
  text = (ROOT / name).read_text()
  comment = re.match(r"(#.*\n)+", text)[0]
  parts = re.split(r"^# ([A-Z][a-z ]+): *", comment, flags=re.MULTILINE)
  return dict(zip(parts[1::2], parts[2::2], strict=True))


def built(command, *names):
  """Loads files as a command does and builds all that they configure."""
  survey = survey_of("native", *names)
  given = [f"{n}={GIVEN[n]}" for n in (*survey.missing(), MODULE)]
  bindings = [gin_checks.checked_binding(text, survey) for text in given]
  gin_checks.check_complete(survey)
  gin_loading.load(names, bindings, HALVES["native"])
  module = importlib.import_module(f"distill.{command}")
  return gin.get_bindings(getattr(module, command))


def parameter_count(model):
  names = ("encoder_input", "decoder_input", "decoder_target")
  shapes = {f"{name}_tokens": (1, 4) for name in names}
  params = jax.eval_shape(lambda: model.init(jax.random.key(0), shapes))
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def test_both_halves_have_the_same_files():
  native = {p.removeprefix("native/") for p in FILES if "native/" in p}
  assert native == set(SHARED)


@pytest.mark.parametrize("name", SHARED)
def test_both_halves_define_the_same_macros(name):
  native, t5x = survey_of("native", name), survey_of("t5x", name)
  assert native.defined.keys() == t5x.defined.keys()
  for macro, definition in native.defined.items():
    if "@" not in repr(definition.value):
      assert definition.value == t5x.defined[macro].value, macro


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_serves_every_run_of_both_engines(name, half):
  for run in gin_flags.RUN_FILES.values():
    missing = survey_of(half, run, name).missing()
    assert set(missing) <= GIVEN.keys() - {"TRAIN_STEPS"}, run


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_binds_nothing_of_a_run(name):
  for statement in gin_survey.statements((ROOT / name).read_text()):
    if isinstance(statement, config_parser.IncludeStatement):
      assert statement.filename.startswith("models/")
    else:
      assert isinstance(statement, config_parser.BindingStatement)
      assert not statement.arg_name


@pytest.mark.parametrize("name", FILES)
def test_a_file_opens_with_what_its_user_needs(name):
  fields = header(name)
  assert list(fields) == [
    *("Purpose", "Required", "Often overridden"),
    *("Hardware", "Command", "Time and metric"),
  ]
  for file in re.findall(r"--gin_file=(\S+\.gin)", fields["Command"]):
    assert file == "experiments/X.gin" or (ROOT / file).is_file()
  half = "native" if name.startswith("native/") else "t5x"
  survey = survey_of(half, name.removeprefix("native/"))
  named = set(re.findall(r"\b[A-Z][A-Z_]{3,}\b", fields["Required"]))
  if "runs/" in name:
    required = {n for n, macro in survey.defined.items() if macro.required}
    assert named == required
  overridden = re.findall(r"\b[A-Z][A-Z_]{3,}\b", fields["Often overridden"])
  runs = survey_of(half, *gin_flags.RUN_FILES.values())
  assert set(overridden) <= survey.defined.keys() | runs.defined.keys()


@pytest.mark.parametrize("name", SIZES)
def test_a_model_has_the_parameters_that_its_file_says(name):
  arguments = built("train", "runs/finetune.gin", name)
  said = re.search(r"a network of ([\d,]+) parameters", header(name)["Purpose"])
  assert f"{parameter_count(arguments['model']):,}" == said[1]


@pytest.mark.parametrize("command", gin_flags.RUN_FILES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_builds_all_that_a_command_needs(name, command):
  arguments = built(command, gin_flags.RUN_FILES[command], name)
  config = arguments["model"].module.config
  assert config.vocab_size in (384, 32128)
  task = survey_of("native", name).defined["MIXTURE_OR_TASK_NAME"].value
  alpha = (0.5, 0.5) if "_step_by_step" in task else (1.0, 1.0)
  assert arguments["model"].objective.group_weights == (1.0, *alpha, 0.0)


def test_folders_hold_gin_files_only():
  assert {p.suffix for p in ROOT.rglob("*") if p.is_file()} == {".gin"}
  assert {pathlib.PurePath(name).parts[0] for name in FILES} == {
    *("experiments", "grids", "models", "native", "runs")
  }
