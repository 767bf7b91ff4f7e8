"""This trainer, T5X and a plain Hugging Face loop, in turn, as one table.

python bench/compare.py --huggingface_python=/path/to/python

The programs of a work compile, each in a process of its own, and wait. Then
they take steps, one program after the other, as often as `--repetitions` says.
The figures are CPU seconds a step of the process, without compiling. A start is
a whole command of one step, with its checkpoint: the first with an empty
compilation cache, the second with that of the first. (Hugging Face's reads the
batches of fine-tuning, already in tokens, and writes no checkpoint.) T5X takes
part where it can be imported (docs/t5x.md), Hugging Face where
`--huggingface_python` has torch and transformers; otherwise the table says why.
"""

import argparse
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence

import processes
from processes import Cost, Program

from distill import errors, gin_run

BENCH = pathlib.Path(__file__).parent
OURS, SHARED, T5X = "distill", "distill, shared encoder", "T5X"
SCANNED, HUGGINGFACE = "distill, SCAN_LAYERS", "Hugging Face"
SAMPLES = 8
FINETUNE, START = "fine-tuning", "start"
# What `distill plan` is asked about: a batch that a slice's chips share.
ON_TPU = (
  "--gin.BATCH_SIZE=256",
  "--gin.TASK_FEATURE_LENGTHS={'inputs': 512, 'targets': 128}",
  "--gin.ACTIVATION_DTYPE='bfloat16'",
)
HEADER = """\
| work | program | CPU s | range | times the first | n | peak GiB |
|---|---|---|---|---|---|---|"""


@dataclasses.dataclass(frozen=True)
class Work:
  """What the programs do, each in its way.

  Attributes:
    name: As in the table.
    task: What follows `last_letters` in the task's name.
    rows: Rows of a batch; for paired tasks, examples.
    targets: Target tokens of a row.
    macros: Gin macros, as gin writes their values.
    program: 'train' or 'decode'.
    shared: The same work with one encoder pass for several targets, or None.
    huggingface: Flags of the Hugging Face program; None: there is none.
  """

  name: str
  task: str
  rows: int
  targets: int
  macros: Mapping[str, str] = dataclasses.field(default_factory=dict)
  program: str = "train"
  shared: "Work | None" = None
  huggingface: Sequence[str] | None = ()


def main(argv: Sequence[str]) -> None:
  """Prints the table, the rows of a work once they are measured."""
  options = parse(argv)
  names = [*(work.name for work in works(options)), START]
  for name in options.only or ():
    errors.require("--only", name, name in names, "one of " + ", ".join(names))
  with tempfile.TemporaryDirectory() as folder:
    bench = Comparison(options, pathlib.Path(folder))
    print(HEADER, flush=True)
    for work in works(options):
      if not options.only or work.name in options.only:
        print(*table_rows(work.name, bench.steps(work)), sep="\n", flush=True)
    if not options.only or START in options.only:
      for name, costs in bench.starts().items():
        print(*table_rows(name, costs), sep="\n", flush=True)
    if options.topology:
      print(bench.plan(options.topology))


def parse(argv: Sequence[str]) -> argparse.Namespace:
  """Returns the flags."""
  parser = argparse.ArgumentParser(allow_abbrev=False)
  add = parser.add_argument
  add("--model", default=str(BENCH / "small_bytes.gin"), help="a gin file")
  add("--examples", type=int, default=4, help="inputs of a training step")
  add("--inputs", type=int, default=64, help="input tokens")
  add("--targets", type=int, default=64, help="target tokens")
  add("--decode_rows", type=int, default=16)
  add("--decode_tokens", type=int, default=32)
  add("--steps", type=int, default=2, help="steps of a repetition")
  add("--repetitions", type=int, default=3)
  add(
    "--start_repetitions", type=int, default=1, help="of starts: minutes each"
  )
  add("--only", action="append", help="the name of a work, or 'start'")
  add("--huggingface_python", default=sys.executable)
  add(
    "--topology",
    help="adds `distill plan` of 256 rows of 512 + 128 tokens, in bfloat16, for"
    " a TPU slice such as v5e:4x4",
  )
  return parser.parse_args(argv)


def works(options: argparse.Namespace) -> list[Work]:
  """Returns what is compared, apart from starts."""
  examples, targets = options.examples, options.targets
  one = {"RATIONALES_PER_EXAMPLE": "1"}
  longer = targets + targets // 4  # a rationale and its label
  paired = Work(
    "label + rationale", "_step_by_step_paired", examples, targets, one
  )
  samples = Work(
    f"{SAMPLES} rationales",
    *("_scotd_all", SAMPLES * examples, longer),
    huggingface=None,
  )
  decode = Work(
    "greedy decoding",
    *("_finetune", options.decode_rows, options.decode_tokens),
    program="decode",
  )
  return [
    Work(FINETUNE, "_finetune", examples, targets),
    dataclasses.replace(
      paired,
      # The label, the rationale and both prefixes stand in one row.
      shared=dataclasses.replace(
        paired,
        targets=targets + targets // 2,
        macros=one | {"PREFIX_SIDE": "'decoder'"},
      ),
      huggingface=("--passes=2",),
    ),
    dataclasses.replace(
      samples,
      shared=dataclasses.replace(
        samples,
        rows=examples,
        targets=SAMPLES * longer,
        macros={"SHARE_INPUTS": "True"},
      ),
    ),
    decode,
    dataclasses.replace(
      decode,
      name="beam-4 decoding",
      macros={"DECODING": "'beam'", "NUM_DECODES": "4"},
      huggingface=("--beams=4",),
    ),
  ]


def table_rows(work: str, costs: Sequence[Cost]) -> list[str]:
  """Returns a row of Markdown for each program.

  The ratio is the median of the repetitions' ratios to the first program.
  """
  rows = []
  for cost in costs:
    cells = [work, cost.name, f"not measured: {cost.reason}", "", "", "0", ""]
    if cost.seconds:
      pairs = zip(cost.seconds, costs[0].seconds, strict=False)
      ratios = [seconds / first for seconds, first in pairs]
      cells[2:] = [
        f"{statistics.median(cost.seconds):.2f}",
        f"{min(cost.seconds):.2f} to {max(cost.seconds):.2f}",
        f"{statistics.median(ratios):.2f}" if ratios else "",
        f"{len(cost.seconds)}",
        f"{cost.peak:.2f}",
      ]
    rows.append(f"| {' | '.join(cells)} |")
  return rows


class Comparison:
  """Runs works at the sizes of the flags, in a folder for what they write."""

  def __init__(self, options: argparse.Namespace, folder: pathlib.Path) -> None:
    """Keeps the flags and the folder."""
    self._options, self._folder = options, folder
    compiled = {"JAX_COMPILATION_CACHE_DIR": str(folder / "compiled")}
    self._environment = (
      compiled
      | os.environ
      | {
        "DISTILL_DATA_DIR": str(folder / "data"),
        "PYTHONPATH": os.pathsep.join(sys.path),
      }
    )

  def steps(self, work: Work) -> list[Cost]:
    """Returns what a step of the work costs each program."""
    options = self._options
    if work.task != "_finetune":
      self._make_cache()
    script = str(BENCH / f"{work.program}.py")

    def ours(name: str, work: Work, *flags: str) -> Program:
      command = [sys.executable, script, "--serve", *flags]
      return Program(name, [*command, *self._flags(work, work.program)])

    # The first program saves its batches for the last one.
    programs = [ours(OURS, work, f"--save={self._tokens(work.name)}")]
    if work.shared:
      programs.append(ours(SHARED, work.shared))
    t5x = [sys.executable, str(BENCH / "t5x_program.py"), work.program]
    programs.append(Program(T5X, [*t5x, *self._flags(work, "train")]))
    if work.huggingface is not None:
      programs.append(self._huggingface(work, *work.huggingface))
    return processes.in_turn(
      programs, options.steps, options.repetitions, self._environment
    )

  def starts(self) -> dict[str, list[Cost]]:
    """Returns what first and second starts cost, by the row's name."""
    work = works(self._options)[0]
    scanned = dataclasses.replace(work, macros={"SCAN_LAYERS": "True"})
    names = (OURS, SCANNED, T5X, HUGGINGFACE)
    found = {
      f"{which} start": [Cost(name) for name in names]
      for which in ("first", "second")
    }
    for repetition in range(self._options.start_repetitions):
      compiled = self._folder / f"compiled-{repetition}"
      variables = {"JAX_COMPILATION_CACHE_DIR": str(compiled)}
      for name, costs in found.items():
        place = self._folder / f"{name}-{repetition}"
        programs = [
          Program(OURS, self._train("distill.train", work, place / "ours")),
          Program(
            SCANNED, self._train("distill.train", scanned, place / "scanned")
          ),
          Program(T5X, self._train("t5x.train", work, place / "t5x")),
          self._huggingface(work)
          if self._tokens(FINETUNE).exists()
          else Program(HUGGINGFACE, reason=f"it needs --only={FINETUNE}, too"),
        ]
        processes.whole(programs, self._environment | variables, costs)
    return found

  def plan(self, topology: str) -> str:
    """Returns the page of `distill plan` for a fine-tuning step."""
    flags = self._flags(works(self._options)[0], "train")
    command = [sys.executable, "-m", "distill", "plan", "--training_only"]
    found = subprocess.run(
      [*command, f"--topology={topology}", *flags, *ON_TPU],
      capture_output=True,
      text=True,
      env=self._environment,
      check=False,
    )
    return found.stdout or found.stderr

  def _flags(self, work: Work, program: str) -> list[str]:
    """Returns the gin flags of a work; those of training have more macros."""
    lengths = {"inputs": self._options.inputs, "targets": work.targets}
    macros = {
      "MIXTURE_OR_TASK_NAME": f"'last_letters{work.task}'",
      "MIXTURE_OR_TASK_MODULE": "'tasks'",
      "TASK_FEATURE_LENGTHS": str(lengths),
      "BATCH_SIZE": str(work.rows),
      "ACTIVATION_DTYPE": "'float32'",
      "DROPOUT_RATE": "0.0",
    }
    if program == "train":
      macros |= {
        "MODEL_DIR": "'unused'",
        "INITIAL_CHECKPOINT_PATH": "[]",
        "TRAIN_STEPS": "1",
        "EVAL_PERIOD": "0",
        "PACK": "False",
        "NUM_TRAIN_EXAMPLES": "200",
      }
    macros |= work.macros
    bindings = [f"--gin.{name}={value}" for name, value in macros.items()]
    return [f"--gin_file={self._options.model}", *bindings]

  def _train(self, module: str, work: Work, place: pathlib.Path) -> list[str]:
    """Returns a training command of one step, by this trainer or T5X."""
    run_file = f"--gin_file={gin_run.RUN_FILES['train']}"
    folder = f"--gin.MODEL_DIR='{place}'"
    half = [f"--gin_search_paths={gin_run.GIN_CONFIGS}"]
    flags = [*half, run_file, *self._flags(work, "train"), folder]
    return [sys.executable, "-m", module, *flags]

  def _huggingface(self, work: Work, *flags: str) -> Program:
    tokens = f"--batches={self._tokens(work.name)}"
    # -E: it has packages of its own.
    python = [self._options.huggingface_python, "-E"]
    script = [str(BENCH / "huggingface_program.py"), work.program]
    return Program(HUGGINGFACE, [*python, *script, tokens, *flags])

  def _tokens(self, work: str) -> pathlib.Path:
    """Returns the file of a work's batches, which the first program saves."""
    return self._folder / f"{work}.npz"

  def _make_cache(self) -> None:
    """Asks the built-in teacher, once."""
    if not (self._folder / "data").exists():
      command = [sys.executable, "-m", "distill", "cache", "ask"]
      flags = ["--task=last_letters", "--split=train", f"--samples={SAMPLES}"]
      subprocess.run(
        [*command, *flags], env=self._environment, check=True, stdout=2
      )


if __name__ == "__main__":
  sys.exit(errors.run_command(main))
