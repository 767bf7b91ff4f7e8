"""The main job: from a dataset without rationales to tested students.

Procedural data → built-in teacher → cached rationales → students by three
methods on the same labelled examples for the same number of steps → accuracy
on the test split, as a table, `results.json` and `results.png`. A run that
was stopped goes on where it was; remove the output folder to begin anew.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Sequence

from distill import errors
from distill.evaluation import figure, report

TASK = "last_letters"
METHODS = ("finetune", "step_by_step", "cot")
# The longest first, so that two at a time end together.
_BY_LENGTH = ("cot", "step_by_step", "finetune")

# What TensorFlow prints while it loads.
_NOISE = re.compile(r"WARNING: All log messages|[IWE]0000 ")


@dataclasses.dataclass(frozen=True)
class Student:
  """One student to train and test.

  Attributes:
    method: Its name in the table.
    mixture: The SeqIO mixture or task that it learns.
    evaluated: The SeqIO task that it is tested on.
    experiment: The experiment file that it runs.
    seed: Seed of weights, dropout and the order of the data.
    steps: Training steps; None: what the experiment file says.
  """

  method: str
  mixture: str
  evaluated: str
  experiment: str
  seed: int
  steps: int | None = None


def student(method: str, seed: int) -> Student:
  """Returns the student of one of the three methods."""
  evaluated = {"step_by_step": f"{TASK}_label"}
  name = f"{TASK}_{method}"
  experiment = f"experiments/{TASK}_tiny_{method}.gin"
  return Student(method, name, evaluated.get(method, name), experiment, seed)


def control(kind: str, seed: int) -> Student:
  """Returns step-by-step on rationales that say nothing of their example."""
  plain = student("step_by_step", seed)
  return dataclasses.replace(
    plain,
    method=f"step_by_step, {kind} rationales",
    mixture=f"{plain.mixture}_{kind}",
  )


def equal_compute(seed: int, rows: Sequence[report.Result]) -> Student:
  """Returns fine-tuning for as many target tokens as step-by-step took."""
  tokens = {row.method: row.tokens for row in rows if row.seed == seed}
  [base] = [r for r in rows if r.seed == seed and r.method == "finetune"]
  ratio = tokens["step_by_step"] / tokens["finetune"]
  return dataclasses.replace(
    student("finetune", seed),
    method="finetune, equal tokens",
    steps=round(base.steps * ratio),
  )


class Demo:
  """Runs the commands of the demo and collects their results."""

  def __init__(self, folder: pathlib.Path, jobs: int) -> None:
    self.folder = folder.absolute()
    self.jobs = jobs
    self.environment = {
      **os.environ,
      "DISTILL_DATA_DIR": str(self.folder / "data"),
      # Students of one shape are compiled once.
      "JAX_COMPILATION_CACHE_DIR": str(self.folder / "compiled"),
    }

  def command(self, who: str, module: str, *flags: str) -> float:
    """Runs one command of the project, each line of it headed by `who`.

    Returns:
      The CPU seconds that it took.

    Raises:
      UserError: It failed.
    """
    line = [sys.executable, "-m", f"distill.{module}", *flags]
    print(f"{who}: $ distill {module} {' '.join(flags)}", flush=True)
    process = subprocess.Popen(
      line,
      env=self.environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
    )
    said = []
    for text in process.stdout or ():
      said.append(text)
      if not _NOISE.match(text):
        print(f"{who}: {text}", end="", flush=True)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
      raise errors.UserError(
        f"{who}: `distill {module}` ended with exit code {process.returncode}.",
        found="".join(said[-20:]).strip(),
        remedy="mend that and run the demo again; it goes on where it was",
      )
    return usage.ru_utime + usage.ru_stime

  def cache(self) -> None:
    """Asks the built-in teacher for the rationales of the training split."""
    self.command(
      "teacher",
      "cache_rationales",
      f"--task={TASK}",
      "--split=train",
      "--teacher=builtin",
      f"--output_dir={self.folder}/data/{TASK}",
    )

  def train_and_test(self, one: Student) -> report.Result:
    """Returns the row of a student, from an earlier run if there is one."""
    words = one.method.replace(",", "").split()
    home = self.folder / "students" / f"{'_'.join(words)}_{one.seed}"
    kept = home / "result.json"
    if kept.exists():
      print(f"{home.name}: kept from an earlier run")
      return report.read_results(str(kept))[0]
    flags = [
      f"--gin_file={one.experiment}",
      f"--gin.MIXTURE_OR_TASK_NAME='{one.mixture}'",
      f"--gin.MODEL_DIR='{home}/model'",
      f"--gin.RANDOM_SEED={one.seed}",
    ]
    if one.steps:
      flags.append(f"--gin.TRAIN_STEPS={one.steps}")
    cpu_seconds = self.command(home.name, "train", *flags)
    cpu_seconds += self.command(
      home.name,
      "evaluate",
      f"--gin_file={one.experiment}",
      f"--gin.MIXTURE_OR_TASK_NAME='{one.evaluated}'",
      f"--gin.CHECKPOINT_PATH='{home}/model'",
      f"--gin.EVAL_OUTPUT_DIR='{home}/test'",
    )
    row = self._row(one, home, cpu_seconds)
    report.write_results([row], str(kept))
    return row

  def _row(
    self, one: Student, home: pathlib.Path, cpu_seconds: float
  ) -> report.Result:
    scores = json.loads((home / "test" / "metrics.json").read_text())
    lines = (home / "model" / "train" / "metrics.jsonl").read_text()
    logged = [json.loads(line) for line in lines.splitlines()]
    last = max(logged, key=lambda line: line["step"])
    manifest = self.folder / "data" / TASK / "manifest.json"
    counts = json.loads(manifest.read_text())["splits"]["train"]
    return report.Result(
      task=TASK,
      method=one.method,
      train_examples=counts["examples"],
      seed=one.seed,
      metric="accuracy",
      value=scores[f"{one.evaluated}/accuracy"],
      steps=last["step"],
      tokens=last["target_tokens_total"],
      cpu_seconds=round(cpu_seconds, 1),
    )

  def train_and_test_all(
    self, students: Sequence[Student]
  ) -> list[report.Result]:
    """Returns the rows of several students, `jobs` of them at a time."""
    with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
      return list(pool.map(self.train_and_test, students))

  def run(self, seeds: int, controls: bool) -> list[report.Result]:
    """Trains and tests every student; returns the rows of the table."""
    self.cache()
    rows = self.train_and_test_all(
      [student(method, seed) for method in _BY_LENGTH for seed in range(seeds)]
    )
    rows.sort(key=lambda row: METHODS.index(row.method))
    if controls:
      more = [equal_compute(seed, rows) for seed in range(seeds)]
      for kind in ("shuffled", "permuted"):
        more += [control(kind, seed) for seed in range(seeds)]
      rows += self.train_and_test_all(more)
    return rows


def main(argv: Sequence[str]) -> int:
  """Runs the demo and prints the table."""
  parser = argparse.ArgumentParser(
    prog="scripts/demo.sh", description=__doc__, allow_abbrev=False
  )
  parser.add_argument("--seeds", type=int, default=1, help="seeds a method")
  parser.add_argument(
    "--controls",
    action="store_true",
    help="add fine-tuning at equal target tokens, and step-by-step on"
    " shuffled and on token-permuted rationales",
  )
  parser.add_argument(
    "--jobs",
    type=int,
    default=2,
    help="students trained at a time; each keeps one core busy",
  )
  parser.add_argument("--output_dir", type=pathlib.Path, default="demo")
  options = parser.parse_args(argv)
  begun = time.monotonic()
  options.output_dir.mkdir(parents=True, exist_ok=True)
  rows = Demo(options.output_dir, options.jobs).run(
    options.seeds, options.controls
  )
  results = options.output_dir / "results.json"
  report.write_results(rows, str(results))
  figure.draw(rows, str(results.with_suffix(".png")))
  print(f"\n{report.format_table(rows)}\n")
  minutes = (time.monotonic() - begun) / 60
  print(f"{results}, {results.with_suffix('.png')}: {minutes:.1f} minutes")
  return 0


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
