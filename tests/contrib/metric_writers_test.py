"""METRIC_WRITERS: its names, and real trackers where they are installed."""

import sys

import pytest

from distill import errors
from distill.contrib import metric_writers


def test_an_unknown_writer_is_named_with_the_nearest():
  with pytest.raises(errors.UserError, match="did you mean 'wandb'"):
    metric_writers.find_writer("wandbb")


@pytest.mark.parametrize("name", metric_writers.WRITERS)
def test_a_missing_package_is_one_error(name, monkeypatch):
  monkeypatch.setitem(sys.modules, name, None)
  with pytest.raises(errors.UserError) as caught:
    metric_writers.find_writer(name)
  assert f"pip install {name}" in caught.value.remedy


def write_and_resume(writer, model_dir):
  """A run to step 3; it is killed and resumes from a checkpoint of step 2."""
  first = writer(str(model_dir))
  first.write_texts(0, {"config.gin": "TRAIN_STEPS = 4\n"})
  for step in (1, 2, 3):
    first.write_scalars(step, {"train/loss": 1.0 / step})
  first.close()
  second = writer(str(model_dir))
  for step in (3, 4):
    second.write_scalars(step, {"train/loss": 1.0 / step})
  second.write_scalars(4, {"validation/task/accuracy": 50.0})
  second.close()


def test_mlflow_has_each_step_once_after_a_resumption(tmp_path, monkeypatch):
  mlflow = pytest.importorskip("mlflow")
  monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
  mlflow.set_tracking_uri(f"file:{tmp_path}/tracker")
  model_dir = tmp_path / "model"
  model_dir.mkdir()
  write_and_resume(metric_writers.find_writer("mlflow"), model_dir)
  [run] = mlflow.search_runs(output_format="list")
  client = mlflow.MlflowClient()
  history = client.get_metric_history(run.info.run_id, "train/loss")
  assert [point.step for point in history] == [1, 2, 3, 4]
  assert run.data.metrics["validation/task/accuracy"] == 50.0
  assert run.info.status == "FINISHED" and run.info.run_name == "model"
  artifacts = client.list_artifacts(run.info.run_id)
  assert [artifact.path for artifact in artifacts] == ["config.gin"]


def test_wandb_resumes_its_run(tmp_path, monkeypatch):
  pytest.importorskip("wandb")
  monkeypatch.setenv("WANDB_MODE", "offline")
  monkeypatch.setenv("WANDB_DIR", str(tmp_path))
  model_dir = tmp_path / "model"
  model_dir.mkdir()
  write_and_resume(metric_writers.find_writer("wandb"), model_dir)
  identity = (model_dir / "wandb_run.txt").read_text().strip()
  files = list(tmp_path.glob(f"wandb/offline-run-*/run-{identity}.wandb"))
  assert files
  assert b"train/loss" in b"".join(file.read_bytes() for file in files)
