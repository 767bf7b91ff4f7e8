"""Lets the golden tests import what their data is made of, and networks."""

import os
import sys

HERE = os.path.dirname(__file__)
sys.path[:0] = [HERE, os.path.join(HERE, "../checkpoint_formats")]
