"""Labels and rationales of inputs that a user types on the terminal."""

from collections.abc import Iterable
from typing import Any, NamedTuple, TextIO

import jax
import numpy as np
import seqio

from distill import errors, loss_groups
from distill.data import pipeline, prefixes, views
from distill.evaluation import predictions
from distill.training.mesh import Partitioner


class Output(NamedTuple):
  """What is decoded for each input.

  Attributes:
    name: Of a step-by-step mixture 'label' or 'rationale', of any other task
      'output'.
    before: The text in front of the input.
    given: The tokens that the decode begins with.
  """

  name: str
  before: str
  given: list[int]


def outputs(provider: seqio.Task | seqio.Mixture) -> list[Output]:
  """Returns the outputs of a task or mixture, with its family's prefixes."""
  found = []
  for task in seqio.get_subtasks(provider):
    name, before, given = "output", "", list[int]()
    for step in task.preprocessors:
      if isinstance(step, views.ToText):
        before = step.before
      elif isinstance(step, views.AddLossGroup) and not step.view:
        given = prefixes.before_target(step.prefix)
        group = loss_groups.GROUPS.get(step.group)
        if group and group.weight is None:
          name = group.name
    found.append(Output(name, before, given))
  return found


def converse(
  model: Any,
  params: Any,
  config: pipeline.DatasetConfig,
  partitioner: Partitioner,
  source: Iterable[str],
  screen: TextIO,
) -> None:
  """Answers one line after another, until an empty one or the end.

  Args:
    model: The student.
    params: Its parameters, on the mesh.
    config: Its task or mixture. No example of it is read.
    partitioner: The mesh.
    source: Lines of input.
    screen: Where answers go.

  Raises:
    UserError: There are several hosts.
  """
  if jax.process_count() > 1:
    raise errors.UserError(
      "Inputs can be typed on one host only.",
      expected="one process",
      found=f"{jax.process_count()}",
      remedy="start --interactive on one host, without the multi-host flags",
    )
  provider = config.provider()
  names = outputs(provider)
  shape = partitioner.mesh.shape
  shards = shape["data"] * shape["fsdp"]
  # As few rows as hold all outputs and divide by the devices.
  rows = -(-len(names) // shards) * shards
  predictor = predictions.Predictor(model, partitioner, rows)
  reader = provider.output_features["inputs"].vocabulary
  writer = provider.output_features["targets"].vocabulary
  lengths = config.task_feature_lengths
  print("input> ", end="", file=screen, flush=True)
  for line in source:
    if not (text := line.strip()):
      return
    examples = []
    for output in names:
      whole = output.before + text
      ids = [*reader.encode(whole), reader.eos_id][: lengths["inputs"]]
      if ids[-1] != reader.eos_id:
        print(f"  (cut to {len(ids)} tokens)", file=screen)
      examples.append(
        {
          "encoder_input_tokens": np.pad(
            np.array(ids, np.int32), (0, lengths["inputs"] - len(ids))
          ),
          "decoder_input_tokens": np.zeros(lengths["targets"], np.int32),
          "decoder_prefix_tokens": np.pad(
            np.array(output.given, np.int32),
            (0, lengths["targets"] - len(output.given)),
          ),
        }
      )
    answers = predictor.decode(params, examples)
    for (name, *_), (tokens, _) in zip(names, answers, strict=True):
      answer = errors.printable(writer.decode(tokens[0].tolist()), None)
      print(f"  {name}: {answer}", file=screen)
    print("input> ", end="", file=screen, flush=True)
  print(file=screen)
