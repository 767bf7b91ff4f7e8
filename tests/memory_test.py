"""Memory in docs/tpu.md and in the headers of gin files, by one formula.

Bytes of one device: (8 + o + m) · N ÷ (fsdp · model) + rows · a.
"""

import importlib
import math
import pathlib
import re

import flax
import gin
import jax
import jax.numpy as jnp
import pytest

from distill import gin_files, gin_run
from distill.model import costs
from distill.model.config import REMAT_POLICIES, T5Config

ROOT = gin_run.GIN_CONFIGS
PAGE = (pathlib.Path(__file__).parents[1] / "docs/tpu.md").read_text()
GIB = 2**30
# What XLA leaves to a program.
SHARE = 0.9
PARTITIONS = [2**power for power in range(8)]
NUMBERS = {"one": 1, "two": 2, "four": 4, "eight": 8, "sixteen": 16}
EXPERIMENTS = sorted(
  path.name
  for path in (ROOT / "experiments").glob("*.gin")
  if "_tiny_" not in path.name
)


def state(parameters, adamw, microbatches):
  """Returns the bytes of weights, gradients and moments."""
  return (8 + 8 * adamw + 4 * (microbatches > 1)) * parameters


def table(title):
  """Returns the rows of a table of the page, by their first cells."""
  (text,) = re.findall(
    rf"^\| model \| {title}.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.M
  )
  rows = [
    [cell.strip() for cell in line.strip("| ").split("|")]
    for line in text.splitlines()
  ]
  return {name: cells for name, *cells in rows}


def file_of(model):
  return "models/" + re.sub(r"\W", "_", model.lower()) + ".gin"


def parameters_of(file):
  text = (ROOT / file).read_text()
  return int(re.search(r"network of ([\d,]+)", text)[1].replace(",", ""))


SIZES = table("N")


@pytest.mark.parametrize("model", SIZES)
def test_the_page_has_each_models_parameters_and_weights(model):
  parameters, weights, _ = SIZES[model]
  count = parameters_of(file_of(model))
  assert parameters == f"{count:,}"
  assert weights == f"{8 * count / 1e9:.1f} GB"


REMAT = table("a, none")


@pytest.mark.parametrize("model", REMAT)
def test_the_page_has_what_rematerialization_keeps_and_adds(model):
  text = (ROOT / file_of(model)).read_text()
  sizes = {
    name: int(size)
    for name, size in re.findall(r"^  (\w+) = (\d+)$", text, re.M)
  }
  kept, times = [], []
  for policy in REMAT_POLICIES:
    config = T5Config(
      vocab_size=32128, dtype="bfloat16", remat_policy=policy,
      mlp_activations=("gelu", "linear"), **sizes,
    )  # fmt: skip
    row = costs.activation_bytes(config, 512, 256)
    kept.append(f"{row / GIB:.2f} GiB")
    step = 3 * costs.forward_flops(config, 512, 256)
    again = costs.recomputed_flops(config, 512, 256)
    times.append(f"× {1 + again / step:.2f}")
  assert REMAT[model] == kept + times[1:]


@pytest.mark.parametrize("model", SIZES)
def test_a_models_header_has_its_weights(model):
  text = (ROOT / file_of(model)).read_text()
  held = f"training holds {8 * parameters_of(file_of(model)) / GIB:.1f} GiB"
  assert held in text


def test_the_least_partitions_of_the_page_hold_the_model():
  """One row at a time, whose activations MODEL_PARALLEL is not to split."""
  (header,) = re.findall(r"^\| model \| (v2: .*) \|$", PAGE, re.M)
  memory = [
    float(size) * (GIB if unit == "GiB" else 1e9)
    for size, unit in re.findall(r"(\d+) (GiB|GB)", header)
  ]
  least = table("v2")
  assert least.keys() == SIZES.keys()
  for model, cells in least.items():
    count = int(SIZES[model][0].replace(",", ""))
    row = float(SIZES[model][2].split()[0]) * GIB
    for device, cell in zip(memory, cells, strict=True):
      fits = [
        partitions
        for partitions in PARTITIONS
        if state(count, False, 2) / partitions + row <= SHARE * device
      ]
      assert cell == str(fits[0] if fits else "–"), (model, device)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_fits_where_its_header_says(name):
  survey = gin_files.Survey(gin_run.search_path())
  survey.add_file("runs/finetune.gin")
  survey.add_file(f"experiments/{name}")
  text = (ROOT / "experiments" / name).read_text()
  words = " ".join(re.sub(r"\n#\s*", " ", text).split())
  said = re.search(
    r"Hardware: ([\d.]+) GiB of (weights[a-z, ]*), and at most ([\d.]+) GiB of"
    r" activations a row: (\w+) accelerators? of (\d+) GB"
    r"(?: with (.*?))? \(by arithmetic, docs/tpu.md\)\.",
    words,
  )
  assert said, words
  macros = dict(re.findall(r"(\w+)=(\d+)", said[6] or ""))
  fsdp = int(macros.pop("FSDP_PARALLEL", 1))
  microbatches = int(macros.pop("NUM_MICROBATCHES", 1))
  assert not macros and fsdp == NUMBERS[said[4]]
  adamw = "adamw" in str(survey.defined["OPTIMIZER"].value)
  assert ("moments" in said[2]) == adamw
  (model,) = re.findall(r"^include '(models/\w+_[a-z]+\.gin)'", text, re.M)
  held = state(parameters_of(model), adamw, microbatches)
  assert said[1] == f"{held / GIB:.1f}"
  batch = survey.defined["BATCH_SIZE"].value
  task = survey.defined["MIXTURE_OR_TASK_NAME"].value
  rows = batch * (2 if task.endswith("_paired") else 1)
  assert rows % (fsdp * microbatches) == 0
  room = SHARE * int(said[5]) * 1e9 - held / fsdp
  row = float(said[3]) * GIB
  assert rows / (fsdp * microbatches) * row <= room
  if microbatches > 1:  # Fewer would not do.
    assert rows / (fsdp * microbatches) * 2 * row > room


def bytes_of_row(file, inputs, targets):
  """Returns what JAX's gradient keeps of one more row, counted by shape."""
  argv = [
    *(f"--gin_file={file}", "--gin.MODEL_DIR=/m", "--gin.TRAIN_STEPS=1"),
    *("--gin.INITIAL_CHECKPOINT_PATH=[]", "--gin.MIXTURE_OR_TASK_MODULE=tasks"),
    "--gin.MIXTURE_OR_TASK_NAME=last_letters_finetune",
    "--gin.TASK_FEATURE_LENGTHS={'inputs': 8, 'targets': 8}",
  ]
  train = importlib.import_module("distill.train").train
  gin_run.configure("train", argv)
  model = gin.get_bindings(train)["model"]
  kept = []
  for rows in (1, 2):
    shapes = {
      "encoder_input_tokens": (rows, inputs),
      "decoder_input_tokens": (rows, targets),
      "decoder_target_tokens": (rows, targets),
    }
    params = jax.eval_shape(
      lambda shapes=shapes: flax.core.meta.unbox(
        model.init(jax.random.key(0), shapes)
      )
    )
    batch = {
      name: jax.ShapeDtypeStruct(shape, jnp.int32)
      for name, shape in shapes.items()
    }
    for name in ("decoder_loss_weights", "decoder_loss_groups"):
      batch[name] = batch["decoder_target_tokens"]
    weights = jax.ShapeDtypeStruct((rows, targets), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))

    def pull_back(params, batch, weights, key):
      def loss(params):
        return model.loss_fn(params, batch, weights, key)

      return jax.vjp(loss, params, has_aux=True)[1]

    arrays = jax.tree.leaves(
      jax.eval_shape(
        pull_back, params.get("params", params), batch, weights, key
      )
    )
    kept.append(sum(math.prod(a.shape) * a.dtype.itemsize for a in arrays))
  return kept[1] - kept[0]


def activations():
  """Returns each network and length whose activations are said, and those."""
  said = {
    (file_of(model), 512, 256): cells[2].split()[0]
    for model, cells in SIZES.items()
  }
  for name in EXPERIMENTS:
    text = (ROOT / "experiments" / name).read_text()
    (model,) = re.findall(r"^include '(models/\w+_[a-z]+\.gin)'", text, re.M)
    lengths = re.search(r"^TASK_FEATURE_LENGTHS = .*?(\d+).*?(\d+)", text, re.M)
    words = " ".join(re.sub(r"\n#\s*", " ", text).split())
    row = re.search(r"at most ([\d.]+) GiB of activations a row", words)[1]
    key = model, int(lengths[1]), int(lengths[2])
    assert said.setdefault(key, row) == row, name
  return said


def test_files_of_one_network_and_length_say_the_same():
  assert len(activations()) >= len(SIZES)


@pytest.mark.long
@pytest.mark.parametrize(
  "file",  # Of the larger ones, tracing takes minutes.
  [
    f"models/{size}.gin"
    for size in ("t5_1_1_small", "t5_1_1_base", "byt5_small")
  ],
)
def test_activations_are_what_the_gradient_keeps(file):
  for (model, inputs, targets), said in activations().items():
    if model == file:
      found = bytes_of_row(model, inputs, targets) / GIB
      assert f"{found:.1f}" == said, (inputs, targets)
