"""Lets the golden tests import what their data is made of."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
