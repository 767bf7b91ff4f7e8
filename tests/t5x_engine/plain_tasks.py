"""A task module as T5X's users have: nothing in it knows of this project."""

import functools

import seqio
import tensorflow as tf

FEATURES = {
  "inputs": seqio.Feature(seqio.ByteVocabulary(), add_eos=True),
  "targets": seqio.Feature(seqio.ByteVocabulary(), add_eos=True),
}
WORDS = [f"word {number:03d}" for number in range(64)]


def words(split, shuffle_files, seed=None):
  del shuffle_files, seed
  if split not in ("train", "validation"):
    raise ValueError(split)
  return tf.data.Dataset.from_tensor_slices({"text": WORDS})


def unreadable(split, shuffle_files, seed=None):
  raise RuntimeError("the source of a cached task was read")


def reverse(dataset):
  def turn(example):
    letters = tf.strings.unicode_split(example["targets"], "UTF-8")
    turned = tf.strings.reduce_join(tf.reverse(letters, [0]))
    return {**example, "targets": turned}

  return dataset.map(turn)


def exact_match(targets, predictions):
  right = sum(t == p for t, p in zip(targets, predictions, strict=True))
  return {"exact_match": 100 * right / len(targets)}


def add(name, source, *steps):
  seqio.TaskRegistry.add(
    name,
    source=seqio.FunctionDataSource(source, splits=("train", "validation")),
    preprocessors=[
      functools.partial(
        seqio.preprocessors.rekey,
        key_map={"inputs": "text", "targets": "text"},
      ),
      *steps,
      seqio.preprocessors.tokenize,
      seqio.CacheDatasetPlaceholder(),
      seqio.preprocessors.append_eos_after_trim,
    ],
    output_features=FEATURES,
    metric_fns=[exact_match],
  )


add("plain_copy", words)
add("plain_reverse", words, reverse)
add("plain_cached", unreadable)
seqio.MixtureRegistry.add(
  "plain_mixture", [("plain_copy", 2), ("plain_reverse", 1)]
)
