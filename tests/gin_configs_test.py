"""The gin files: macros, headers, and what each experiment builds."""

import functools
import importlib
import math
import pathlib
import re
import sys
import types

import gin
import jax
import numpy as np
import pytest
import seqio
import tensorflow_datasets as tfds
from gin import config_parser

from distill import gin_checks, gin_files, gin_run
from distill.data import pipeline, registration, selection
from distill.data.cache import building
from distill.teacher import styles
from distill.teacher.attempts import Collection
from distill.teacher.interface import Response
from distill.teacher.prompts import PromptTemplate

sys.path.insert(0, str(pathlib.Path(__file__).parent / "tasks"))
import published_rows  # noqa: E402

ROOT = gin_run.GIN_CONFIGS
HALVES = {"native": gin_run.search_path(), "t5x": [str(ROOT)]}
FILES = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.rglob("*.gin"))
SHARED = [name for name in FILES if name.startswith(("models/", "runs/"))]
EXPERIMENTS = [name for name in FILES if name.startswith("experiments/")]
# They bind nothing to an engine: one file serves both.
ONE_FOR_BOTH = {"runs/pretrain.gin", "runs/score.gin"}
SIZES = [name for name in SHARED if "a network of" in (ROOT / name).read_text()]
MODULE = "MIXTURE_OR_TASK_MODULE"
BATCHES = {}
# In place of T5's, which is in a bucket: SeqIO ships this one with its wheel.
PIECES = (
  pathlib.Path(seqio.__file__).parent
  / "test_data/sentencepiece/sentencepiece.model"
)
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
  survey = gin_files.Survey(HALVES[half])
  for name in names:
    survey.add_file(name)
  return survey


def header(name):
  """Returns the fields of a file's opening comment, by their names."""
  text = (ROOT / name).read_text()
  comment = re.match(r"(#.*\n)+", text)[0]
  parts = re.split(r"^# (\w+): +", comment, flags=re.MULTILINE)
  return dict(zip(parts[1::2], parts[2::2], strict=True))


def built(command, *names, **more):
  """Loads files as a command does and builds all that they configure."""
  survey = survey_of("native", *names)
  given = [f"{n}={GIVEN[n]}" for n in (*survey.missing(), MODULE)]
  given += [f"{n}={value}" for n, value in more.items() if n in survey.defined]
  bindings = [gin_checks.checked_binding(text, survey) for text in given]
  gin_checks.check_complete(survey)
  gin_run.load(names, bindings, HALVES["native"])
  module = importlib.import_module(f"distill.{command}")
  return gin.get_bindings(getattr(module, command))


def parameter_count(model):
  names = ("encoder_input", "decoder_input", "decoder_target")
  shapes = {f"{name}_tokens": (1, 4) for name in names}
  params = jax.eval_shape(lambda: model.init(jax.random.key(0), shapes))
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(params))


def test_a_file_stands_in_both_halves_only_if_it_binds_one_engine():
  """The others serve both engines from one place."""
  for name in SHARED:
    text = (ROOT / name).read_text()
    one_engine = "dynamic_registration" in text
    assert (ROOT / "native" / name).exists() == one_engine, name


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("run", gin_run.RUN_FILES.values())
@pytest.mark.parametrize("model", ["models/t5_1_1.gin", "models/byt5.gin"])
def test_a_macro_is_defined_once_for_both_engines(half, run, model):
  paths = survey_of(half, run, model, "models/adamw.gin").paths
  defined = []
  for path in dict.fromkeys(paths):
    names = [
      statement.selector
      for statement in gin_files.statements(pathlib.Path(path).read_text())
      if isinstance(statement, config_parser.BindingStatement)
      and not statement.arg_name
    ]
    if "/macros/" in path:
      defined += names
    else:  # Wiring, whose objects are those of one engine.
      assert set(names) <= {"MODEL", "OPTIMIZER"}
  assert len(defined) == len(set(defined))


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
  for run in gin_run.RUN_FILES.values():
    missing = survey_of(half, run, name).missing()
    assert set(missing) <= GIVEN.keys() - {"TRAIN_STEPS"}, run


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_binds_nothing_of_a_run(name):
  for statement in gin_files.statements((ROOT / name).read_text()):
    if isinstance(statement, config_parser.IncludeStatement):
      assert statement.filename.startswith("models/")
    else:
      assert isinstance(statement, config_parser.BindingStatement)
      assert not statement.arg_name


@pytest.mark.parametrize("name", FILES)
def test_a_file_opens_with_what_its_user_needs(name):
  fields = header(name)
  order = ["Purpose", "Command", "Hardware", "Result"]
  assert list(fields) == [field for field in order if field in fields]
  run = name.removeprefix("native/") in gin_run.RUN_FILES.values()
  if name.startswith(("experiments/", "grids/")):
    assert set(order[:3]) <= fields.keys()
  else:
    assert ("Command" in fields) == (run or name in ONE_FOR_BOTH)
  commands = fields.get("Command", "")
  for file in re.findall(r"--gin_file=(\S+\.gin)", commands):
    assert file == "experiments/X.gin" or (ROOT / file).is_file()


def test_every_macro_of_macros_says_what_it_is():
  """`--help` prints the comments."""
  for path in ROOT.glob("macros/*.gin"):
    for name, macro in survey_of("t5x", f"macros/{path.name}").defined.items():
      assert macro.comment, name


@pytest.mark.parametrize("name", SIZES)
def test_a_model_has_the_parameters_that_its_file_says(name):
  arguments = built("train", "runs/finetune.gin", name)
  said = re.search(r"a network of ([\d,]+) parameters", header(name)["Purpose"])
  assert f"{parameter_count(arguments['model']):,}" == said[1]


@pytest.mark.parametrize("command", gin_run.RUN_FILES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_builds_all_that_a_command_needs(name, command):
  arguments = built(command, gin_run.RUN_FILES[command], name)
  config = arguments["model"].module.config
  assert config.vocab_size in (384, 32128)
  task = survey_of("native", name).defined["MIXTURE_OR_TASK_NAME"].value
  alpha = (0.5, 0.5) if "_step_by_step" in task else (1.0, 1.0)
  assert arguments["model"].objective.group_weights == (1.0, *alpha, 0.0)


class KnowingTeacher:
  """Gives the gold label of whatever it is asked, and a reason."""

  name = "knowing"

  def __init__(self, examples):
    self.labels = {example.input: example.label for example in examples}

  async def complete(self, request):
    label = self.labels[request.prompt.removesuffix("\nA:")]
    return Response(f"So it is. So the answer is {label}.", "stop", 1, 1)


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
  """Made-up rows of all published sets, and a teacher's answers to them."""
  folder = tmp_path_factory.mktemp("data")
  published_rows.write(folder / "raw")
  prompt = PromptTemplate("bare", "{input}\nA:", "0" * 64)
  find = tfds.builder

  def prepared(name, **options):
    """TFDS's mock_data would be read in place of caches, too."""
    builder = find(name, **options)
    return types.SimpleNamespace(
      data_path=folder,
      info=builder.info,
      download_and_prepare=lambda: None,
      as_dataset=functools.partial(published_rows.rows_of, builder),
    )

  with pytest.MonkeyPatch.context() as patch:
    patch.setenv("DISTILL_RAW_DATA_DIR", str(folder / "raw"))
    patch.setenv("DISTILL_DATA_DIR", str(folder / "cache"))
    patch.setattr(tfds, "builder", prepared)

    @functools.cache
    def answer(family):
      found = registration.find_family(family)
      rule = found.answer_rule
      teacher = KnowingTeacher(found.dataset.examples("train"))
      style = styles.FewShot(prompt, rule)
      collection = Collection(teacher, style)
      place = str(folder / "cache" / family)
      building.build_cache(found.dataset, "train", collection, rule, place)

    yield answer


@functools.cache
def parameter_shapes(module):
  """Returns shapes of one row; experiments share the few networks."""
  tokens = jax.ShapeDtypeStruct((1, 4), "int32")
  key = jax.eval_shape(lambda: jax.random.key(0))
  return jax.eval_shape(module.init, key, *(3 * [tokens]))["params"]


def each_experiment():
  """Yields the experiments; all but one of a dataset or a method are long."""
  seen = set()
  for name in EXPERIMENTS:
    data, method = re.split(r"_t5_1_1_[a-z]+_|_tiny_", name)
    marks = pytest.mark.long if {data, method} <= seen else ()
    seen |= {data, method}
    yield pytest.param(name, marks=marks)


@pytest.mark.parametrize("name", each_experiment())
def test_an_experiment_builds_its_model_and_its_first_batch(name, answered):
  arguments = built(
    *("train", gin_run.RUN_FILES["train"], name),
    BATCH_SIZE="6",
    VOCABULARY_FILE=f"'{PIECES}'",
  )
  model, config = arguments["model"], arguments["train_dataset_cfg"]
  assert parameter_shapes(model.module)["decoder"]["logits_dense"]
  task = config.mixture_or_task_name
  families = [f for f in registration.FAMILIES if task.startswith(f"{f}_")]
  answered(max(families, key=len))
  # Experiments that differ in their model alone share a batch.
  key = repr((config, selection.current_selection()))
  if key not in BATCHES:
    BATCHES[key] = next(pipeline.TrainBatches(config))
  batch = BATCHES[key]
  rows = 12 if task.endswith("_paired") else 6
  assert batch["decoder_target_tokens"].shape == (
    rows, config.task_feature_lengths["targets"]
  )  # fmt: skip
  assert batch["encoder_input_tokens"].any(axis=1).all()
  shares = np.asarray(model.coefficients(batch)).sum()
  assert 0.49 < shares < 1.01
  optimizer = arguments["optimizer"](arguments["learning_rate_fn"])
  assert optimizer.init({"weight": np.zeros(2, np.float32)})


def test_folders_hold_gin_files_only():
  assert {p.suffix for p in ROOT.rglob("*") if p.is_file()} == {".gin"}
  assert {pathlib.PurePath(name).parts[0] for name in FILES} == {
    *("experiments", "grids", "macros", "models", "native", "runs")
  }
