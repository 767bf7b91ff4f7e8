"""One of two hosts, `RANK PORT FOLDER`: loads a checkpoint, counts bytes."""

import os
import sys

# Four devices on each of the hosts, before JAX is imported.
os.environ["XLA_FLAGS"] = (
  os.environ["ONE_DEVICE_XLA_FLAGS"]
  + " --xla_force_host_platform_device_count=4"
)

import dataclasses
import json

import jax
import numpy as np
import tiny_networks

from distill.checkpoint_formats import loading


def main(rank, port, folder):
  jax.distributed.initialize(f"127.0.0.1:{port}", 2, int(rank))
  config = tiny_networks.t5_config()
  checkpoint = loading.open_checkpoint(folder)
  read = []

  def counted(tensor):
    def part(index):
      array = tensor.read_part(index)
      read.append(array.nbytes)
      return array

    return dataclasses.replace(tensor, read_part=part)

  watched = {name: counted(t) for name, t in checkpoint.tensors.items()}
  params, _ = loading.load_params(
    dataclasses.replace(checkpoint, tensors=watched),
    tiny_networks.abstract_params(config, fsdp=8),
    config,
  )
  flat = tiny_networks.flat(params)
  held = sum(read)
  for name, array in flat.items():
    for shard in array.addressable_shards:
      expected = checkpoint.tensors[name].read()[shard.index]
      np.testing.assert_array_equal(shard.data, expected)
  split = {n for n, a in flat.items() if not a.is_fully_replicated}
  sizes = {n: a.nbytes for n, a in flat.items()}
  half = sum(size // 2 if n in split else size for n, size in sizes.items())
  print(json.dumps({"read": held, "half": half, "all": sum(sizes.values())}))
  jax.distributed.shutdown()


if __name__ == "__main__":
  main(*sys.argv[1:])
