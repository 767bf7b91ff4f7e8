"""`distill plan` as a user types it; compiled_test.py compiles."""

import subprocess
import sys

import pytest

from distill import errors
from distill.commands import plan

ESNLI = "--gin_file=experiments/esnli_t5_1_1_base_step_by_step.gin"
XXL = "--gin_file=experiments/cqa_t5_1_1_xxl_step_by_step_paired.gin"


def test_one_topology_is_a_page_and_no_model_dir_is_asked_for(capsys):
  plan.main([ESNLI, "--topology=v5e:4x4", "--cost"])
  text = capsys.readouterr().out
  assert text.startswith("The run fits on v5e:4x4 (by formula).")
  assert "247,577,856 parameters" in text


def test_gpu_nodes_are_planned_by_formula_whatever_is_installed(capsys):
  plan.main([XXL, "--topology=h100:8", "--topology=a100:8"])
  header, *rows = capsys.readouterr().out.splitlines()[:3]
  assert "MFU" in header
  for row in rows:
    assert row.split()[2] == "formula"


def test_macros_and_the_efficiency_change_the_plan(capsys):
  plan.main([ESNLI, "--topology=h200:8", "--efficiency=0.3"])
  slow = capsys.readouterr().out
  plan.main([ESNLI, "--topology=h200:8", "--gin.TRAIN_STEPS=5_000"])
  fast = capsys.readouterr().out
  assert "30% of the peak" in slow and "50% of the peak" in fast
  assert "10,000 steps" in slow and "5,000 steps" in fast


def test_the_formula_needs_neither_jax_nor_tensorflow():
  code = (
    "import sys; from distill import cli;"
    f" cli.dispatch(['plan', {XXL!r}, '--topology=v4:4x4x4', '--cost']);"
    " assert not {'jax', 'tensorflow', 'seqio'} & sys.modules.keys()"
  )
  found = subprocess.run(
    [sys.executable, "-c", code], capture_output=True, text=True, check=False
  )
  assert found.returncode == 0, found.stderr
  assert "v4:4x4x4" in found.stdout


@pytest.mark.parametrize(
  ("flags", "said"),
  [
    ([], "--topology has an invalid value"),
    (["--topology=v5e:4x4", "--efficiency=0"], "above 0, at most 1"),
    (["--topology=v5e:4x4", "--costs"], "did you mean '--cost'?"),
    (["--topology=v5e:4x4", "--gin.NO_MACRO=1"], "NO_MACRO"),
    (["--topology=v5e:16x16", "--cost"], "a multiple of data × fsdp"),
  ],
)
def test_bad_flags_are_refused(flags, said):
  with pytest.raises(errors.UserError) as caught:
    plan.main([ESNLI, *flags])
  assert said in str(caught.value)
