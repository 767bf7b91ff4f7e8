"""docs/tutorial.md: its files and commands, run in order as they stand."""

import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import threading

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "docs/tutorial.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.M | re.S)
# `distill` and `python` are those that run the tests.
SHELL = f"""
set -euo pipefail
python() {{ "{sys.executable}" "$@"; }}
distill() {{ "{sys.executable}" -c \
  'from distill import cli; cli.main()' "$@"; }}
"""


class Solver(http.server.BaseHTTPRequestHandler):
  """Answers the tutorial's questions as a chat model would."""

  def do_POST(self):
    body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
    question = body["messages"][-1]["content"].rpartition("Q: ")[2]
    a, b = map(int, re.findall(r"\d+", question))
    text = (
      f"Ann starts with {a}. She buys {b} more. {a} + {b} = {a + b}."
      f" So the answer is {a + b}."
    )
    message = {"role": "assistant", "content": text}
    reply = {
      "model": body["model"],
      "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
      "usage": {"prompt_tokens": 60, "completion_tokens": 24},
    }
    content = json.dumps(reply).encode()
    self.send_response(200)
    self.send_header("Content-Length", str(len(content)))
    self.end_headers()
    self.wfile.write(content)

  def log_message(self, *_):
    pass


@pytest.fixture
def server():
  """Serves on a free port; returns the address that replaces the page's."""
  with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Solver) as served:
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()


def missing(expected, output):
  """Returns the first expected line that the output lacks, in this order."""
  lines = iter(output.splitlines())
  for wanted in expected.splitlines():
    pattern = ".*".join(map(re.escape, wanted.split("…")))
    if not any(re.fullmatch(pattern, line) for line in lines):
      return wanted
  return None


@pytest.mark.long
def test_the_tutorial_runs_as_it_stands(server, tmp_path):
  """Each ```sh block prints what the ```text block after it says."""
  exports, output, outputs = "", "", 0
  for kind, content in BLOCKS:
    name = re.match(r"# ([\w.]+)\n", content)
    if name:
      # A prompt's first line would be part of it.
      text = content[name.end() :] if kind == "text" else content
      (tmp_path / name[1]).write_text(text)
    elif kind == "text" and "vllm serve" not in content:
      outputs += 1
      assert missing(content, output) is None, output
    elif kind == "sh" and content.startswith("export "):
      exports += content
    elif kind == "sh":
      text = content.replace("http://localhost:8000", server)
      done = subprocess.run(
        ["bash", "-c", SHELL + exports + f"PYTHONPATH+=:{ROOT}\n" + text],
        cwd=tmp_path,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        check=False,
      )
      output = done.stdout + done.stderr
      assert done.returncode == (2 if "# exits with 2" in text else 0), output
  assert outputs == 9


def test_a_missing_line_of_output_is_found():
  output = "step 1/20  loss 6.7\nstep 2/20  loss 5.1\n"
  assert missing("step 1/20  loss …\nstep 2/20  loss …\n", output) is None
  assert missing("step 2/20  loss …\nstep 1/20  loss …\n", output) == (
    "step 1/20  loss …"
  )
