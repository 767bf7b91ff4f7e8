"""The README's example: its family, and its plan of what a teacher is asked."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def test_the_readme_is_short():
  assert len(TEXT.splitlines()) < 150


def test_the_familys_examples_are_planned(tmp_path):
  [code] = re.findall(r"^```python\n(.*?)^```", TEXT, re.M | re.S)
  [shell] = re.findall(r"^```sh\nvllm .*?\n(.*?)^```", TEXT, re.M | re.S)
  (tmp_path / "my_tasks.py").write_text(code)
  (tmp_path / "fruit.txt").write_text("Q: {input}\nA:\n")
  (tmp_path / "fruit").mkdir()
  for split in ("train", "test"):
    rows = [f"Is {n} a fig?,{n}" for n in range(40)]
    text = "\n".join(["question,answer", *rows])
    (tmp_path / f"fruit/{split}.csv").write_text(text)
  words = shell.replace("PYTHONPATH=.", f"PYTHONPATH=.:{ROOT}")
  program = f'"{sys.executable}" -c "from distill import cli; cli.main()"'
  done = subprocess.run(
    ["bash", "-ec", f'distill() {{ {program} "$@"; }}\n{words}'],
    cwd=tmp_path,
    env={**os.environ, "JAX_PLATFORMS": "cpu"},
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  assert "by openai(Qwen/Qwen2.5-7B-Instruct,chat)" in done.stdout
  assert not (tmp_path / "caches/fruit/manifest.json").exists()
