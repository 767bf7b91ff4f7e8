"""Distilling step-by-step: small T5 students from a large teacher's reasons.

Importing this package costs nothing heavy: JAX, TensorFlow and SeqIO are
imported by the modules that use them.
"""

__version__ = "0.2.0"
