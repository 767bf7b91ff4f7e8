"""The training loop: start or resume, step, evaluate, save."""

import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax

from distill import console, errors
from distill.data.pipeline import TrainBatches
from distill.training import starting
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
  relative_steps: bool = True,
  allow_missing: str | None = None,
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
    initial_checkpoint_path: Parameters to start from; None is random ones.
    relative_steps: Whether steps are counted from that checkpoint; if not,
      they go on from its own, as in T5X.
    allow_missing: Regular expression of the parameters that stay random where
      that checkpoint lacks them.
    on_start: Called before the first step, when nothing can be wrong any more.

  Raises:
    UserError: MODEL_DIR, a checkpoint or the batch does not fit, or a loss is
      not finite.
    SystemExit: With 128 + the signal, saved, after SIGTERM or Ctrl-C.
  """
  # The last save ends while signals are still noted.
  with Preemption() as preemption, contextlib.ExitStack() as stack:
    checkpoints = stack.enter_context(Checkpoints(model_dir, checkpoint_cfg))
    partitioner.check_batch(
      batches.shapes["decoder_target_tokens"][0], num_microbatches
    )
    transformation = optimizer(learning_rate_fn)
    start = starting.Start(
      model, transformation, partitioner, batches.shapes, random_seed
    )
    console.say("initializing or restoring the parameters")
    state, best = start.state(
      checkpoints,
      batches,
      initial_checkpoint_path,
      relative_steps,
      allow_missing,
    )
    step = int(state.step)
    _check_steps(step, total_steps)
    is_first = jax.process_index() == 0
    progress = Progress(
      step,
      total_steps,
      sys.stderr if is_first else None,
      eval_period if evaluate else 0,
    )
    for note in start.notes:
      progress.say(note)

    def log(name: str, last: int) -> MetricLogger:
      logger = MetricLogger(os.path.join(model_dir, name), last)
      return stack.enter_context(contextlib.closing(logger))

    run = _Run(
      step=step,
      state=state,
      best=best,
      batches=batches,
      total_steps=total_steps,
      partitioner=partitioner,
      dropout_key=start.dropout_key,
      checkpoints=checkpoints,
      checkpoint_cfg=checkpoint_cfg,
      preemption=preemption,
      evaluate=evaluate,
      eval_period=eval_period,
      metrics=StepMetrics(log("train", step), progress, stats_period),
      validation_log=log("validation", best.evaluated or 0),
      progress=progress,
    )
    if step == total_steps:
      on_start()
      preemption.begin()
      run.settle()
    else:
      console.say("compiling the training step")
      train_step, seconds = start.compile(
        step_lib.make_train_step(
          model, transformation, learning_rate_fn, num_microbatches
        )
      )
      progress.say(f"from step {step}; compiled in {seconds:.1f} s")
      on_start()
      preemption.begin()
      run.train(train_step)
    run.conclude()
    return run.state


@dataclasses.dataclass(kw_only=True)
class _Run:
  """A run in progress: `state`, `batches` and `best` all stand at `step`."""

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
    with self.progress.paused(evaluating=evaluate is not None):
      self.metrics.flush()  # raises before anything is saved
      if evaluate and not stopping:
        stopping = not self._evaluated(evaluate)
      if saving or stopping or self.best.step == self.step:
        self.checkpoints.save(
          self.step, self.state, self.batches.position(), self.best
        )
    if stopping:
      number = self.preemption.number or signal.SIGTERM
      self.progress.say(
        f"stopped by {console.signal_name(number)}: saved at step {self.step} "
        f"in {self.checkpoints.newest()}; the same command resumes it"
      )
      sys.exit(console.exit_code(number))

  def conclude(self) -> None:
    """Says where the result is, and which checkpoint is the best."""
    newest = self.checkpoints.newest()
    self.progress.say(f"done: step {self.step} is saved in {newest}")
    best = self.best
    if best.step is not None and best.value is not None and newest:
      path = os.path.join(os.path.dirname(newest), f"checkpoint_{best.step}")
      self.progress.say(
        f"best: {best.metric} {best.value:.4g} on validation, step "
        f"{best.step}: {path}"
      )

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


def _check_steps(step: int, total_steps: int) -> None:
  if not isinstance(total_steps, int) or total_steps < max(1, step):
    raise errors.UserError(
      f"TRAIN_STEPS = {total_steps!r} is not a step to train to.",
      expected="a whole number of at least 1, no less than the run's step "
      "(with RELATIVE_STEPS = False it has the initial checkpoint's, too)",
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
