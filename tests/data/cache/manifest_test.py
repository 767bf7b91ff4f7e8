"""The manifest file: what is written is read, and is old or new, never half."""

import dataclasses
import json

import pytest

from distill.data.cache import manifest
from distill.errors import UserError

SHARDS = (
  manifest.Shard("toy-train.tfrecord-00000-of-00001", 2, 70, "ab" * 32),
)
ROW = manifest.LedgerRow(
  teacher="Schüler",
  prompt="plain",
  prompt_sha256="0" * 64,
  sampling="samples=2",
  answers=4,
  parsed=3,
  agreeing=2,
  requests=4,
  prompt_tokens=10,
  completion_tokens=20,
  cost=None,
  price="",
)
ENTRY = manifest.SplitEntry(
  data_sha256="1" * 64,
  examples=2,
  labeled=1,
  flags="--samples=2",
  record_bytes=60,
  shards=SHARDS,
  ledger=(ROW,),
)


def with_teacher(name):
  row = dataclasses.replace(ROW, teacher=name)
  return dataclasses.replace(ENTRY, ledger=(row,))


def test_what_is_written_is_read(tmp_path):
  assert manifest.read(str(tmp_path)) is None
  written = manifest.Manifest("toy", {"train": ENTRY, "test": ENTRY})
  manifest.write(str(tmp_path), written)
  assert manifest.read(str(tmp_path)) == written
  text = (tmp_path / manifest.FILE_NAME).read_text()
  assert "Schüler" in text and json.loads(text)["family"] == "toy"


def test_one_split_is_replaced_or_left_out_and_the_others_stay():
  old = manifest.Manifest("toy", {"train": ENTRY, "test": ENTRY})
  new = old.with_split("train", with_teacher("new"))
  assert new.splits == {"test": ENTRY, "train": with_teacher("new")}
  assert list(new.splits) == ["test", "train"]
  assert old.splits["train"] == ENTRY, "a manifest is a value"
  assert new.with_split("train", None).splits == {"test": ENTRY}
  assert new.with_split("validation", None) == new


def test_a_draft_that_was_never_finished_is_not_read(tmp_path):
  manifest.write(str(tmp_path), manifest.Manifest("toy", {"train": ENTRY}))
  draft = tmp_path / f"{manifest.FILE_NAME}.partial"
  assert not draft.exists()
  draft.write_text("{")
  assert manifest.read(str(tmp_path)).splits == {"train": ENTRY}
  manifest.write(str(tmp_path), manifest.Manifest("toy", {}))
  assert manifest.read(str(tmp_path)).splits == {} and not draft.exists()


def test_a_field_of_a_later_release_is_named(tmp_path):
  manifest.write(str(tmp_path), manifest.Manifest("toy", {"train": ENTRY}))
  path = tmp_path / manifest.FILE_NAME
  path.write_text(path.read_text().replace('"labeled"', '"gold"'))
  with pytest.raises(UserError, match="manifest.json") as caught:
    manifest.read(str(tmp_path))
  assert "gold" in caught.value.found


def test_the_file_has_the_names_of_the_first_teacher_and_the_sums():
  fields = with_teacher("a").to_dict()
  assert (fields["teacher"], fields["prompt"]) == ("a", "plain")
  both = dataclasses.replace(ENTRY, ledger=(ROW, ROW)).to_dict()
  assert (both["answers"], both["completion_tokens"]) == (8, 40)
  assert len(both["ledger"]) == 2


def test_a_split_that_nobody_was_asked_for_has_no_ledger_in_the_file():
  unasked = dataclasses.replace(ROW, requests=None)
  for ledger in ((unasked,), (unasked, ROW)):
    entry = dataclasses.replace(ENTRY, ledger=ledger)
    fields = json.loads(json.dumps(entry.to_dict()))
    assert len(fields["ledger"]) == len(ledger) - 1
    assert manifest.SplitEntry.from_dict(fields) == entry
