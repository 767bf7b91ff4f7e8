"""`distill plan`: what a run needs of a TPU slice or a GPU node."""

import argparse
import dataclasses
import importlib
from collections.abc import Mapping, Sequence
from typing import Any

from distill import console, errors, gin_run
from distill.flags import Parser, names
from distill.planning import advice, compiled, hardware, plan_text, roofline
from distill.planning.hardware import Topology
from distill.planning.roofline import Usage
from distill.planning.workload import Workload, from_survey

# A plan reads no checkpoint and writes none; gin requires the two macros.
_UNUSED = ("MODEL_DIR=''", "INITIAL_CHECKPOINT_PATH=[]")
# The mesh is made of the slice's devices, and not while gin makes its objects.
_ONE_DEVICE = ("DATA_PARALLEL=-1", "FSDP_PARALLEL=1", "MODEL_PARALLEL=1")


def make_parser() -> Parser:
  """Returns the parser of the flags that are not gin's."""
  parser = Parser(
    "distill plan",
    usage="%(prog)s --gin_file=experiments/X.gin --topology=v5e:4x4 …",
    description="Compiles the programs of an experiment for a TPU slice, on any"
    " machine, and prints whether they fit, their time and their cost. GPU"
    " nodes are planned by formula. --gin_file, --gin_search_paths and"
    " --gin_bindings are those of `distill train`.",
  )
  add = parser.add_argument
  add(
    "--topology",
    action="append",
    default=[],
    help="a TPU slice such as v5e:16x16, or a GPU node such as h100:8;"
    " repeatable, for a table. Chips: " + ", ".join(hardware.chips()),
  )
  add("--cost", action="store_true", help="compile nothing: formulas alone")
  add(
    "--training_only",
    action="store_true",
    help="compile the training step alone, and neither decoding nor scoring",
  )
  add(
    "--efficiency",
    type=float,
    default=roofline.EFFICIENCY,
    help="share of the peak that a step reaches, an assumption; default: "
    f"{roofline.EFFICIENCY}",
  )
  add("--gin.NAME", metavar="VALUE", help="value of the macro NAME")
  return parser


def main(argv: Sequence[str]) -> None:
  """Prints a page of one topology, or a table of several."""
  parser = make_parser()
  others = [f"--{name}" for name in names(gin_run.RunFlags)]
  parser.check_names(argv, ["--gin.", *others])
  options, rest = _parsed(parser, argv)
  topologies = [hardware.parse(name) for name in options.topology]
  given = gin_run.parse_flags("train", rest)
  console.say("checking flags and gin files")
  survey, bindings = gin_run.checked("train", given)
  work = from_survey(survey)
  compiling = [t for t in topologies if t.chip.dimensions and not options.cost]
  bound: Mapping[str, Any] = {}
  with console.watch_signals(console.end_process):
    if compiling:
      compiled.prepare()
      bound = _bound(given, bindings)
    plans = [
      _plan(work, topology, options, bound if topology in compiling else {})
      for topology in topologies
    ]
  print(plan_text.page(plans[0]) if len(plans) == 1 else plan_text.table(plans))


def _parsed(
  parser: Parser, argv: Sequence[str]
) -> tuple[argparse.Namespace, list[str]]:
  """Returns the flags of this command, and those of gin."""
  gin = [word for word in argv if word.startswith("--gin.")]
  own = [word for word in argv if not word.startswith("--gin.")]
  options, rest = parser.parse_known_args(own)
  errors.require(
    "--topology", options.topology, bool(options.topology), "one or more"
  )
  errors.require(
    "--efficiency",
    options.efficiency,
    0 < options.efficiency <= 1,
    "above 0, at most 1",
  )
  unused = [f"--gin_bindings={text}" for text in _UNUSED]
  return options, [*rest, *gin, *unused]


def _bound(
  given: gin_run.RunFlags, bindings: Sequence[str]
) -> Mapping[str, Any]:
  """Returns what gin binds to the parameters of `distill.train.train`."""
  console.import_tensorflow("JAX")
  import gin

  train = importlib.import_module("distill.train").train
  files = gin_run.files_of("train", given.gin_file)
  gin_run.load(files, [*bindings, *_ONE_DEVICE], given.search_path)
  bound: Mapping[str, Any] = gin.get_bindings(train)
  return bound


def _plan(
  work: Workload,
  topology: Topology,
  options: argparse.Namespace,
  bound: Mapping[str, Any],
) -> plan_text.Plan:
  """Returns the plan of a topology: compiled where gin's objects are given."""

  def usage_of(variant: Workload, program: str = "training") -> Usage:
    if not bound:
      return roofline.formula(variant, topology.chip)
    console.say(f"compiling {program} for {topology.name}")
    return compiled.usage(bound, variant, topology, program)

  placed = work.on(topology)
  usage = usage_of(placed)
  plan = plan_text.Plan(topology, placed, usage, options.efficiency)
  if not usage.fits:
    found = advice.first_fit(placed, topology, usage, usage_of)
    return dataclasses.replace(plan, advised=found)
  programs = compiled.INFERENCE if bound and not options.training_only else ()
  others = {name: usage_of(placed, name) for name in programs}
  return dataclasses.replace(plan, others=others)
