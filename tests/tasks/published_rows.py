"""A few made-up rows of each published set, in its authors' own form."""

import itertools
import json

import numpy as np
import tensorflow as tf


def _jsonl(*rows):
  return "".join(json.dumps(row) + "\n" for row in rows)


def _problems(count):
  """Returns rows of MultiArith's form, as many as the published file has."""
  return [
    {"iIndex": i, "sQuestion": f" {i} and 2? ", "lSolutions": [i + 2.0]}
    for i in range(count)
  ]


def _big_bench(count):
  names = ("red.", "blue.", "green.")
  return {
    "examples": [
      {"input": f"Game {i}. Ann has the ",
       "target_scores": {name: int(i % 3 == n) for n, name in enumerate(names)}}
      for i in range(count)
    ]
  }  # fmt: skip


def _asdiv(count):
  return "<M><ProblemSet>" + "".join(
    f"<Problem ID='{i}'><Body>Has {i}.</Body><Question>And 2?</Question>"
    f"<Answer>{i + 2} (m)</Answer><Formula>{i}+2={i + 2}</Formula></Problem>"
    for i in range(count)
  ) + "</ProblemSet></M>"  # fmt: skip


_CQA = {"question": "Where?", "choices": ["sea", "dry land"], "answer": "sea"}
_GSM8K = {"question": "How many?", "answer": "2*500=<<1000>>\n#### 1,000"}
_AQUA = {"question": "x?", "options": ["A)1", "B)2"], "correct": "B"}
_QUAREL = {"question": "Where? (A) ice (B) sand", "answer_index": 1}
_OBQA = {
  "question": {
    "stem": "Who?",
    "choices": [{"text": "a cow", "label": "A"}, {"text": "B.", "label": "B"}],
  },
  "answerKey": "A",
}
_BOOLQ = {
  "data": [
    {
      "paragraph": "It rains.",
      "question": "is it dry",
      "answer": "FALSE",
      "perturbed_questions": [{"perturbed_q": "is it wet", "answer": "TRUE"}],
    }
  ]
}

# The files of each family, below DISTILL_RAW_DATA_DIR.
FILES = {
  "addsub": {"addsub/AddSub.json": _problems(395)},
  "aqua": {f"aqua/{name}.json": _jsonl(_AQUA)
           for name in ("train", "dev", "test")},
  "asdiv": {"asdiv/ASDiv.xml": _asdiv(2305)},
  "boolq_contrast": {"boolq_contrast/boolq_perturbed.json": _BOOLQ},
  "cqa": {f"distilling_step_by_step/cqa/cqa_{name}.json":
          _jsonl(*({**_CQA, "question": f"Where {i}?"} for i in range(30)))
          for name in ("train", "test")},
  "date_understanding": {"bigbench/date_understanding.json": _big_bench(369)},
  "gsm8k": {f"gsm8k/{name}.jsonl":
            _jsonl(*({**_GSM8K, "question": f"{i}?"} for i in range(30)))
            for name in ("train", "test")},
  "imdb_contrast": {"imdb_contrast/test_contrast.tsv":
                    'Sentiment\tText\nPositive\tGood.\nNegative\t"A ""so"""\n'},
  "multiarith": {"multiarith/MultiArith.json": _problems(600)},
  "openbookqa": {f"openbookqa/{name}.jsonl": _jsonl(_OBQA)
                 for name in ("train", "dev", "test")},
  "quarel": {f"quarel/quarel-v1-{name}.jsonl": _jsonl(_QUAREL)
             for name in ("train", "dev", "test")},
  "single_eq": {"single_eq/questions.json": _problems(508)},
  "strategy_qa": {"bigbench/strategyqa.json": {"examples": [
    {"input": f"Is {i}?", "target_scores": {"Yes": i % 2, "No": 1 - i % 2}}
    for i in range(2290)]}},
  "svamp": {"svamp/SVAMP.json": [
    {"Body": f"Has {i}.", "Question": "And 2?", "Equation": f"( {i}.0 + 2.0 )"}
    for i in range(1000)]},
  "tracking_shuffled_objects_bigbench": {
    "bigbench/tracking_shuffled_objects.json": _big_bench(750)},
}  # fmt: skip

_NUMBERS = [str(i) for i in range(30)]
_HALVES = [i % 2 for i in range(30)]


def _thirds(**columns):
  return {**columns, "label": [i % 3 for i in range(30)]}


_EMPTY = [""] * 30
_CHOICES = {"text": [["sea", "land"]] * 30, "label": [["A", "B"]] * 30}
_FACTS = {f"fact{i}": _EMPTY for i in (1, 2)}
# What TFDS has of each set: all of its features, and the splits that it names.
TFDS = {
  "esnli": (_thirds(premise=_NUMBERS, hypothesis=_NUMBERS,
                    **{f"explanation_{i}": _EMPTY for i in (1, 2, 3)}),
            "train validation test"),
  "anli": (_thirds(uid=_NUMBERS, context=_NUMBERS, hypothesis=_NUMBERS),
           "train validation test"),
  "cos_e": ({"id": _NUMBERS, "question": _NUMBERS,
             "choices": [["sea", "land"]] * 30, "answer": ["land"] * 30,
             "abstractive_explanation": _EMPTY,
             "extractive_explanation": _EMPTY}, "train validation"),
  "gsm8k": ({"question": _NUMBERS, "answer": ["1\n#### 1"] * 30,
             "annotation": _EMPTY, "short_answer": ["1"] * 30},
            "train test train_socratic test_socratic"),
  "openbookqa": ({"question": {"stem": _NUMBERS, **{
                    f"choice_{x}": [f"the {x}"] * 30 for x in "ABCD"}},
                  "fact1": _EMPTY, "humanScore": [1.0] * 30,
                  "clarity": [1.0] * 30, "turkIdAnonymized": _EMPTY,
                  "answerKey": [3] * 30}, "train validation test"),
  "mctaco": ({"sentence": _NUMBERS, "question": _NUMBERS, "answer": _NUMBERS,
              "label": _HALVES, "category": [0] * 30}, "validation test"),
  "corr2cause": ({"input": _NUMBERS, "label": _HALVES}, "train dev test"),
  "super_glue": ({"premise": _NUMBERS, "choice1": ["It rained."] * 30,
                  "choice2": ["It snowed."] * 30, "question": ["cause"] * 30,
                  "label": _HALVES, "idx": list(range(30))},
                 "train validation test"),
  "qasc": ({"id": _NUMBERS, "question": _NUMBERS, "choices": _CHOICES,
            "answerKey": ["B"] * 30, **_FACTS, "combinedfact": _EMPTY,
            "formatted_question": _EMPTY}, "train validation test"),
  "ai2_arc": ({"id": _NUMBERS, "question": _NUMBERS,
               "choices": {**_CHOICES, "label": [[0, 1]] * 30},
               "answerKey": _HALVES}, "train validation test"),
  "imdb_reviews": ({"text": [f"Film {i}." for i in range(30)],
                    "label": _HALVES}, "train test unsupervised"),
  "bool_q": ({"question": _NUMBERS, "passage": _NUMBERS, "title": _EMPTY,
              "answer": np.array(_HALVES, bool)}, "train validation"),
}  # fmt: skip


def rows_of(builder, split, **options):
  """Returns the rows of a TFDS builder, for tfds.testing.mock_data."""
  assert not options.get("shuffle_files")
  table, splits = TFDS[builder.name]
  assert split in splits.split()
  rows = tf.data.Dataset.from_tensor_slices(table)
  assert _keys(rows.element_spec) == _keys(builder.info.features.dtype)
  return rows


def _keys(tree):
  return {k: _keys(v) for k, v in tree.items()} if hasattr(tree, "items") else 0


def write(root, families=FILES):
  """Writes the families' files below `root`."""
  files = (FILES.get(name, {}).items() for name in families)
  for path, content in itertools.chain.from_iterable(files):
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    is_text = isinstance(content, str)
    place.write_text(content if is_text else json.dumps(content))
