"""Lets these tests share tiny networks, and import the golden checkpoints."""

import os
import sys

HERE = os.path.dirname(__file__)
sys.path[:0] = [HERE, os.path.join(HERE, "../golden")]
