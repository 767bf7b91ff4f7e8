"""What a T5X user brings along: tasks, offline caches, gin habits."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import seqio
import tensorflow as tf

from distill import errors, gin_run
from distill.data import pipeline

HEAD = "from __gin__ import dynamic_registration\n"
TINY = (
  *("--gin_file=models/tiny_byte.gin", "--gin.TRAIN_STEPS=2"),
  *("--gin.INITIAL_CHECKPOINT_PATH=[]", "--gin.BATCH_SIZE=8"),
  "--gin.TASK_FEATURE_LENGTHS={'inputs': 32, 'targets': 32}",
  *("--gin_bindings=T5Config.emb_dim=16", "--gin_bindings=T5Config.mlp_dim=16"),
  "--gin_bindings=T5Config.num_encoder_layers=1",
  "--gin_bindings=config.T5Config.num_decoder_layers=1",
)


def train(model_dir, *flags):
  """Trains as a user of one device does; returns exit code and stderr."""
  environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
  done = subprocess.run(
    [
      *(sys.executable, "-m", "distill.train", *TINY),
      *(f"--gin.MODEL_DIR={model_dir}", *flags),
    ],
    env=environment | {"PYTHONPATH": str(pathlib.Path(__file__).parent)},
    capture_output=True,
    text=True,
    check=False,
  )
  return done.returncode, done.stderr


def lines_of(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.long
def test_a_plain_mixture_trains_and_is_scored_unchanged(tmp_path):
  """The user's own gin file imports its module, which needs nothing of ours."""
  experiment = tmp_path / "mine.gin"
  experiment.write_text(
    f"{HEAD}import plain_tasks\nMIXTURE_OR_TASK_NAME = 'plain_mixture'\n"
  )
  code, said = train(
    tmp_path / "model", f"--gin_file={experiment}", "--gin.EVAL_PERIOD=2"
  )
  assert code == 0, said
  [line] = lines_of(tmp_path / "model" / "validation" / "metrics.jsonl")
  assert line["step"] == 2
  for task in ("plain_copy", "plain_reverse"):
    assert 0 <= line[f"{task}/exact_match"] <= 100


def write_cache(folder, name, texts):
  """Writes what `seqio_cache_tasks` writes, in two shards."""
  folder = folder / name
  folder.mkdir(parents=True)
  vocabulary = seqio.ByteVocabulary()

  def serialized(text):
    ids = tf.train.Int64List(value=vocabulary.encode(text))
    feature = tf.train.Feature(int64_list=ids)
    names = {"inputs": feature, "targets": feature}
    features = tf.train.Features(feature=names)
    return tf.train.Example(features=features).SerializeToString()

  for shard in range(2):
    path = str(folder / f"train.tfrecord-0000{shard}-of-00002")
    with tf.io.TFRecordWriter(path) as writer:
      for text in texts[shard::2]:
        writer.write(serialized(text))
  described = {"shape": [None], "dtype": "int32"}
  info = {
    "num_shards": 2,
    "features": {"inputs": described, "targets": described},
    "seqio_version": "0.0.20",
  }
  (folder / "info.train.json").write_text(json.dumps(info))
  stats = json.dumps({"examples": len(texts)})
  (folder / "stats.train.json").write_text(stats)
  (folder / "COMPLETED").touch()


def cached(name):
  return pipeline.DatasetConfig(
    mixture_or_task_name=name,
    module="plain_tasks",
    task_feature_lengths={"inputs": 32, "targets": 32},
    split="train",
    batch_size=8,
    shuffle=True,
    use_cached=True,
  )


def test_an_offline_cache_is_read_in_place_of_the_source(tmp_path):
  write_cache(tmp_path, "plain_cached", [f"cached {n}" for n in range(40)])
  gin_run.use_data_folders(None, f"/nowhere,{tmp_path}")
  batch = next(pipeline.TrainBatches(cached("plain_cached")))
  texts = seqio.ByteVocabulary().decode_tf(batch["decoder_target_tokens"])
  assert all(text.startswith(b"cached ") for text in texts.numpy())


def test_a_cache_that_is_not_there_is_named():
  with pytest.raises(errors.UserError, match="of plain_copy, plain_reverse"):
    cached("plain_mixture").provider()
