"""Programs for a slice that is not here; the compiler is an extra."""

import importlib.util
import subprocess
import sys

import gin
import pytest

from distill import errors
from distill.data import pipeline
from distill.planning import compiled

needs_libtpu = pytest.mark.skipif(
  importlib.util.find_spec("libtpu") is None,
  reason="libtpu, the TPU compiler, is not installed: extra `plan`",
)
TINY = "--gin_file=experiments/last_letters_tiny_finetune.gin"


@pytest.mark.parametrize("pack", [True, False])
def test_shapes_are_known_without_reading_the_data(pack):
  gin.clear_config()
  gin.parse_config("""
from __gin__ import dynamic_registration
import seqio
from distill.data import vocabulary
vocabulary.model_vocabulary.vocabulary = @seqio.ByteVocabulary()
""")
  config = pipeline.DatasetConfig(
    mixture_or_task_name="last_letters_finetune",
    task_feature_lengths={"inputs": 64, "targets": 8},
    split="train",
    batch_size=4,
    shuffle=False,
    seed=0,
    pack=pack,
    use_cached=False,
    module="tasks",
  )
  read = pipeline.TrainBatches(config).shapes
  assert compiled.batch_shapes(config, pack) == read


@pytest.mark.skipif(
  importlib.util.find_spec("libtpu") is not None, reason="libtpu is installed"
)
def test_without_the_compiler_the_remedy_is_named():
  with pytest.raises(errors.UserError, match="libtpu") as caught:
    compiled.prepare()
  assert "--cost" in str(caught.value) and "[plan]" in str(caught.value)


def test_what_does_not_fit_says_by_how_much():
  held = {"parameters": 2**30}
  text = (
    "RESOURCE_EXHAUSTED: Ran out of memory on HBM, the total memory required "
    "for HLO temporaries (23.88G) exceeds available HBM (15.75G)."
  )
  usage = compiled.too_large(RuntimeError(text), held)
  assert not usage.fits and usage.compiled
  assert usage.total == pytest.approx(24.88 * 2**30)
  whole = "Ran out of memory in memory space hbm. Used 21.5G of 15.75G hbm."
  usage = compiled.too_large(RuntimeError(whole), held)
  assert usage.total == pytest.approx(21.5 * 2**30)
  with pytest.raises(errors.UserError, match="XLA cannot compile"):
    compiled.too_large(RuntimeError("INTERNAL: something else"), held)


def plan(*flags):
  return subprocess.run(
    [sys.executable, "-m", "distill", "plan", TINY, *flags],
    capture_output=True,
    text=True,
    check=False,
  )


@needs_libtpu
@pytest.mark.long
def test_every_program_of_an_experiment_is_compiled():
  found = plan("--topology=v5e:2x2", "--gin.FSDP_PARALLEL=4")
  assert found.returncode == 0, found.stderr
  assert "The run fits on v5e:2x2 (compiled)." in found.stdout
  for title in ("training step", "program of decoding", "program of scoring"):
    assert title in found.stdout
  assert "all-gather" in found.stdout


@needs_libtpu
@pytest.mark.long
@pytest.mark.parametrize("name", ["v4:2x2x1", "v5p:2x2x1", "v6e:2x2"])
def test_other_generations_compile(name):
  found = plan(f"--topology={name}", "--training_only")
  assert f"on {name} (compiled)" in found.stdout, found.stderr


@needs_libtpu
def test_a_slice_that_nobody_offers_is_refused():
  found = plan("--topology=v5e:3x3", "--gin.BATCH_SIZE=18")
  assert found.returncode == 2
  assert "libtpu knows no slice v5e:3x3" in found.stderr


@needs_libtpu
@pytest.mark.long
def test_what_is_too_large_gets_gin_lines_that_a_compilation_has_tried():
  found = plan(
    "--topology=v5e:2x2",
    "--training_only",
    "--gin.BATCH_SIZE=256",
    "--gin.TASK_FEATURE_LENGTHS={'inputs': 2048, 'targets': 2048}",
  )
  assert "does NOT fit on v5e:2x2 (compiled)" in found.stdout, found.stderr
  assert "It fits with these gin lines (compiled):" in found.stdout
