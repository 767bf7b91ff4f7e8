"""The training loop, in the order of events.

`train` starts or resumes, compiles the step, and then steps, evaluates and
saves until the last step.
"""

import contextlib
import dataclasses
import functools
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from clu import metric_writers, parameter_overview, periodic_actions

from distill import console, errors
from distill.data.pipeline import TrainBatches
from distill.training import state as state_lib
from distill.training import step as step_lib
from distill.training.checkpoints import (
  BestMetric,
  CheckpointConfig,
  Checkpoints,
)
from distill.training.mesh import Partitioner
from distill.training.metric_logging import (
  MetricLogger,
  NonFiniteLossError,
  Progress,
  StepMetrics,
)
from distill.training.optimizers import OptimizerFactory
from distill.training.preemption import Preemption
from distill.training.schedules import Schedule
from distill.training.state import TrainState

Evaluate = Callable[[TrainState, int], Mapping[str, float]]
MetricWriterFactory = Callable[[str], metric_writers.MetricWriter]

# Steps before the profiler starts: the first ones are slower.
_PROFILE_AFTER = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
  """What `train` needs.

  Attributes:
    batches: The training data, not yet read.
    evaluate: Returns metrics named `task/metric` of a state and its step; None
      does not evaluate.
    decoded: Returns some predictions of the last evaluation as Markdown, by
      task, for TensorBoard.
    initial_checkpoint_path: The checkpoint that a new run starts from; None
      starts from random parameters.
    metric_writers: Factories of more writers. Each gets MODEL_DIR.
    config_text: Returns the configuration in use, for `config.gin`. It is
      called before the first step; '' writes no file.
    others: As in `distill.train.train`.
  """

  model: Any
  optimizer: OptimizerFactory
  learning_rate_fn: Schedule
  partitioner: Partitioner
  batches: TrainBatches
  model_dir: str
  total_steps: int
  checkpoint_cfg: CheckpointConfig
  evaluate: Evaluate | None = None
  decoded: Callable[[], Mapping[str, str]] | None = None
  eval_period: int = 1000
  patience: int | None = None
  min_steps: int = 0
  stats_period: int = 100
  num_microbatches: int = 1
  random_seed: int = 0
  initial_checkpoint_path: str | None = None
  relative_steps: bool = True
  allow_missing: str | None = None
  metric_writers: Sequence[MetricWriterFactory] = ()
  profile_steps: int = 0
  config_text: Callable[[], str] = str


def train(config: TrainConfig) -> TrainState:
  """Trains up to `config.total_steps` and returns the state there.

  A MODEL_DIR that has checkpoints is resumed from the newest, exactly: the
  parameters at the end are bitwise those of a run that was never stopped, on
  the same kind and number of devices.

  Raises:
    UserError: MODEL_DIR, a checkpoint or the batch does not fit, or a loss is
      not finite.
    SystemExit: With 128 + the signal, saved, after SIGTERM or Ctrl-C.
  """
  # The last save ends while signals are still noted.
  with Preemption() as preemption, contextlib.ExitStack() as stack:
    run = _TrainingRun(config, preemption, stack)
    if run.is_done:
      run.begin()
      run.settle()
    else:
      train_step = run.compile()
      run.begin()
      run.take_steps(train_step)
    run.conclude()
    return run.state


class _TrainingRun:
  """A run in progress.

  Attributes:
    step: The steps taken. `state`, the position of the data and `best` are all
      at this step.
    state: The train state.
    best: The best evaluation.
  """

  step: int
  state: TrainState
  best: BestMetric

  def __init__(
    self,
    config: TrainConfig,
    preemption: Preemption,
    stack: contextlib.ExitStack,
  ) -> None:
    """Restores or initializes the state and opens the logs."""
    self._config = config
    self._preemption = preemption
    self._checkpoints = Checkpoints(config.model_dir, config.checkpoint_cfg)
    stack.callback(self._checkpoints.close)
    self._shapes = config.batches.shapes
    rows, _ = self._shapes["decoder_target_tokens"]
    config.partitioner.check_batch(rows, config.num_microbatches)
    self._optimizer = config.optimizer(config.learning_rate_fn)
    self._abstract = state_lib.abstract_state(
      config.model, self._optimizer, config.partitioner, self._shapes
    )
    weights_key, self._dropout_key = jax.jit(
      lambda: tuple(jax.random.split(jax.random.key(config.random_seed))),
      out_shardings=config.partitioner.replicated,
    )()
    console.say("initializing or restoring the parameters")
    notes = self._restore_or_initialize(weights_key)
    self.step = int(self.state.step)
    _check_steps(self.step, config.total_steps)
    self._is_first = jax.process_index() == 0
    self._progress = Progress(
      self.step,
      config.total_steps,
      sys.stderr if self._is_first else None,
      config.eval_period if config.evaluate else 0,
    )
    for note in notes:
      self._progress.say(note)
    factories = config.metric_writers if self._is_first else ()
    self._writers = metric_writers.MultiWriter(
      [factory(config.model_dir) for factory in factories]
    )
    stack.callback(self._writers.close)

    def logger(name: str, last: int) -> MetricLogger:
      folder = os.path.join(config.model_dir, name)
      opened = MetricLogger(folder, last, self._writers)
      stack.callback(opened.close)
      return opened

    self._metrics = StepMetrics(
      logger("train", self.step), self._progress, config.stats_period
    )
    self._validation_log = logger("validation", self.best.evaluated or 0)

  def _restore_or_initialize(self, weights_key: jax.Array) -> list[str]:
    """Sets the state and the position of the data; returns notes on them."""
    config = self._config
    restored = self._checkpoints.restore(self._abstract)
    if restored:
      self.state, position, self.best = restored
      config.batches.restore(position)
      return []
    random = functools.partial(
      state_lib.random_params,
      config.model,
      config.partitioner,
      self._shapes,
      self._abstract,
      weights_key,
    )
    if config.initial_checkpoint_path:
      params, step, notes = state_lib.load_params(
        config.initial_checkpoint_path,
        self._abstract,
        getattr(config.model.module, "config", None),
        random,
        config.relative_steps,
        config.allow_missing,
      )
    else:
      params, step, notes = random(), 0, []
    self.state = state_lib.start(params, self._optimizer, self._abstract, step)
    self.best = BestMetric()
    return notes

  def compile(self) -> step_lib.TrainStep:
    """Returns the compiled step."""
    config = self._config
    console.say("compiling the training step")
    train_step, seconds = step_lib.compile_step(
      step_lib.make_train_step(
        config.model,
        self._optimizer,
        config.learning_rate_fn,
        config.num_microbatches,
      ),
      config.partitioner,
      self._abstract,
      config.partitioner.abstract_batch(self._shapes),
      self._dropout_key,
    )
    self._progress.say(f"from step {self.step}; compiled in {seconds:.1f} s")
    return train_step

  def begin(self) -> None:
    """Writes `config.gin` and `parameters.txt`; from now on, signals save.

    The input has passed all checks.
    """
    params = self._abstract.params
    table = parameter_overview.get_parameter_overview(
      params, include_stats="sharding"
    )
    megabytes = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(params))
    self._progress.say(
      f"parameters: {parameter_overview.count_parameters(params):,} "
      f"({megabytes / 2**20:,.1f} MiB), listed in parameters.txt"
    )
    files = {"parameters.txt": table}
    if text := self._config.config_text():
      files["config.gin"] = text
    if self._is_first:
      for name, content in files.items():
        errors.write_whole(f"{self._config.model_dir}/{name}", content)
      self._writers.write_texts(self.step, files)
    self._preemption.begin()

  def take_steps(self, train_step: step_lib.TrainStep) -> None:
    """Takes steps up to the last one."""
    config = self._config
    profile = _profiler(config, self.step) if self._is_first else None
    try:
      # A resumed run may owe the evaluation that SIGTERM did not wait for.
      self.settle()
      while not self.is_done:
        # The device is still at the step before while this batch is read.
        batch = config.partitioner.shard_batch(next(config.batches))
        with (
          jax.profiler.StepTraceAnnotation("train", step_num=self.step),
          jax.transfer_guard_host_to_device("disallow"),
        ):
          self.state, sums = train_step(self.state, batch, self._dropout_key)
        self.step += 1
        self._metrics.push(self.step, sums)
        if profile:
          profile(self.step)
        self.settle()
    except NonFiniteLossError as error:
      raise _not_finite(error, self._checkpoints.newest()) from error

  def settle(self) -> None:
    """Evaluates and saves if the step is due for it, and stops on SIGTERM."""
    config = self._config
    owed = self._is_due(config.eval_period) and self.best.evaluated != self.step
    evaluate = config.evaluate if owed else None
    saving = self._is_due(config.checkpoint_cfg.period)
    stopping = self._preemption.reached(self.step)
    if not (evaluate or saving or stopping):
      return
    with self._progress.paused(evaluating=evaluate is not None):
      self._metrics.flush()  # raises before anything is saved
      if evaluate and not stopping:
        stopping = not self._evaluated(evaluate)
      if saving or stopping or self.is_done or self.best.step == self.step:
        self._checkpoints.save(
          self.step, self.state, config.batches.position(), self.best
        )
    if stopping:
      number = self._preemption.number or signal.SIGTERM
      self._progress.say(
        f"stopped by {console.signal_name(number)}: saved at step {self.step} "
        f"in {self._checkpoints.newest()}; the same command resumes it"
      )
      sys.exit(console.exit_code(number))

  @property
  def is_done(self) -> bool:
    """Whether the last step is taken, or PATIENCE ends the run."""
    return self.step >= self._config.total_steps or self._is_out_of_patience()

  def _is_out_of_patience(self) -> bool:
    config, best = self._config, self.best
    if config.patience is None or self.step < max(1, config.min_steps):
      return False
    if best.improved is None or best.evaluated != self.step:
      return False
    return self.step - best.improved >= config.patience * config.eval_period

  def _is_due(self, period: int) -> bool:
    if not period or not self.step:
      return False
    return self.step % period == 0 or self.step == self._config.total_steps

  def _evaluated(self, evaluate: Evaluate) -> bool:
    """Evaluates this step; returns False if SIGTERM cut it short."""
    scores = self._preemption.interruptible(
      lambda: evaluate(self.state, self.step)
    )
    if scores is None:
      return False
    listed = "  ".join(f"{name} {scores[name]:.4g}" for name in sorted(scores))
    self._progress.say(f"step {self.step}  validation  {listed}")
    self._validation_log.write(self.step, scores)
    if self._config.decoded:
      self._validation_log.write_texts(self.step, self._config.decoded())
    chosen = self._config.checkpoint_cfg
    self.best = self.best.after(
      self.step, scores, chosen.best_metric, chosen.best_mode
    )
    return True

  def conclude(self) -> None:
    """Says where the result is, and which checkpoint is the best."""
    newest, best = self._checkpoints.newest(), self.best
    if self._is_out_of_patience():
      self._progress.say(
        f"PATIENCE = {self._config.patience} ends the run: no evaluation "
        f"since step {best.improved} was better"
      )
    self._progress.say(f"done: step {self.step} is saved in {newest}")
    if best.step is not None and best.value is not None and newest:
      path = os.path.join(os.path.dirname(newest), f"checkpoint_{best.step}")
      self._progress.say(
        f"best: {best.metric} {best.value:.4g} on validation, step "
        f"{best.step}: {path}"
      )


def _profiler(config: TrainConfig, step: int) -> Callable[[int], bool] | None:
  """Returns a hook to call after each step; None if no step is to profile."""
  first = max(
    step + 1,
    min(step + _PROFILE_AFTER, config.total_steps - config.profile_steps),
  )
  steps = min(config.profile_steps, config.total_steps - first)
  if steps < 1:
    return None
  return periodic_actions.Profile(
    logdir=os.path.join(config.model_dir, "train"),
    num_profile_steps=steps,
    profile_duration_ms=None,
    first_profile=first,
    every_secs=None,
  )


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
