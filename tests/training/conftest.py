"""Lets the training tests import the modules that they share."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
