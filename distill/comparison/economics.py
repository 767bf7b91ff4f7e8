"""What a student costs against its teacher: money, FLOPs, memory, time."""

import dataclasses

from distill.comparison.results import Results
from distill.comparison.statistics import Group
from distill.model.config import T5Config

_RELATIVE_BUCKETS = 32  # T5's, of the one relative bias of each stack


def parameters(config: T5Config) -> int:
  """Returns the number of parameters."""
  width, attended = config.emb_dim, config.num_heads * config.head_dim
  mlp = width * config.mlp_dim * (len(config.mlp_activations) + 1)
  encoder = config.num_encoder_layers * (4 * width * attended + mlp)
  decoder = config.num_decoder_layers * (8 * width * attended + mlp)
  norms = 2 * config.num_encoder_layers + 3 * config.num_decoder_layers + 2
  tables = 1 if config.logits_via_embedding else 2
  return (
    encoder
    + decoder
    + norms * width
    + tables * config.vocab_size * width
    + 2 * _RELATIVE_BUCKETS * config.num_heads
  )


def forward_flops(config: T5Config, inputs: int, targets: int) -> float:
  """Returns FLOPs of one sequence through encoder and decoder.

  Twice the weights that each token meets, and attention's products (Kaplan et
  al. 2020, 2.1, applied to each stack; keys and values of the inputs count
  once for each input token). Training takes three times as many.

  Args:
    config: The network.
    inputs: Input tokens.
    targets: Target tokens.
  """
  width, attended = config.emb_dim, config.num_heads * config.head_dim
  mlp = width * config.mlp_dim * (len(config.mlp_activations) + 1)
  layers, projected = config.num_decoder_layers, width * attended
  encoder = config.num_encoder_layers * (4 * projected + mlp)
  decoder = layers * (6 * projected + mlp) + width * config.vocab_size
  seen = 4 * attended
  return inputs * (
    2 * (encoder + layers * 2 * projected)
    + seen * config.num_encoder_layers * inputs
  ) + targets * (2 * decoder + seen * layers * (inputs + targets))


def memory_bytes(config: T5Config, inputs: int, targets: int) -> int:
  """Returns what one prediction keeps: float32 weights, keys and values."""
  attended = config.num_heads * config.head_dim
  number = 4 if config.dtype == "float32" else 2
  cached = config.num_decoder_layers * 2 * attended * (inputs + targets)
  return 4 * parameters(config) + number * cached


@dataclasses.dataclass(frozen=True)
class Balance:
  """A student's costs beside its teacher's; None is unknown.

  Attributes:
    teacher_dollars: What its rationales cost.
    training_flops: Of one seed.
    cpu_seconds: Of training and testing one seed.
    query_flops: Of one prediction.
    query_megabytes: Weights, keys and values.
    query_milliseconds: Wall time of one prediction.
    teacher_query_dollars: Of one answer of the teacher.
    teacher_query_flops: The same, by 2 FLOPs a parameter and token.
    queries_dollars: Predictions after which the student was the cheaper way.
    queries_flops: The same in FLOPs, the teacher's for the cache included.
  """

  teacher_dollars: float | None
  training_flops: float | None
  cpu_seconds: float | None
  query_flops: float | None
  query_megabytes: float | None
  query_milliseconds: float | None
  teacher_query_dollars: float | None
  teacher_query_flops: float | None
  queries_dollars: float | None
  queries_flops: float | None

  def cells(self) -> list[str]:
    """Returns the numbers as text, 'unknown' where one is not known."""
    values = dataclasses.asdict(self).values()
    return ["unknown" if v is None else f"{v:,.4g}" for v in values]


def balance(results: Results, student: Group) -> Balance:
  """Returns what a student took and takes; a student without a teacher none.

  The teacher is counted for the cache that its students share, and for a
  query as for one answer of that cache.
  """
  first = student.first
  asked = [
    row
    for row in results.teachers
    if (row.name, row.task, row.split) == (first.teacher, first.task, "train")
  ]
  spent = [row.cpu_seconds for row in student.rows if row.cpu_seconds]
  cpu_seconds = sum(spent) / len(spent) if spent else None
  seconds = first.student.get("prediction_seconds")
  hour = results.cpu_hour_price
  dollars = asked[0].cost if asked else None
  answers = asked[0].answers if asked else 0
  flops = None
  if asked and asked[0].parameters:
    tokens = asked[0].prompt_tokens + asked[0].completion_tokens
    flops = 2.0 * asked[0].parameters * tokens
  training, query = (
    first.student.get(key) for key in ("training_flops", "prediction_flops")
  )
  memory = first.student.get("memory_bytes")
  return Balance(
    dollars,
    training,
    cpu_seconds,
    query,
    _times(memory, 1e-6),
    _times(seconds, 1e3),
    _times(dollars, 1 / max(1, answers)),
    _times(flops, 1 / max(1, answers)),
    _break_even(
      dollars,
      _times(cpu_seconds, hour and hour / 3600),
      _times(seconds, hour and hour / 3600),
      answers,
    ),
    _break_even(flops, training, query, answers),
  )


def _times(value: float | None, factor: float | None) -> float | None:
  return None if value is None or factor is None else value * factor


def _break_even(
  teacher: float | None,
  training: float | None,
  query: float | None,
  answers: int,
) -> float | None:
  """Returns (teacher + training) / (teacher's query - student's query)."""
  if teacher is None or training is None or query is None or not answers:
    return None
  saved = teacher / answers - query
  return (teacher + training) / saved if saved > 0 else float("inf")
