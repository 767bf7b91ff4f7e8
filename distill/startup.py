"""The import of TensorFlow, which takes seconds: told, quiet and stoppable."""

import sys

from distill import console, interrupts


def import_tensorflow(*others: str) -> None:
  """Imports TensorFlow without its notes and leaves accelerators to JAX.

  Args:
    *others: What the command imports next, for the line that says so.
  """
  if "tensorflow" not in sys.modules:
    console.say("importing " + " and ".join(["TensorFlow", *others]))
  # Some module may swallow an exception that is raised in its import.
  with interrupts.watched(interrupts.end), console.without_notes():
    import tensorflow as tf

    # TensorFlow would take an accelerator's memory, which JAX needs.
    for kind in ("GPU", "TPU"):
      tf.config.set_visible_devices([], kind)
