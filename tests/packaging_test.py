"""`pip install .` away from the clone: a wheel that trains by itself."""

import os
import pathlib
import re
import subprocess
import sys
import zipfile

import pytest
import yaml

import distill

ROOT = pathlib.Path(__file__).parent.parent


def test_the_citation_and_the_changelog_have_the_version_of_the_package():
  """setup.py reads it from the package."""
  citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
  assert citation["version"] == distill.__version__
  headings = re.findall(
    r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
  )
  newest = next(heading for heading in headings if heading != "Unreleased")
  assert newest == f"{distill.__version__} ({citation['date-released']})"


def test_github_and_pre_commit_run_what_scripts_test_runs():
  workflow = (ROOT / ".github/workflows/test.yml").read_text()
  steps = yaml.safe_load(workflow)["jobs"]["test"]["steps"]
  assert steps[-1] == {"run": "scripts/test.sh"}
  hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
  script = (ROOT / "scripts/test.sh").read_text()
  for hook in hooks["repos"][0]["hooks"]:
    tool, *command = hook["name"].split()
    assert " ".join([f"$bin/{tool}", *command]) in script
    assert hook["entry"].startswith(f".venv/bin/{hook['name']}")


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_an_issue_template_asks_something(name):
  text = (ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text()
  template = yaml.safe_load(text)
  assert template["name"] and template["description"]
  for field in template["body"]:
    assert field["type"] == "textarea" and field["attributes"]["label"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
  """Builds the wheel from a copy, so that the clone stays clean."""
  folder = tmp_path_factory.mktemp("wheel")
  source = folder / "source"
  files = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
  ).stdout.splitlines()
  for name in files:
    if (ROOT / name).is_file():
      target = source / name
      target.parent.mkdir(parents=True, exist_ok=True)
      target.write_bytes((ROOT / name).read_bytes())
  command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
  subprocess.run(
    [*command, "--outdir", str(folder), str(source)],
    check=True,
    capture_output=True,
  )
  [path] = folder.glob("*.whl")
  return path


def test_wheel_has_library_tasks_and_gin_files_only(wheel):
  archive = zipfile.ZipFile(wheel)
  names = archive.namelist()
  [metadata] = [name for name in names if name.endswith("dist-info/METADATA")]
  metadata = archive.read(metadata).decode()
  for line in (
    f"Version: {distill.__version__}",
    "License-Expression: Apache-2.0",
    "Classifier: Typing :: Typed",
    "Project-URL: Paper, https://arxiv.org/abs/2305.02301",
  ):
    assert line in metadata.splitlines()
  tops = {name.split("/")[0] for name in names}
  assert {"distill", "tasks", "gin_configs"} == {
    top for top in tops if not top.endswith(".dist-info")
  }
  for path in (ROOT / "gin_configs").rglob("*.gin"):
    assert path.relative_to(ROOT).as_posix() in names
  data = [*(ROOT / "distill").rglob("*.txt"), *ROOT.glob("distill/*/*.toml")]
  data += ROOT.glob("distill/starters/*/*")
  for path in data:
    assert path.relative_to(ROOT).as_posix() in names


def test_installed_wheel_trains_two_steps(wheel, tmp_path):
  installed, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
  elsewhere.mkdir()
  pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
  subprocess.run([*pip, "--target", str(installed), str(wheel)], check=True)
  environment = {**os.environ, "PYTHONPATH": str(installed)}
  where = subprocess.run(
    [sys.executable, "-c", "import distill; print(distill.__file__)"],
    cwd=elsewhere,
    env=environment,
    capture_output=True,
    text=True,
    check=True,
  ).stdout
  assert where.startswith(str(installed))
  run = subprocess.run(
    [
      sys.executable,
      "-m",
      "distill.train",
      "--gin_file=experiments/last_letters_tiny_finetune.gin",
      *("--gin_bindings=T5Config.emb_dim=32", "--gin.TRAIN_STEPS=2"),
      "--gin_bindings=T5Config.mlp_dim=64",
      "--gin.INITIAL_CHECKPOINT_PATH=starters/bytes",
      "--gin.EVAL_PERIOD=0",
      f"--gin.MODEL_DIR={elsewhere}/model",
    ],
    cwd=elsewhere,
    env=environment,
    capture_output=True,
    text=True,
    check=False,
  )
  assert run.returncode == 0, run.stderr
  assert (elsewhere / "model" / "checkpoint_2").is_dir()
