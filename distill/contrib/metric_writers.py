"""Writers of metrics for Weights & Biases and MLflow.

The macro METRIC_WRITERS names them. Each needs its own package, which only its
writer imports. The id of the tracker's run is in MODEL_DIR, so that a resumed
training continues that run. Steps that the tracker has already are not sent
again; Weights & Biases tells only when it is online.
"""

import importlib
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from etils import epath

from distill import errors
from distill.training.metric_logging import ScalarWriter


class WandbWriter(ScalarWriter):
  """Writes to a run of Weights & Biases.

  Its own environment variables, such as WANDB_PROJECT and WANDB_MODE, set the
  rest.
  """

  def __init__(self, model_dir: str) -> None:
    """Starts a run, or resumes that of MODEL_DIR."""
    import wandb

    identity = _read_id(model_dir, "wandb") or uuid.uuid4().hex
    self._run = wandb.init(id=identity, name=_name(model_dir), resume="allow")
    _write_id(model_dir, "wandb", identity)

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Sends one step's scalars."""
    if step >= self._run.step:
      self._run.log(dict(scalars), step=step)

  def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
    """Adds texts, such as the gin configuration, to the run's config."""
    del step
    self._run.config.update(dict(texts), allow_val_change=True)

  def close(self) -> None:
    """Waits until everything is sent."""
    self._run.finish()


class MlflowWriter(ScalarWriter):
  """Writes to a run of MLflow.

  Its own environment variables, such as MLFLOW_TRACKING_URI and
  MLFLOW_EXPERIMENT_NAME, set the rest.
  """

  def __init__(self, model_dir: str) -> None:
    """Starts a run, or resumes that of MODEL_DIR."""
    import mlflow

    self._mlflow: Any = mlflow
    run = mlflow.start_run(
      _read_id(model_dir, "mlflow"), run_name=_name(model_dir)
    )
    self._id = run.info.run_id
    _write_id(model_dir, "mlflow", self._id)
    self._last_steps: dict[str, int] = {}

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Sends one step's scalars."""
    new = {x: scalars[x] for x in scalars if step > self._last_step(x)}
    self._mlflow.log_metrics(new, step=step, run_id=self._id)
    self._last_steps |= dict.fromkeys(new, step)

  def _last_step(self, name: str) -> int:
    if name not in self._last_steps:
      client = self._mlflow.MlflowClient()
      sent = client.get_metric_history(self._id, name)
      self._last_steps[name] = max((x.step for x in sent), default=-1)
    return self._last_steps[name]

  def write_texts(self, step: int, texts: Mapping[str, str]) -> None:
    """Adds texts, such as the gin configuration, as artifacts."""
    del step
    for name, text in texts.items():
      self._mlflow.log_text(text, name, run_id=self._id)

  def close(self) -> None:
    """Marks the run as finished."""
    self._mlflow.end_run()


WRITERS: Mapping[str, Callable[[str], ScalarWriter]] = {
  "wandb": WandbWriter,
  "mlflow": MlflowWriter,
}


def find_writer(name: str) -> Callable[[str], ScalarWriter]:
  """Returns the writer of a name, which takes MODEL_DIR.

  Raises:
    UserError: There is no such writer, or its package is not installed.
  """
  if name not in WRITERS:
    raise errors.unknown(
      "metric writer", name, WRITERS, "set METRIC_WRITERS", cutoff=0.5
    )
  try:
    importlib.import_module(name)
  except ImportError as error:
    raise errors.UserError(
      f"The metric writer '{name}' needs the package {name}.",
      found=str(error),
      remedy=f"pip install {name}, or remove it from METRIC_WRITERS",
    ) from error
  return WRITERS[name]


def _name(model_dir: str) -> str:
  return os.path.basename(model_dir.rstrip("/"))


def _read_id(model_dir: str, tracker: str) -> str | None:
  path = epath.Path(model_dir) / f"{tracker}_run.txt"
  return path.read_text().strip() if path.exists() else None


def _write_id(model_dir: str, tracker: str, identity: str) -> None:
  errors.write_whole(f"{model_dir}/{tracker}_run.txt", f"{identity}\n")
