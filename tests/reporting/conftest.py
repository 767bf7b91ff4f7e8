"""A grid's folder as `distill compare` leaves it, of the results in docs/."""

import dataclasses
import json
import pathlib

import pytest

from distill.comparison import results
from distill.data import registration
from distill.data.cache import files, records

ROOT = pathlib.Path(__file__).parents[2]
# What a teacher may write, and a page may not run.
HOSTILE = (
  '</script><script>document.title="run"</script>'
  "<img src=x onerror=\"document.title='run'\"> \u202egnp.exe\u0007 \u2028"
)


def write_lines(path, lines):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_cell(folder, row, examples):
  """Writes a finished cell: its row, and its answers to the test split."""
  home = folder / "cells" / f"{row.method}-s{row.seed}"
  home.mkdir(parents=True)
  (home / "rows.json").write_text(json.dumps([dataclasses.asdict(row)]))
  test = home / "test" / row.task
  rights = zip(examples, row.right, strict=True)
  judged = [
    {
      "id": one.id,
      "right": int(right),
      "answer": one.label if right == "1" else "zzz",
    }
    for one, right in rights
  ]
  write_lines(test / f"{row.task}_label-right.jsonl", judged)
  write_lines(
    test / f"{row.task}_label-001200.jsonl",
    [
      {
        **{"id": one.id, "inputs": f"[label] {one.input}", "target": one.label},
        "prediction": line["answer"],
      }
      for one, line in zip(examples, judged, strict=True)
    ],
  )
  write_lines(
    test / f"{row.task}_rationale-001200.jsonl",
    [{"id": one.id, "prediction": f"{row.method} says"} for one in examples],
  )
  (test / "metrics.json").write_text(json.dumps({"split": "test"}))


def make_record(example, rationale, label, finish="stop"):
  """Returns the record of one answer of the teacher `t`."""
  return records.Record.of(
    example,
    rationales=[rationale],
    teacher_labels=[label],
    agrees=[int(label == example.label)],
    finish_reasons=[finish],
    teachers=["t"],
    hinted=[0],
    verdicts=[-1],
  )


def write_cache(folder, examples, split):
  """Writes a cache: right answers, but for the first three."""
  rows = [
    make_record(one, f"The letters of {one.input}", one.label)
    for one in examples
  ]
  first, second, third = examples[:3]
  rows[0] = make_record(first, HOSTILE, "wrong")
  rows[1] = make_record(second, "Cut", "", "length")
  rows[2] = make_record(third, "The letters give it.", third.label)
  files.write_records(
    str(folder),
    "last_letters",
    split,
    rows,
    command="import_rationales",
    source="",
    flags="",
    overwrite=False,
  )


@pytest.fixture(scope="session")
def examples():
  """The test split of last letters, in the order of ids, as results have it."""
  family = registration.find_family("last_letters")
  return sorted(family.dataset.examples("test"), key=lambda one: one.id)


@pytest.fixture(scope="session")
def grid_folder(tmp_path_factory, examples):
  """Two methods of docs/results/demo.json with two seeds, and the teacher."""
  folder = tmp_path_factory.mktemp("demo")
  found = results.read_results(ROOT / "docs/results/demo.json")
  kept = [
    row
    for row in found.rows
    if row.method in ("finetune", "step_by_step") and row.seed < 2
  ]
  for row in kept:
    write_cell(folder, row, examples)
  results.write_results(
    dataclasses.replace(found, rows=kept), folder / "results.json"
  )
  write_cache(folder / "data/t/last_letters", examples, "test")
  return folder
