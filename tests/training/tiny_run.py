"""Trains a tiny T5 with dropout; as a script, it kills itself on request.

`tiny_run.py MODEL_DIR [MOMENT STEP [SHARING]]` sends itself SIGKILL when
it reads the batch of STEP ('reading'), while it saves STEP ('saving') or
evaluates it ('evaluating'); with 'term' it sends SIGTERM while it reads the
batch, with 'interrupt' SIGINT, with 'twice' SIGINT two times, and with 'never'
none. With SHARING ('pairs' or 'rationales'), several targets share an encoder
pass.
"""

import glob
import hashlib
import os
import signal
import sys
import threading
import time

import gin
import jax
import numpy as np
import optax
import seqio
import tensorflow as tf
import tiny_models

from distill.answers.rules import TextAnswer
from distill.data import methods, pipeline, registration
from distill.data.cache import records
from distill.training import checkpoints, loop, mesh

TASK = "tiny_run"
STEPS = 30
SIGNALS = {
  "reading": signal.SIGKILL,
  "term": signal.SIGTERM,
  "interrupt": signal.SIGINT,
  "twice": signal.SIGINT,
}


def rows(split, shuffle_files=False, seed=None):
  texts = [f"{i * 7919 % 1000:03d}" for i in range(200)]
  return tf.data.Dataset.from_tensor_slices(
    {"inputs": texts, "targets": [text[::-1] for text in texts]}
  )


def register():
  if TASK in seqio.TaskRegistry.names():
    return
  vocabulary = seqio.ByteVocabulary(extra_ids=0)
  seqio.TaskRegistry.add(
    TASK,
    source=seqio.FunctionDataSource(rows, splits=["train"]),
    preprocessors=[
      seqio.preprocessors.tokenize,
      seqio.preprocessors.append_eos,
    ],
    output_features={
      name: seqio.Feature(vocabulary, dtype=tf.int32)
      for name in ("inputs", "targets")
    },
  )


GIN = """
from __gin__ import dynamic_registration
import seqio
from distill.data import joined_targets
from distill.data import prefixes
from distill.data import vocabulary
vocabulary.model_vocabulary.vocabulary = @seqio.ByteVocabulary()
"""
# The view that is trained, and what makes its targets share an encoder pass.
SHARING = {
  "pairs": ("_step_by_step_paired", "prefixes.prefix_side.side = 'decoder'"),
  "rationales": ("_cot", "joined_targets.share_inputs.wanted = True"),
}


def answered(split, shuffle_files=False, seed=None):
  """Records with one, two or three rationales."""
  texts = [f"{i * 7919 % 1000:03d}" for i in range(200)]
  numbered = [(1 + i % 3, text) for i, text in enumerate(texts)]

  def several(one):
    return tf.ragged.constant([one(t, n) for n, t in numbered])

  return tf.data.Dataset.from_tensor_slices(
    {
      "id": texts,
      "input": texts,
      "label": [text[-1] for text in texts],
      "rationales": several(lambda t, n: [f"{t[::-1]}{i}" for i in range(n)]),
      "teacher_labels": several(lambda t, n: [t[-1]] * n),
      "agrees": several(lambda t, n: [records.AGREES] * n),
    }
  )


def shared_config(sharing):
  """Returns the data of a training in which targets share an encoder pass."""
  suffix, setting = SHARING[sharing]
  gin.parse_config(GIN + setting)
  family = methods.Family(None, TextAnswer(), "plain")
  view = methods.views_of(family)[suffix]
  seqio.TaskRegistry.add(
    TASK + suffix,
    source=seqio.FunctionDataSource(answered, splits=["train"]),
    preprocessors=view.steps,
    output_features=registration.output_features(view.paired),
  )
  return data_config(
    mixture_or_task_name=TASK + suffix,
    task_feature_lengths={"inputs": 16, "targets": 64},
  )


class Batches(pipeline.TrainBatches):
  """Raises a signal while it reads the batch of a step."""

  moment: tuple[int, int] | None = None
  twice = False

  def __next__(self):
    batch = super().__next__()
    if self.moment and self.position_count() == self.moment[0]:
      os.kill(os.getpid(), self.moment[1])
      if self.twice:
        time.sleep(1)
        os.kill(os.getpid(), self.moment[1])
        time.sleep(60)
    return batch

  def position_count(self):
    return self._batches


def evaluate(state, step):
  """A score that falls and rises, so that the best is not the last."""
  scale = state.params["decoder"]["decoder_norm"]["scale"]
  return {
    "tiny/accuracy": float(np.abs(np.asarray(scale)).sum()) * (step != 20)
  }


def data_config(**changes):
  register()
  settings = {
    "mixture_or_task_name": TASK,
    "task_feature_lengths": {"inputs": 12, "targets": 12},
    "split": "train",
    "batch_size": 8,
    "shuffle": True,
    "pack": True,
  }
  return pipeline.DatasetConfig(**settings | changes)


def run(model_dir, *, batches=None, saving=None, **changes):
  """Returns the state after `STEPS` steps, or where it was stopped."""
  settings = {
    "model": tiny_models.t5_model(dropout_rate=0.3, vocab_size=264),
    "optimizer": optax.adam,
    "learning_rate_fn": lambda step: 0.01 / (1 + step),
    "partitioner": mesh.Partitioner(),
    "batches": batches or Batches(data_config()),
    "model_dir": str(model_dir),
    "total_steps": STEPS,
    "checkpoint_cfg": checkpoints.CheckpointConfig(
      period=10, keep=2, best_metric="accuracy"
    ),
    "evaluate": evaluate,
    "eval_period": 10,
    "stats_period": 1,
  }
  return loop.train(loop.TrainConfig(**settings | changes))


def digest(params):
  """Returns a hash of every bit of the parameters."""
  text = hashlib.sha256()
  for path, leaf in jax.tree_util.tree_leaves_with_path(params):
    text.update(jax.tree_util.keystr(path).encode())
    text.update(np.asarray(leaf).tobytes())
  return text.hexdigest()


def kill_when_saving(model_dir, step):
  def watch():
    while not glob.glob(f"{model_dir}/checkpoint_{step}.*tmp*"):
      time.sleep(0.0005)
    os.kill(os.getpid(), signal.SIGKILL)

  threading.Thread(target=watch, daemon=True).start()


def main(model_dir, moment=None, step=0, sharing=None):
  step, scores = int(step), evaluate
  batches = Batches(shared_config(sharing) if sharing else data_config())
  if moment in SIGNALS:
    batches.moment = (step, SIGNALS[moment])
    batches.twice = moment == "twice"
  elif moment == "saving":
    kill_when_saving(model_dir, step)
  elif moment == "evaluating":

    def scores(state, at):
      if at == step:
        time.sleep(2)  # the save of the step before may end
        os.kill(os.getpid(), signal.SIGKILL)
      return evaluate(state, at)

  state = run(model_dir, batches=batches, evaluate=scores)
  print(digest(state.params))


if __name__ == "__main__":
  main(*sys.argv[1:])
