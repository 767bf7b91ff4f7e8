"""One of two processes: `RANK PORT MODEL_DIR STEPS [TERM_STEP]`.

Prints a hash of each global batch that it read. At the last argument the second
process sends itself SIGTERM.
"""

import hashlib
import os
import signal
import sys

if __name__ == "__main__":
  # Four devices in each of the processes, before JAX is imported.
  os.environ["XLA_FLAGS"] = (
    os.environ["ONE_DEVICE_XLA_FLAGS"]
    + " --xla_force_host_platform_device_count=4"
  )

import jax
import tiny_models
import tiny_run


class RecordedBatches(tiny_run.Batches):
  def __next__(self):
    batch = super().__next__()
    text = b"".join(batch[name].tobytes() for name in sorted(batch))
    print("batch", hashlib.sha256(text).hexdigest(), flush=True)
    return batch


def run(folder, steps, batches=None):
  """Trains a linear model with dropout, which compiles quickly."""
  return tiny_run.run(
    folder,
    model=tiny_models.linear_model(dropout_rate=0.3, vocab_size=264),
    batches=batches or RecordedBatches(tiny_run.data_config()),
    evaluate=None,
    total_steps=steps,
  )


def main(rank, port, folder, steps, term_step=0):
  jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(rank))
  batches = RecordedBatches(tiny_run.data_config())
  if rank == "1":
    batches.moment = int(term_step), signal.SIGTERM
  run(folder, int(steps), batches)
  jax.distributed.shutdown()


if __name__ == "__main__":
  main(*sys.argv[1:])
