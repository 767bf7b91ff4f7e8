"""The loop that asking runs on leaves the process as it was."""

import asyncio
import gc

import pytest

from distill.teacher import event_loop


async def answer(error=None):
  await asyncio.sleep(0)
  if error:
    raise error
  return gc.get_threshold()


def test_the_result_comes_back_and_garbage_is_sought_as_before():
  before, frozen = gc.get_threshold(), gc.get_freeze_count()
  during = event_loop.run(answer())
  assert during[0] > before[0]
  assert gc.get_threshold() == before and gc.get_freeze_count() == frozen


def test_after_an_error_too():
  before = gc.get_threshold()
  with pytest.raises(ValueError, match="lost"):
    event_loop.run(answer(ValueError("lost")))
  assert gc.get_threshold() == before
