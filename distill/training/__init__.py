"""Training: mesh, state, step, loop, checkpoints, logs.

`loop.train_loop` reads top to bottom and names the rest.
"""
