"""The page in a real browser, from disk: it shows, filters and marks.

The browser is Debian's chromium; without it these tests skip.
"""

import contextlib
import json
import shutil

import pytest

from distill import errors
from distill.commands import cache_filter, report
from distill.data.cache import manifest
from distill.reporting import example_rows, page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(
  not CHROMIUM, reason="no chromium on this machine (apt-get install chromium)"
)


@pytest.fixture(scope="module")
def written(grid_folder, tmp_path_factory):
  """The page of the grid."""
  path = tmp_path_factory.mktemp("page") / "report.html"
  assert not report.main([str(grid_folder), f"--output={path}"])
  return path


@pytest.fixture(scope="module")
def chromium():
  sync_api = pytest.importorskip("playwright.sync_api")
  with sync_api.sync_playwright() as playwright:
    browser = playwright.chromium.launch(
      executable_path=CHROMIUM, args=["--no-sandbox"]
    )
    yield browser
    browser.close()


@contextlib.contextmanager
def opened(chromium, path, **options):
  """Opens a page; nothing may be fetched from elsewhere, and nothing fails."""
  context = chromium.new_context(**options)
  tab = context.new_page()
  fetched, problems = [], []
  tab.on("request", lambda request: fetched.append(request.url))
  tab.on("console", lambda message: problems.append(message.text))
  tab.on("pageerror", lambda error: problems.append(str(error)))
  tab.goto(path.as_uri())
  yield tab
  assert not problems
  folder = path.parent.as_uri()
  assert not [
    u for u in fetched if not u.startswith((folder, "blob:", "data:"))
  ]
  context.close()


def count(tab):
  return tab.locator("#count").inner_text()


def wait_for_count(tab, text):
  tab.locator("#count", has_text=text).wait_for()


def press(tab, name):
  tab.locator("#filters button", has_text=name).first.click()


def test_the_command_prints_the_answers(grid_folder, tmp_path, capsys):
  path = tmp_path / "a.html"
  report.main([str(grid_folder), f"--output={path}", "--title=Mine & yours"])
  said = capsys.readouterr().out
  assert "step_by_step is ahead of finetune by" in said
  assert "last_letters, test: 500 answers to 500 examples" in said
  assert "2 of 500 (0.40%) do not give the gold label" in said
  text = path.read_text()
  assert "<h1>Mine &amp; yours</h1>" in text
  assert "on 498 examples" not in text and "500 examples that a" in said


def test_a_page_needs_a_place(grid_folder, tmp_path, capsys):
  for output in ("report.txt", tmp_path / "none" / "a.html"):
    argv = [str(grid_folder), f"--output={output}"]
    assert errors.run_command(report.main, argv) == errors.USER_ERROR_EXIT
    assert "--output is" in capsys.readouterr().err


def test_an_empty_folder_gives_a_page_that_says_so(tmp_path, capsys):
  report.main([str(tmp_path), f"--output={tmp_path / 'a.html'}"])
  assert "There is nothing to report yet." in capsys.readouterr().out
  assert "is empty; a report needs" in (tmp_path / "a.html").read_text()


@needs_browser
def test_it_shows_answers_tables_and_figures(chromium, written):
  with opened(chromium, written) as tab:
    assert "ahead of finetune" in tab.locator("#answers").inner_text()
    assert tab.locator("#students table tbody tr").count() == 2
    assert tab.locator("#students figure svg").bounding_box()["width"] > 300
    assert tab.locator("#teachers table").count() == 2
    assert count(tab) == "500 of 500 examples"


@needs_browser
def test_text_of_a_teacher_is_shown_and_not_run(chromium, written):
  with opened(chromium, written) as tab:
    press(tab, "teacher wrong")
    assert count(tab) == "2 of 500 examples"
    detail = tab.locator("#detail")
    said = detail.inner_text()
    assert '<script>document.title="run"</script>' in said
    assert "U+202E" in said and "U+0007" in said and "\u202e" not in said
    assert detail.locator("img, script").count() == 0
    assert "run" != tab.title()


@needs_browser
def test_filters_and_search_narrow_the_list(chromium, written, grid_folder):
  rows = json.loads((grid_folder / "cells/finetune-s0/rows.json").read_text())
  wrong = rows[0]["right"].count("0")
  with opened(chromium, written) as tab:
    press(tab, "truncated")
    assert count(tab) == "1 of 500 examples"
    press(tab, "truncated")
    tab.fill("#search", "cut")
    shown = count(tab)
    assert shown.startswith(("1 of", "2 of", "3 of"))
    tab.fill("#search", "")
    press(tab, "student wrong, teacher right")
    some = int(count(tab).partition(" of")[0])
    assert wrong - 2 <= some < 500
    press(tab, "methods disagree")
    assert int(count(tab).partition(" of")[0]) < some


@needs_browser
def test_students_stand_side_by_side_and_differences_are_marked(
  chromium, written
):
  with opened(chromium, written) as tab:
    press(tab, "methods disagree")
    cards = tab.locator("#detail .answer")
    assert cards.count() == 3
    assert "teacher t" in cards.nth(0).inner_text()
    assert cards.nth(1).locator("mark").count() == 0
    assert cards.nth(2).locator("mark").count() >= 1


@needs_browser
def test_keys_move_and_mark_and_marks_stay(chromium, written):
  with opened(chromium, written) as tab:
    tab.locator("#list").focus()
    for key in "gjbjg":
      tab.keyboard.press(key)
    assert "2 good" in tab.locator("#marked").inner_text()
    tab.keyboard.press("u")
    tab.reload()
    marked = tab.locator("#marked").inner_text()
    assert "1 good (0 give the gold label" in marked and "1 bad" in marked
    press(tab, "marked bad")
    assert count(tab) == "1 of 500 examples"


@needs_browser
def test_exported_marks_filter_the_cache(
  chromium, written, grid_folder, examples, tmp_path
):
  with opened(chromium, written, accept_downloads=True) as tab:
    tab.locator("#list").focus()
    tab.keyboard.press("b")
    tab.fill(".marking input", "no sense")
    tab.keyboard.press("Escape")
    tab.keyboard.press("j")
    tab.keyboard.press("g")
    with tab.expect_download() as download:
      tab.click("#export")
    marks = tmp_path / "review.jsonl"
    download.value.save_as(marks)
  first, second = map(json.loads, marks.read_text().splitlines())
  assert (first["id"], first["mark"]) == (examples[0].id, "bad")
  assert (first["note"], first["teacher"]) == ("no sense", "t")
  assert (second["id"], second["mark"]) == (examples[1].id, "good")
  for more, left in ((), 499), (("--only_reviewed",), 1):
    out = tmp_path / str(left)
    cache_filter.main(
      [
        *("--task=last_letters", "--split=test", f"--output_dir={out}"),
        f"--input_dir={grid_folder}/data/t/last_letters",
        *(f"--review={marks}", *more),
      ]
    )
    assert manifest.read(str(out)).splits["test"].answers == left


@needs_browser
def test_a_link_opens_its_example(chromium, written, examples):
  wanted = examples[321]
  link = f"#example=last_letters%2Ftest%2F{wanted.id}"
  with opened(chromium, written) as tab:
    tab.goto(written.as_uri() + link)
    tab.reload()
    assert wanted.id in tab.locator("#detail h3").inner_text()


@needs_browser
def test_typed_prices_fill_the_costs(chromium, written):
  with opened(chromium, written) as tab:
    table = tab.locator("#cost-table tbody")
    assert "fill in above" in table.inner_text()
    for name, value in (("priceIn", "10"), ("priceOut", "30"), ("hour", "1")):
      tab.fill(f"#cost-fields input[name={name}]", value)
    # 44,000 prompt and 8,000 completion tokens of docs/results/demo.json.
    assert "$0.68" in table.inner_text()
    assert "fill in above" not in table.inner_text()


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(chromium, written, width, scheme):
  size = {"width": width, "height": 800}
  with opened(chromium, written, viewport=size, color_scheme=scheme) as tab:
    wide = tab.evaluate("document.documentElement.scrollWidth")
    assert wide <= width


def many_rows(number):
  return [
    {
      **{"task": "toy", "split": "train", "id": str(n), "input": f"in {n}"},
      **{"gold": "x", "teachers": [], "students": []},
    }
    for n in range(number)
  ]


def page_of(rows, **fields):
  """Returns a page of examples alone."""
  names = ["sentences", "missing", "grids", "runs", "classes", "caches"]
  content = {**dict.fromkeys(names, ()), "costs": (), "cpu_hour": None}
  return page.Page(**{**content, "title": "mine", "rows": rows, **fields})


@needs_browser
def test_a_key_marks_the_answer_that_is_shown(chromium, tmp_path):
  [row] = many_rows(1)
  answer = {"label": "x", "rationale": "r", "agrees": 1, "finish": "stop"}
  row["teachers"] = [
    {**answer, "teacher": name, "place": place, "marks": []}
    for place, name in enumerate(("first", "second"))
  ]
  path = tmp_path / "two.html"
  page.write(page_of([row]), path)
  with opened(chromium, path, accept_downloads=True) as tab:
    tab.select_option("#teacher", "second")
    tab.locator("#list").focus()
    tab.keyboard.press("b")
    with tab.expect_download() as download:
      tab.click("#export")
    download.value.save_as(tmp_path / "review.jsonl")
  mark = json.loads((tmp_path / "review.jsonl").read_text())
  assert (mark["teacher"], mark["place"], mark["mark"]) == ("second", 1, "bad")


@needs_browser
def test_prices_are_no_cost_where_tokens_were_not_counted(chromium, tmp_path):
  known = {"accuracy": 50.0, "answers": 10, "cost": None}
  known |= {"cpu_seconds": 10.0, "seconds": 0.1, "name": "imported"}
  tokens = {"prompt_tokens": None, "completion_tokens": None}
  path = tmp_path / "costs.html"
  page.write(page_of([], costs=[known | tokens]), path)
  with opened(chromium, path) as tab:
    for name in ("priceIn", "priceOut", "hour"):
      tab.fill(f"#cost-fields input[name={name}]", "1")
    said = tab.locator("#cost-table tbody").inner_text()
    assert "tokens not known" in said and "queries" not in said


@needs_browser
def test_examples_beside_the_page_are_loaded_and_found(chromium, tmp_path):
  content = page_of(many_rows(5_000))
  path = tmp_path / "many.html"
  assert page.write(content, path) == tmp_path / "many-examples"
  with opened(chromium, path) as tab:
    wait_for_count(tab, "5,000 of 5,000 examples")
    tab.fill("#search", "in 4999")
    assert count(tab) == "1 of 5,000 examples"
    assert tab.locator(".row").count() == 1
  (tmp_path / "many-examples" / "rows-0002.js").unlink()
  context = chromium.new_context()
  tab = context.new_page()
  tab.goto(path.as_uri())
  wait_for_count(tab, "is missing")
  context.close()


def test_a_smaller_page_removes_no_file_of_others(tmp_path):
  """Parts of an earlier page that nothing loads are removed, nothing else."""
  folder = tmp_path / "a-examples"
  folder.mkdir()
  (folder / "rows-0001.js").write_text("addRows([])")
  (folder / "mine.txt").write_text("kept")
  content = page_of(many_rows(3))
  assert page.write(content, tmp_path / "a.html") is None
  assert [path.name for path in folder.iterdir()] == ["mine.txt"]
  assert example_rows.as_script([]) == "[]"
