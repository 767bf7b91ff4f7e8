"""Lets the tests of checkpoint formats share tiny random networks."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
