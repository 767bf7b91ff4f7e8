"""Lets the training tests share modules, and an uninterrupted run."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
  """The folder of an uninterrupted tiny run, and a hash of its parameters."""
  import tiny_run

  folder = tmp_path_factory.mktemp("whole")
  return folder, tiny_run.digest(tiny_run.run(folder).params)
