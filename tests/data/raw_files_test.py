"""Files of rows: what is read, and what is said of a file that is not one."""

import json

import pytest

from distill.data import raw_files
from distill.errors import UserError


def written(tmp_path, name, content):
  path = tmp_path / name
  path.write_text(content if isinstance(content, str) else json.dumps(content))
  return path


def test_cells_of_any_size_are_read(tmp_path):
  long = "word " * 100_000
  path = written(tmp_path, "x.CSV", f'q,l\r\n"{long}\n,",b\r\n\r\nc,""\r\n')
  assert raw_files.read_rows(path) == [
    {"q": f"{long}\n,", "l": "b"},
    {"q": "c", "l": ""},
  ]


@pytest.mark.parametrize(
  "name, content, what, found",
  [
    ("x.csv", "q,l\na,b\nc\n", r"Row 1 of .*x.csv.* line 3", "before 'l'"),
    ("x.tsv", "q\tl\na\tb\tc\n", r"Row 0 of .*x.tsv", "after 'l'"),
    ("x.csv", 'q,l\na,"b\nc,d\n', "Line 3 of .*x.csv", "unexpected end"),
    ("x.csv", "q,q\na,b\n", "has a name twice", "q, q"),
    ("x.csv", "q,l\n", "x.csv has no rows", "none"),
    ("x.csv", "", "has no rows", "none"),
    ("x.json", [], "has no rows", "none"),
    ("x.jsonl", {"data": []}, "has no rows", "none"),
    ("x.xml", "<a></a>", "has no rows", "none"),
    ("x.json", {"q": ["a"], "l": ["b"]}, "Row 0 of .* a whole table", "'q'"),
    ("x.json", {"1": {"q": "a"}, "2": {"q": "b"}}, "a whole table", "'1'"),
    ("x.json", [{"q": "a"}, ["b"]], "has other rows", 'row 1 is ["b"]'),
  ],
)
def test_what_is_no_file_of_rows_is_said(tmp_path, name, content, what, found):
  with pytest.raises(UserError, match=what) as error:
    raw_files.read_rows(written(tmp_path, name, content))
  assert found in error.value.found


def test_a_row_may_have_lists_beside_its_texts(tmp_path):
  row = {"q": "a", "choices": ["b", "c"]}
  assert raw_files.read_rows(written(tmp_path, "x.json", row)) == [row]
