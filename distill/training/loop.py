"""The training loop: start or resume, step, evaluate, save."""

import contextlib
import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from distill import errors
from distill.data.pipeline import TrainBatches
from distill.training import preemption as preemption_lib
from distill.training import restoring
from distill.training import state as state_lib
from distill.training import step as step_lib
from distill.training.best_metric import BestMetric
from distill.training.checkpoints import CheckpointConfig, Checkpoints
from distill.training.mesh import Partitioner
from distill.training.metric_logging import MetricLogger
from distill.training.optimizers import OptimizerFactory
from distill.training.preemption import Preemption
from distill.training.progress import Progress
from distill.training.schedules import Schedule
from distill.training.state import TrainState
from distill.training.step_metrics import NonFiniteLossError, StepMetrics

Evaluate = Callable[[TrainState, int], Mapping[str, float]]


def train_loop(
  *,
  model: Any,
  optimizer: OptimizerFactory,
  learning_rate_fn: Schedule,
  partitioner: Partitioner,
  batches: TrainBatches,
  model_dir: str,
  total_steps: int,
  checkpoint_cfg: CheckpointConfig,
  evaluate: Evaluate | None = None,
  eval_period: int = 1000,
  stats_period: int = 100,
  num_microbatches: int = 1,
  random_seed: int = 0,
  initial_checkpoint_path: str | None = None,
  on_start: Callable[[], None] = lambda: None,
) -> TrainState:
  """Trains up to `total_steps` and returns the state there.

  A MODEL_DIR that has checkpoints is resumed from the newest, exactly: the
  parameters at the end are bitwise those of a run that was never stopped, on
  the same kind and number of devices.

  Args:
    model: An `EncoderDecoderModel`.
    optimizer: Makes the optax optimizer of the learning rate.
    learning_rate_fn: From the step to the learning rate.
    partitioner: The mesh.
    batches: The training data, not yet read.
    model_dir: Where checkpoints and logs go.
    total_steps: The step at which training ends.
    checkpoint_cfg: When to save, what to keep.
    evaluate: Returns metrics named `task/metric` of a state and its step; None
      does not evaluate.
    eval_period: Steps between evaluations; the last step is evaluated too. 0
      does not evaluate.
    stats_period: Steps between lines of the metrics' log.
    num_microbatches: Parts that a batch is cut into, to save memory.
    random_seed: Of weights and dropout.
    initial_checkpoint_path: Parameters to start from; None is random ones. As
      in T5X, the run goes on from that checkpoint's step.
    on_start: Called before the first step, when nothing can be wrong any more.

  Raises:
    UserError: MODEL_DIR, a checkpoint or the batch does not fit, or a loss is
      not finite.
    SystemExit: With `preemption.EXIT_CODE`, saved, after SIGTERM.
  """
  shapes = batches.shapes
  with contextlib.ExitStack() as stack:
    checkpoints = stack.enter_context(Checkpoints(model_dir, checkpoint_cfg))
    preemption = stack.enter_context(Preemption().watch())
    partitioner.check_batch(
      shapes["decoder_target_tokens"][0], num_microbatches
    )
    transformation = optimizer(learning_rate_fn)
    abstract = state_lib.abstract_state(
      model, transformation, partitioner, shapes
    )
    init_key, dropout_key = _keys(random_seed, partitioner)

    restored = checkpoints.restore(abstract)
    if restored:
      state, position, best = restored
      batches.restore(position)
    else:
      params, first_step = _initial(
        model, partitioner, shapes, abstract, init_key, initial_checkpoint_path
      )
      state = state_lib.start(params, transformation, abstract, first_step)
      best = BestMetric()
    step = int(state.step)
    _check_steps(step, total_steps)
    is_first = jax.process_index() == 0
    progress = Progress(step, total_steps, sys.stderr if is_first else None)
    logs = {
      name: stack.enter_context(
        contextlib.closing(MetricLogger(os.path.join(model_dir, name), last))
      )
      for name, last in (("train", step), ("validation", best.evaluated or 0))
    }

    def compiled_step() -> step_lib.TrainStep:
      train_step, seconds = step_lib.compile_step(
        step_lib.make_train_step(
          model, transformation, learning_rate_fn, num_microbatches
        ),
        partitioner,
        abstract,
        partitioner.abstract_batch(shapes),
        dropout_key,
      )
      progress.say(f"from step {step}; compiled in {seconds:.1f} s")
      return train_step

    run = _Run(
      step=step,
      state=state,
      best=best,
      batches=batches,
      total_steps=total_steps,
      partitioner=partitioner,
      dropout_key=dropout_key,
      checkpoints=checkpoints,
      checkpoint_cfg=checkpoint_cfg,
      preemption=preemption,
      evaluate=evaluate,
      eval_period=eval_period,
      metrics=StepMetrics(logs["train"], progress, stats_period),
      validation_log=logs["validation"],
      progress=progress,
    )
    train_step = compiled_step() if step < total_steps else None
    on_start()
    if train_step:
      run.train(train_step)
    else:
      run.settle()
    return run.state


@dataclasses.dataclass(kw_only=True)
class _Run:
  """A run under way: `state`, `batches` and `best` all stand at `step`."""

  step: int
  state: TrainState
  best: BestMetric
  batches: TrainBatches
  total_steps: int
  partitioner: Partitioner
  dropout_key: jax.Array
  checkpoints: Checkpoints
  checkpoint_cfg: CheckpointConfig
  preemption: Preemption
  evaluate: Evaluate | None
  eval_period: int
  metrics: StepMetrics
  validation_log: MetricLogger
  progress: Progress

  def train(self, train_step: step_lib.TrainStep) -> None:
    """Takes steps up to the last one."""
    try:
      # A resumed run may owe the evaluation that SIGTERM did not wait for.
      self.settle()
      while self.step < self.total_steps:
        # The device is still at the step before while this batch is read.
        batch = self.partitioner.shard_batch(next(self.batches))
        with jax.transfer_guard_host_to_device("disallow"):
          self.state, sums = train_step(self.state, batch, self.dropout_key)
        self.step += 1
        self.metrics.push(self.step, sums)
        self.settle()
    except NonFiniteLossError as error:
      raise _not_finite(error, self.checkpoints.newest()) from error

  def settle(self) -> None:
    """Evaluates and saves if the step is due for it, and stops on SIGTERM."""
    owed = self._is_due(self.eval_period) and self.best.evaluated != self.step
    evaluate = self.evaluate if owed else None
    saving = self._is_due(self.checkpoint_cfg.period)
    stopping = self.preemption.reached(self.step)
    if not (evaluate or saving or stopping):
      return
    with self.progress.paused():
      self.metrics.flush()  # raises before anything is saved
      if evaluate and not stopping:
        stopping = not self._evaluated(evaluate)
      if saving or stopping or self.best.step == self.step:
        self.checkpoints.save(
          self.step, self.state, self.batches.position(), self.best
        )
    if stopping:
      self.progress.say(f"stopped by SIGTERM, saved at step {self.step}")
      sys.exit(preemption_lib.EXIT_CODE)

  def _is_due(self, period: int) -> bool:
    if not period or not self.step:
      return False
    return self.step % period == 0 or self.step == self.total_steps

  def _evaluated(self, evaluate: Evaluate) -> bool:
    """Evaluates this step; returns False if SIGTERM cut it short."""
    scores = self.preemption.interruptible(
      lambda: evaluate(self.state, self.step)
    )
    if scores is None:
      return False
    listed = "  ".join(f"{name} {scores[name]:.4g}" for name in sorted(scores))
    self.progress.say(f"step {self.step}  validation  {listed}")
    self.validation_log.write(self.step, scores)
    self.best = self.best.after(
      self.step,
      scores,
      self.checkpoint_cfg.best_metric,
      self.checkpoint_cfg.best_mode,
    )
    return True


def _initial(
  model: Any,
  partitioner: Partitioner,
  shapes: Mapping[str, Sequence[int]],
  abstract: TrainState,
  key: jax.Array,
  checkpoint_path: str | None,
) -> tuple[Any, int]:
  """Returns the parameters that a new run starts from, and its first step."""
  if not checkpoint_path:
    return state_lib.random_params(model, partitioner, shapes, abstract, key), 0
  restored = restoring.restore_tree(
    restoring.find_checkpoint(checkpoint_path),
    {"params": abstract.params, "step": abstract.step},
  )
  return restored["params"], int(restored["step"])


def _keys(seed: int, partitioner: Partitioner) -> tuple[jax.Array, jax.Array]:
  """Returns the keys of weights and of dropout, on every device."""
  return jax.jit(
    lambda: tuple(jax.random.split(jax.random.key(seed))),
    out_shardings=partitioner.replicated,
  )()


def _check_steps(step: int, total_steps: int) -> None:
  if not isinstance(total_steps, int) or total_steps < max(1, step):
    raise errors.UserError(
      f"TRAIN_STEPS = {total_steps!r} is not a step to train to.",
      expected="a whole number of at least 1 that counts the steps of the "
      "checkpoint, too",
      found=f"a run that is at step {step}",
      remedy="raise TRAIN_STEPS, or give another MODEL_DIR",
    )


def _not_finite(
  error: NonFiniteLossError, checkpoint: str | None
) -> errors.UserError:
  found = ", ".join(
    f"{name} = {error.summary[name]}" for name in ("loss", "grad_norm")
  )
  kept = f"{checkpoint} is kept" if checkpoint else "nothing was saved yet"
  return errors.UserError(
    f"The loss or its gradient at step {error.step} is not finite: the run "
    f"has stopped, and {kept}.",
    expected="finite numbers",
    found=found,
    remedy="lower LEARNING_RATE, clip with `global_norm_clip_threshold`, or "
    "look at the data",
  )
