"""A random student, what it answers, and rows as a SeqIO task to ask it."""

import jax
import numpy as np
import pytest
import seqio
import tensorflow as tf
from flax import linen as nn

from distill.answers.rules import TextAnswer
from distill.data import metrics, pipeline
from distill.model import config, encoder_decoder, network
from distill.training import mesh

LENGTHS = {"inputs": 12, "targets": 6}


@pytest.fixture(scope="session")
def questions():
  return [f"question {number}" for number in range(11)]


@pytest.fixture(scope="session")
def student():
  """A model and random parameters, which answer differently to each input."""
  vocabulary = seqio.ByteVocabulary()
  sizes = config.T5Config(
    vocab_size=384,
    emb_dim=16,
    num_heads=2,
    num_encoder_layers=1,
    num_decoder_layers=1,
    head_dim=8,
    mlp_dim=32,
  )
  model = encoder_decoder.EncoderDecoderModel(
    network.Transformer(sizes), vocabulary, vocabulary
  )
  names = ("encoder_input", "decoder_input", "decoder_target")
  shapes = {f"{name}_tokens": (1, 4) for name in names}
  init = jax.jit(lambda key: nn.unbox(model.init(key, shapes)["params"]))
  # Larger than at random, where outputs hardly depend on inputs.
  return model, jax.tree.map(lambda x: x * 2.0, init(jax.random.key(1)))


@pytest.fixture(scope="session")
def examples(questions):
  """The questions as the decoder reads them."""
  rows = []
  for text in questions:
    ids = [*seqio.ByteVocabulary().encode(text), 1][: LENGTHS["inputs"]]
    rows.append(
      {
        "encoder_input_tokens": np.pad(
          np.int32(ids), (0, LENGTHS["inputs"] - len(ids))
        ),
        "decoder_input_tokens": np.zeros(LENGTHS["targets"], np.int32),
      }
    )
  return rows


@pytest.fixture(scope="session")
def decodes(student, examples):
  """The student's answer to each, one by one on one device."""
  model, params = student
  decode = jax.jit(model.decode_batch)
  return [
    decode(params, {k: v[None] for k, v in row.items()}) for row in examples
  ]


@pytest.fixture(scope="session")
def tokens(decodes):
  """Their tokens [targets length] each."""
  return [np.asarray(found.tokens[0, 0]) for found in decodes]


@pytest.fixture(scope="session")
def scores(decodes):
  """Their scores."""
  return [float(found.scores[0, 0]) for found in decodes]


@pytest.fixture(scope="session")
def answers(student, tokens):
  """The same as text."""
  return [student[0].output_vocabulary.decode(ids.tolist()) for ids in tokens]


@pytest.fixture(scope="session")
def rows(questions, answers):
  """Rows of which the student answers seven of eleven rightly."""
  wanted = [a if i % 3 else "no" for i, a in enumerate(answers)]
  return [
    {"inputs": question, "targets": target}
    for question, target in zip(questions, wanted, strict=True)
  ]


@pytest.fixture
def partitioner():
  return mesh.Partitioner(devices=jax.devices()[:1])


@pytest.fixture
def read():
  """The inputs that were read from the tasks, in order."""
  return []


@pytest.fixture
def make_config(read):
  """Returns a function that registers rows as a task and configures it."""
  names = []

  def make(rows, **options):
    name = options.pop("name", "evaluation_test")
    names.append(name)

    def generate():
      for row in rows:
        read.append(row["inputs"])
        yield row

    def dataset(split, shuffle_files=False, seed=None):
      del split, shuffle_files, seed
      spec = {key: tf.TensorSpec([], tf.string) for key in rows[0]}
      return tf.data.Dataset.from_generator(generate, output_signature=spec)

    feature = seqio.Feature(seqio.ByteVocabulary())
    options.setdefault("metric_fns", [metrics.Accuracy(TextAnswer())])
    seqio.TaskRegistry.add(
      name,
      source=seqio.FunctionDataSource(dataset, splits=["test"]),
      preprocessors=[
        seqio.preprocessors.tokenize,
        seqio.preprocessors.append_eos,
      ],
      output_features={"inputs": feature, "targets": feature},
      **options,
    )
    return pipeline.DatasetConfig(
      mixture_or_task_name=name,
      task_feature_lengths=LENGTHS,
      split="test",
      batch_size=8,
      shuffle=False,
    )

  yield make
  for name in names:
    seqio.TaskRegistry.remove(name)
