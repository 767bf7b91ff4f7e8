"""The command line and gin files: what a user types, and what he is told."""

import re
import subprocess
import sys
import textwrap

import gin
import pytest

from distill import errors, gin_checks, gin_files, gin_run

RUN = """
from __gin__ import dynamic_registration
import textwrap
TEXT = %gin.REQUIRED  # what to indent
PREFIX = '> '
WIDTH = 70
FLAG = False
UNREAD = None
textwrap.indent:
  text = %TEXT
  prefix = %PREFIX
"""


@pytest.fixture
def files(tmp_path):
  """A folder with a run file and an experiment that includes a model."""
  for name, text in {
    "runs/indent.gin": RUN,
    "models/marked.gin": "MARK = '# '\nPREFIX = %MARK\n",
    "experiments/marked.gin": "include 'models/marked.gin'\nTEXT = 'file'\n",
  }.items():
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
  return tmp_path


def survey_of(files, *names):
  survey = gin_files.Survey([str(files)])
  for name in names:
    survey.add_file(name)
  return survey


def indent(files, names, bindings=()):
  """Checks, loads and runs as a command does."""
  survey = survey_of(files, *names)
  checked = [gin_checks.checked_binding(text, survey) for text in bindings]
  gin_checks.check_complete(survey)
  gin_run.load(names, checked, [str(files)])
  return gin_run.call(textwrap.indent)


def test_flags_take_both_forms_and_keep_the_order_of_bindings():
  flags = gin_run.parse_flags(
    "train",
    [
      *("--gin_file=a.gin", "--gin_file", "b.gin"),
      *("--gin.A=1", "--gin_bindings=A = 2", "--gin.A", "x=y"),
      *("--gin_search_paths", "one,two", "--process_index=3"),
    ],
  )
  assert flags.gin_file == ("a.gin", "b.gin")
  assert flags.gin_bindings == ("A=1", "A = 2", "A=x=y")
  assert flags.process_index == 3
  native, *user, here, shipped = flags.search_path
  assert (native, user) == (f"{shipped}/native", ["one", "two"])
  assert here == ""


@pytest.mark.parametrize(
  ("argument", "remedy"),
  [
    ("--gin_fil=x", "did you mean '--gin_file'?"),
    ("--proces_count=2", "did you mean '--process_count'?"),
    ("--process_count=two", "--help"),
    ("--gin_file", "--help"),
    ("--gin_file=", ""),
  ],
)
def test_a_wrong_flag_is_named_with_what_was_meant(argument, remedy):
  with pytest.raises(errors.UserError) as caught:
    gin_run.parse_flags("train", [argument])
  assert remedy in caught.value.remedy


@pytest.mark.parametrize(
  "arguments",
  [
    ["--gin.MODEL_DIR", "--gin.ALPHA=0.3"],
    ["--gin.MODEL_DIR", "--help"],
    ["--gin.MODEL_DIR"],
  ],
)
def test_an_unset_shell_variable_does_not_take_the_next_flag(arguments):
  with pytest.raises(errors.UserError, match="--gin.MODEL_DIR has no value"):
    gin_run.parse_flags("train", arguments)
  # A negative number is a value.
  flags = gin_run.parse_flags("train", ["--gin.DATA_PARALLEL", "-1"])
  assert flags.gin_bindings == ("DATA_PARALLEL=-1",)


def test_the_run_file_comes_first_and_once():
  run = "runs/finetune.gin"
  assert gin_run.files_of("train", ["e.gin"]) == [run, "e.gin"]
  assert gin_run.files_of("train", ["e.gin", run]) == [run, "e.gin"]
  mine = "/my/runs/long.gin"
  assert gin_run.files_of("train", [mine, "e.gin"]) == [mine, "e.gin"]


def test_later_files_and_bindings_win(files):
  run = ["runs/indent.gin"]
  both = [*run, "experiments/marked.gin"]
  assert indent(files, run, ["TEXT='a'"]) == "> a"
  assert indent(files, both) == "# file"
  assert indent(files, both, ["MARK='- '", "TEXT=b"]) == "- b"
  assert indent(files, both, ["indent.prefix = '* '"]) == "* file"
  # Nothing of the runs above is left.
  assert indent(files, run, ["TEXT='a'"]) == "> a"


def test_a_folder_of_the_user_hides_no_gin_file(files, monkeypatch):
  # MODEL_DIR=models/mine makes such a folder, which Python takes for a package.
  work = files / "work"
  (work / "models").mkdir(parents=True)
  monkeypatch.chdir(work)
  monkeypatch.syspath_prepend(work)
  names = ["runs/indent.gin", "experiments/marked.gin"]
  gin_run.load(names, [], ["", str(files)])
  assert gin_run.call(textwrap.indent) == "# file"


@pytest.mark.parametrize(
  ("value", "expected"),
  [
    ("plain", "plain"),
    ("/a/b c", "/a/b c"),
    ("gs://bucket/a-b#c", "gs://bucket/a-b#c"),
    ("2024-01-31", "2024-01-31"),
    ("'quoted'", "quoted"),
    ('"it\'s"', "it's"),
    ("it's", "it's"),
    ("a=b", "a=b"),
  ],
)
def test_text_works_with_and_without_quotes(files, value, expected):
  run = ["runs/indent.gin"]
  assert indent(files, run, ["PREFIX=''", f"TEXT={value}"]) == expected


@pytest.mark.parametrize(
  "binding",
  [
    "WIDTH=wide",
    "FLAG=no",
    "UNREAD=false",
    "UNREAD=none",
    "TEXT={'a': 1",
    "TEXT=@@",
    "TEXT='a",
    "TEXT=--gin.WIDTH=3",
    "TEXT=",
  ],
)
def test_a_value_that_looks_like_gin_and_is_not_tells_how_to_quote(
  files, binding
):
  with pytest.raises(errors.UserError, match="quote text twice"):
    gin_checks.checked_binding(binding, survey_of(files, "runs/indent.gin"))


def test_an_unknown_macro_is_an_error_with_the_nearest_name(files):
  survey = survey_of(files, "runs/indent.gin")
  with pytest.raises(errors.UserError, match="'PREFX'") as caught:
    gin_checks.checked_binding("PREFX='a'", survey)
  assert "did you mean 'PREFIX'?" in caught.value.remedy
  assert "PREFIX, TEXT, UNREAD, WIDTH" in caught.value.expected


def test_all_missing_macros_are_listed_with_their_flags(files):
  (files / "runs/indent.gin").write_text(
    RUN + "OTHER = %gin.REQUIRED\ntextwrap.dedent.text = %MODEL\n"
  )
  with pytest.raises(errors.UserError) as caught:
    gin_checks.check_complete(survey_of(files, "runs/indent.gin"))
  assert "MODEL, OTHER, TEXT" in caught.value.what
  assert "--gin.TEXT=…  what to indent" in caught.value.remedy
  assert "models/…  (gives MODEL)" in caught.value.remedy


@pytest.mark.parametrize(
  ("text", "found", "remedy"),
  [
    ("include 'models/markd.gin'", "'models/markd.gin'", "models/marked.gin"),
    ("TEXT = hello", "line 1", "needs quotes"),
    ("TEXT = ('a'", "EOF", "needs quotes"),
    ("import textwrp", "textwrp", "correct"),
    ("import textwrap\ntextwrap.indnt.text = 'a'", "indnt", "correct"),
    ("import textwrap\ntextwrap.indent.txt = 'a'", "txt", "correct"),
    ("textwrap.indent.text = 'a'", "import statement", "correct"),
    ("import textwrap\ntextwrap.indent.text = %gin.REQUIRED", "REQ", "correct"),
  ],
)
def test_a_wrong_gin_file_is_one_clear_error(files, text, found, remedy):
  mine = files / "mine.gin"
  mine.write_text(f"from __gin__ import dynamic_registration\n{text}\n")
  if "line" in found:
    mine.write_text(text)
  with pytest.raises(errors.UserError) as caught:
    indent(files, ["runs/indent.gin", str(mine)], ["TEXT='a'"])
  assert found in str(caught.value)
  assert remedy in caught.value.remedy


def test_a_bug_in_configured_code_keeps_its_traceback(files):
  with pytest.raises(AttributeError, match="splitlines"):
    indent(files, ["runs/indent.gin"], ["TEXT=3"])


def test_a_user_error_in_configured_code_has_no_words_of_gin(files):
  (files / "mine.gin").write_text(
    "from __gin__ import dynamic_registration\n"
    "from distill import gin_files\n"
    "TEXT = @gin_files.find_file()\n"
    "gin_files.find_file.name = 'nowhere.gin'\n"
    "gin_files.find_file.search_path = []\n"
  )
  with pytest.raises(errors.UserError) as caught:
    indent(files, ["runs/indent.gin", "mine.gin"])
  assert caught.value.what == "There is no gin file 'nowhere.gin'."
  assert "configurable" not in str(caught.value)


def test_a_file_that_binds_nothing_to_the_command_is_refused(files):
  (files / "empty.gin").write_text("A = 1\n")
  with pytest.raises(errors.UserError, match="text, prefix"):
    indent(files, ["empty.gin"])


def test_the_operative_config_can_be_loaded_again(files, tmp_path):
  before = indent(files, ["runs/indent.gin", "experiments/marked.gin"])
  (tmp_path / "config.gin").write_text(gin.operative_config_str())
  gin.clear_config()
  assert indent(files, [str(tmp_path / "config.gin")]) == before


PRINTED = [
  *(
    "--gin_file=experiments/last_letters_tiny_step_by_step.gin",
    "--gin.ALPHA=0.3",
  ),
  *("--gin.MODEL_DIR=/a b", "--gin.LEARNING_RATE_FACTORS=constant"),
  *("--gin_bindings=train.eval_num_examples = 7", "--gin.TOP_K=3"),
  "--gin_bindings=infer_eval/DatasetConfig.batch_size = 3",
]


def test_the_printed_configuration_is_gin_that_says_the_same(tmp_path, capsys):
  assert gin_run.configure("train", [*PRINTED, "--print_config"]) is None
  printed = capsys.readouterr().out
  path = tmp_path / "printed.gin"
  path.write_text(printed)
  assert "\nALPHA = 0.3\n" in printed and "include" not in printed

  def configuration(argv):
    gin_run.configure("train", argv)
    return re.sub(r"\btrain_script\b", "train", gin.config_str()).replace(
      "import train as train", "import train"
    )

  assert configuration([f"--gin_file={path}"]) == configuration(PRINTED)
  # What is printed of it is the same text.
  gin_run.configure("train", [f"--gin_file={path}", "--print_config"])
  assert capsys.readouterr().out == printed


def test_help_and_mistakes_answer_before_jax_is_imported():
  program = """
import sys
from distill import errors, gin_run
assert gin_run.run("train", ["--help"]) is None
given = ["--gin_file=experiments/last_letters_tiny_finetune.gin"]
given.append("--gin.MODEL_DIR=m")
assert gin_run.run("train", [*given, "--print_config"]) is None
try:
  gin_run.run("train", ["--gin.MODEL_DIR=/x"])
except errors.UserError as error:
  print(error)
assert not {"jax", "tensorflow", "seqio"} & set(sys.modules)
"""
  done = subprocess.run(
    [sys.executable, "-c", program], capture_output=True, text=True, check=True
  )
  assert "--gin_search_paths" in done.stdout
  assert (
    "--print_config" in done.stdout and "\nMODEL_DIR = 'm'\n" in done.stdout
  )
  assert "TRAIN_STEPS" in done.stdout.split("macros of the loaded files")[1]
  assert "--gin.MIXTURE_OR_TASK_NAME=…" in done.stdout
