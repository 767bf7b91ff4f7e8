"""What the benchmarks count, on batches small enough to count by hand."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

PATH = pathlib.Path(__file__).parents[2] / "bench" / "measure.py"


@pytest.fixture(scope="module")
def measure():
  spec = importlib.util.spec_from_file_location("measure", PATH)
  module = importlib.util.module_from_spec(spec)
  sys.modules["measure"] = module  # dataclasses look their module up
  spec.loader.exec_module(module)
  yield module
  del sys.modules["measure"]


def test_an_unpacked_row_is_an_example(measure):
  batch = {"encoder_input_tokens": np.ones((5, 3), np.int32)}
  assert measure.count_examples(batch) == 5


def test_a_packed_row_holds_as_many_as_its_last_segment(measure):
  ids = np.array([[1, 1, 2, 2, 3, 0], [1, 1, 1, 0, 0, 0]], np.int32)
  batch = {
    "encoder_input_tokens": np.ones((2, 6), np.int32),
    "encoder_segment_ids": ids,
  }
  assert measure.count_examples(batch) == 4


def test_each_target_counts_also_of_one_input(measure):
  batch = {
    "encoder_input_tokens": np.ones((2, 6), np.int32),
    "decoder_target_tokens": np.ones((2, 6), np.int32),
  }
  assert measure.count_targets(batch) == 2
  batch["decoder_segment_ids"] = np.array([[1, 2, 3, 3], [1, 1, 2, 0]])
  assert (measure.count_examples(batch), measure.count_targets(batch)) == (2, 5)


def test_padding_is_a_share_of_all_positions(measure):
  meter = measure.Meter(compile_seconds=1.25)
  meter.start()
  meter.add(
    2,
    np.array([[5, 6, 1, 0], [7, 1, 0, 0]]),
    np.array([[9, 1], [1, 0]]),
  )
  # Inputs 5 of 8, targets 3 of 4.
  assert (meter.examples, meter.tokens, meter.positions) == (2, 8, 12)
  report = meter.report("title")
  lines = dict(
    line.strip().rsplit(maxsplit=1) for line in report.splitlines()[1:]
  )
  assert report.startswith("title\n")
  assert lines["padding fraction"] == "0.333"
  assert lines["compile seconds"] == "1.2"
  assert float(lines["peak memory, GiB"]) > 0


def test_cpu_seconds_count_work_and_not_sleep(measure):
  import time

  begin = measure.cpu_seconds()
  time.sleep(0.2)
  slept = measure.cpu_seconds() - begin
  total = 0
  while measure.cpu_seconds() - begin < slept + 0.05:
    total += 1
  assert slept < 0.15 and total > 0
