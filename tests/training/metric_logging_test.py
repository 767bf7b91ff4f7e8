"""The log of metrics survives kills and has each step once."""

import json

from distill.training import metric_logging


def steps(folder):
  lines = (folder / metric_logging.FILE_NAME).read_text().splitlines()
  return [json.loads(line)["step"] for line in lines]


def test_lines_are_there_as_soon_as_they_are_written(tmp_path):
  logger = metric_logging.MetricLogger(str(tmp_path), 0)
  logger.write(1, {"loss": 2.5, "tokens": 7.0})
  line = (tmp_path / metric_logging.FILE_NAME).read_text()
  assert json.loads(line) == {"step": 1, "loss": 2.5, "tokens": 7.0}
  logger.close()
  assert list(tmp_path.glob("events.out.tfevents.*"))


def test_a_resumed_log_has_no_step_twice_and_no_torn_line(tmp_path):
  logger = metric_logging.MetricLogger(str(tmp_path), 0)
  for step in range(1, 8):
    logger.write(step, {"loss": 1.0})
  logger.close()
  with open(tmp_path / metric_logging.FILE_NAME, "a") as file:
    file.write('{"step": 8, "lo')
  # The checkpoint to resume from is of step 5.
  logger = metric_logging.MetricLogger(str(tmp_path), 5)
  assert steps(tmp_path) == [1, 2, 3, 4, 5]
  assert logger.last == {"step": 5, "loss": 1.0}
  logger.write(6, {"loss": 1.0})
  logger.close()
  assert steps(tmp_path) == [1, 2, 3, 4, 5, 6]
