"""What the text of gin files says about a run."""

import dataclasses

import pytest

from distill import errors, gin_run
from distill.planning import hardware, workload


def of(*flags):
  argv = [*flags, "--gin.MODEL_DIR=''", "--gin.INITIAL_CHECKPOINT_PATH=[]"]
  survey, _ = gin_run.checked("train", gin_run.parse_flags("train", argv))
  return workload.from_survey(survey)


def test_an_experiment_file_says_it_all():
  name = "experiments/cqa_t5_1_1_xxl_step_by_step_paired.gin"
  found = of(f"--gin_file={name}", "--gin.FSDP_PARALLEL=8")
  assert (found.inputs, found.targets, found.steps) == (512, 256, 4000)
  assert found.rows == 2 * 32  # label and rationale of each example
  assert found.optimizer_bytes == 8  # AdamW's moments
  assert (found.fsdp, found.model, found.microbatches) == (8, 1, 1)
  assert found.config.num_heads == 64 and found.config.dtype == "bfloat16"
  assert found.config.dropout_rate == 0.1  # %DROPOUT_RATE, of another file


def test_flags_win_and_adafactor_has_no_moments_to_count():
  name = "experiments/esnli_t5_1_1_base_step_by_step.gin"
  found = of(
    *(f"--gin_file={name}", "--gin.BATCH_SIZE=32"),
    *("--gin.REMAT=full", "--gin.LOGITS_CHUNK=64"),
  )
  assert (found.rows, found.optimizer_bytes) == (32, 0)
  assert (found.config.remat_policy, found.logits_chunk) == ("full", 64)


def test_data_parallelism_takes_the_devices_that_are_left():
  found = of("--gin_file=experiments/last_letters_tiny_finetune.gin")
  found = dataclasses.replace(found, fsdp=2, model=2)
  assert found.on(hardware.parse("v5e:4x4")).data == 4


@pytest.mark.parametrize(
  ("changes", "said"),
  [
    ({"fsdp": 3}, "The mesh does not fit the 16 devices of v5e:4x4"),
    ({"data": 4}, "data × fsdp × model = 16"),
    ({"microbatches": 3}, "a multiple of data × fsdp × microbatches = 48"),
  ],
)
def test_a_mesh_that_does_not_fit_is_refused(changes, said):
  found = of("--gin_file=experiments/last_letters_tiny_finetune.gin")
  with pytest.raises(errors.UserError) as caught:
    dataclasses.replace(found, **changes).on(hardware.parse("v5e:4x4"))
  assert said in str(caught.value)
