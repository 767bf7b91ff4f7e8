"""T5X's gin files and configurables, and what of this trainer does the same.

`OURS` is the one table of both; docs/t5x.md shows it.
"""

from collections.abc import Sequence

from distill import errors

_ADAFACTOR = (
  *("decay_rate", "factored", "multiply_by_parameter_scale", "epsilon1"),
  *("epsilon2", "clipping_threshold", "weight_decay_rate"),
  *("min_dim_size_to_factor", "global_norm_clip_threshold"),
)
_NETWORK = (
  *("vocab_size", "dtype", "emb_dim", "num_heads", "num_encoder_layers"),
  *("num_decoder_layers", "head_dim", "mlp_dim", "mlp_activations"),
  *("dropout_rate", "logits_via_embedding", "float32_attention_logits"),
)
_SCHEDULE = ("steps_per_decay", "steps_per_cycle", "min_learning_rate")
# T5X's class or function → its parameter → a macro or a parameter here; ''
# where this trainer has no such setting.
OURS: dict[str, dict[str, str]] = {
  "adafactor.Adafactor": {
    "learning_rate": "LEARNING_RATE",
    **{name: f"optimizers.adafactor.{name}" for name in _ADAFACTOR},
    **dict.fromkeys(("beta1", "step_offset", "logical_factor_rules"), ""),
  },
  "optimizers.adamw": {
    "learning_rate": "LEARNING_RATE",
    "b1": "optimizers.adamw.beta1",
    "b2": "optimizers.adamw.beta2",
    "eps": "ADAM_EPSILON",
    "weight_decay": "WEIGHT_DECAY",
  },
  "models.EncoderDecoderModel": {
    "module": "encoder_decoder.EncoderDecoderModel.module",
    "input_vocabulary": "VOCABULARY",
    "output_vocabulary": "VOCABULARY",
    "optimizer_def": "OPTIMIZER",
    "decode_fn": "DECODING",
    "z_loss": "Z_LOSS",
    "label_smoothing": "LABEL_SMOOTHING",
    "loss_normalizing_factor": "LOSS_NORMALIZATION",
    "feature_converter_cls": "",
  },
  "models.EncoderDecoderModel.predict_batch_with_aux": {
    "num_decodes": "NUM_DECODES",
  },
  "decoding.beam_search": {"num_decodes": "NUM_DECODES", "alpha": "BEAM_ALPHA"},
  "decoding.temperature_sample": {
    "num_decodes": "NUM_DECODES",
    "temperature": "TEMPERATURE",
    "topk": "TOP_K",
    "topp": "TOP_P",
  },
  "network.T5Config": {name: f"config.T5Config.{name}" for name in _NETWORK},
  "network.Transformer": {"config": "network.Transformer.config"},
  "utils.DatasetConfig": {
    "mixture_or_task_name": "MIXTURE_OR_TASK_NAME",
    "task_feature_lengths": "TASK_FEATURE_LENGTHS",
    "split": "pipeline.DatasetConfig.split",
    "batch_size": "BATCH_SIZE",
    "shuffle": "SHUFFLE",
    "seed": "RANDOM_SEED",
    "use_cached": "USE_CACHED_TASKS",
    "pack": "PACK",
    "module": "MIXTURE_OR_TASK_MODULE",
    "use_custom_packing_ops": "",
    "use_memory_cache": "",
    "trim_output_features": "",
  },
  "utils.CheckpointConfig": {
    "save": "checkpoints.CheckpointConfig.period",
    "restore": "INITIAL_CHECKPOINT_PATH",
  },
  "utils.SaveCheckpointConfig": {
    "period": "SAVE_PERIOD",
    "keep": "KEEP_CHECKPOINTS",
    "dtype": "",
    "save_dataset": "",
  },
  "utils.RestoreCheckpointConfig": {
    "path": "INITIAL_CHECKPOINT_PATH",
    "assignment_map": "ALLOW_MISSING",
    "strict": "ALLOW_MISSING",
    "mode": "",
    "dtype": "",
  },
  "utils.create_learning_rate_scheduler": {
    "factors": "LEARNING_RATE_FACTORS",
    "base_learning_rate": "LEARNING_RATE",
    "warmup_steps": "WARMUP_STEPS",
    "decay_factor": "DECAY_FACTOR",
    **{
      name: f"schedules.create_learning_rate_scheduler.{name}"
      for name in ("step_offset", *_SCHEDULE)
    },
  },
  "trainer.Trainer": {
    "num_microbatches": "NUM_MICROBATCHES",
    "learning_rate_fn": "LEARNING_RATE_FACTORS",
  },
  "partitioning.PjitPartitioner": {
    "num_partitions": "MODEL_PARALLEL",
    "model_parallel_submesh": "MODEL_PARALLEL",
    "logical_axis_rules": "mesh.Partitioner.logical_axis_rules",
  },
  "partitioning.standard_logical_axis_rules": {
    "parameter_partitioning_dims": "FSDP_PARALLEL",
    "activation_partitioning_dims": "MODEL_PARALLEL",
    "additional_rules": "mesh.Partitioner.logical_axis_rules",
  },
  "train": {
    "model": "MODEL",
    "model_dir": "MODEL_DIR",
    "total_steps": "TRAIN_STEPS",
    "relative_steps": "TRAIN_STEPS",
    "eval_period": "EVAL_PERIOD",
    "stats_period": "STATS_PERIOD",
    "random_seed": "RANDOM_SEED",
    "train_dataset_cfg": "train.train_dataset_cfg",
    "infer_eval_dataset_cfg": "train.infer_eval_dataset_cfg",
    "checkpoint_cfg": "train.checkpoint_cfg",
    "partitioner": "train.partitioner",
    **dict.fromkeys(("eval_steps", "use_hardware_rng", "trainer_cls"), ""),
  },
  "evaluate": {"model": "MODEL", "output_dir": "EVAL_OUTPUT_DIR"},
  "infer": {
    "model": "MODEL",
    "output_dir": "INFER_OUTPUT_DIR",
    "mode": "MODE",
  },
  "seqio.Evaluator": {
    "num_examples": "EVALUATOR_NUM_EXAMPLES",
    "logger_cls": "",
    "use_memory_cache": "",
  },
  "seqio.JSONLogger": {"write_n_results": ""},
}
# T5X's macros that this trainer calls otherwise, or does without.
MACROS = {
  "LOSS_NORMALIZING_FACTOR": "LOSS_NORMALIZATION",
  "SHUFFLE_TRAIN_EXAMPLES": "SHUFFLE",
  "TRAIN_STEPS_RELATIVE": "TRAIN_STEPS",
  "EVAL_STEPS": "",
  "EVALUATOR_USE_MEMORY_CACHE": "",
  "JSON_WRITE_N_RESULTS": "",
  "USE_HARDWARE_RNG": "",
}
# T5X's own files → ours.
FILES = {
  **{
    f"t5x/examples/t5/{model}/{size}.gin": f"models/{model}_{size}.gin"
    for model in ("t5_1_1", "byt5")
    for size in ("small", "base", "large", "xl", "xxl")
  },
  "t5x/examples/t5/byt5/tiny.gin": "models/tiny_byte.gin",
  "t5x/configs/runs/finetune.gin": "runs/finetune.gin",
  "t5x/configs/runs/eval.gin": "runs/evaluate.gin",
  "t5x/configs/runs/infer.gin": "runs/infer.gin",
}
# T5X's modules → ours, for files that only refer to them.
MODULES = {
  "t5x.adafactor": "distill.training.optimizers",
  "t5x.decoding": "distill.model.decoding",
  "t5x.examples.t5.network": "distill.model.network",
  "t5x.models": "distill.model.encoder_decoder",
  "t5x.optimizers": "distill.training.optimizers",
  "t5x.partitioning": "distill.training.mesh",
}
_MOST = 12
# The modules that only T5X's scripts, as `__main__`, have.
_SCRIPTS = ("__main__", "t5x.train", "t5x.eval", "t5x.infer")


def is_file(name: str) -> bool:
  """Returns whether a gin file's name is one of T5X's own."""
  return name.startswith("t5x/")


def is_module(name: str) -> bool:
  """Returns whether a module belongs to T5X or to its scripts."""
  return name == "__main__" or name.partition(".")[0] == "t5x"


def parameter_name(module: str, name: str) -> str:
  """Returns a parameter as `OURS` spells it.

  Args:
    module: The full name of the module.
    name: The parameter, with its function or class in front.
  """
  return name if module in _SCRIPTS else f"{module.rpartition('.')[2]}.{name}"


def counterpart(name: str) -> str | None:
  """Returns what does the same here: a file, a macro, or a parameter.

  Args:
    name: A file, a module or a macro of T5X's, or a parameter as `OURS`
      spells it.

  Returns:
    '' where this trainer has no such setting; None where T5X has no such name
    or this module does not know it.
  """
  known = FILES | MACROS | MODULES
  owner, _, parameter = name.rpartition(".")
  return known.get(name, OURS.get(owner, {}).get(parameter))


def refuse(uses: Sequence[tuple[str, str]]) -> errors.UserError:
  """Returns the error for gin files that configure T5X.

  Args:
    uses: The places, and what of T5X stands there, as `counterpart` takes it.
  """
  found, remedies = [], []
  for where, name in uses[:_MOST]:
    ours = counterpart(name)
    found.append(f"{where}: {name}")
    if ours is None and not is_file(name):
      remedies.append(f"leave out {name}, which belongs to T5X alone")
    elif ours is None:
      remedies.append(f"in place of {name}, a file of models/ or experiments/")
    elif not ours:
      remedies.append(f"leave out {name}, which this trainer does not need")
    else:
      remedies.append(f"in place of {name}: {ours}")
  if len(uses) > _MOST:
    found.append(f"and {len(uses) - _MOST} more")
  remedies += [
    "docs/t5x.md has the whole table;",
    "or train on T5X, with `python -m t5x.train` and the same flags",
  ]
  return errors.UserError(
    f"The gin files configure T5X: {uses[0][1]}.",
    expected="files that configure this trainer",
    found="\n    ".join(found),
    remedy="\n    ".join(remedies),
  )
