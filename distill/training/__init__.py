"""Training: mesh, state, step, loop, checkpoints, metrics.

`loop.train` reads top to bottom and names the other modules.
"""
