"""Lets tests share the made-up rows of published sets."""

import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
