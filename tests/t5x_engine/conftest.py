"""Lets the tests import a task module as T5X's users write it."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
