"""A stand-in for Google Cloud and for what runs on its hosts, in one folder.

`gcloud` and `python3` on PATH are this file. `$FAKE_CLOUD/plan.json` says what
goes wrong, call by call: {"create": [code, …], "list": [code, …], "train":
[[code of each host], …]}; a host that is "lost" takes the pod with it.
`calls.jsonl` is what the launcher called.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

WORLD = pathlib.Path(os.environ["FAKE_CLOUD"])
HOSTS = 2


def planned(kind, count, default=0):
  """Returns what the plan has for the count-th call of this kind."""
  plan = json.loads((WORLD / "plan.json").read_text())
  return (plan.get(kind, []) + [default] * (count + 1))[count]


def count(name):
  """Returns how often this was called before."""
  counter = WORLD / "counts" / name
  before = int(counter.read_text()) if counter.exists() else 0
  counter.parent.mkdir(exist_ok=True)
  counter.write_text(str(before + 1))
  return before


def local(path):
  return WORLD / "bucket" / path[5:] if path.startswith("gs://") else path


def storage(verb, source, target, *_):
  if verb == "rsync":
    shutil.copytree(local(source), local(target), dirs_exist_ok=True)
    return 0
  target = pathlib.Path(local(target))
  target.parent.mkdir(parents=True, exist_ok=True)
  if source == "-":
    target.write_bytes(sys.stdin.buffer.read())
  else:
    shutil.copyfile(local(source), target)
  return 0


def tpus(kind, verb, *flags):
  node, request = WORLD / "tpu-vm", WORLD / "queued-resources"
  if verb == "list":
    if code := planned("list", count("list")):
      return code
    if (WORLD / kind).exists():
      print((WORLD / kind).read_text())
    if kind == "queued-resources" and request.exists() and not node.exists():
      request.write_text("ACTIVE")
      node.write_text(f"READY\t{HOSTS}")
  elif verb == "create":
    if code := planned("create", count("create")):
      return code
    request.write_text("WAITING_FOR_RESOURCES")
  elif verb == "delete":
    (WORLD / kind).unlink()
    node.unlink(missing_ok=True)
    for host in WORLD.glob("host-*"):
      shutil.rmtree(host)
  elif verb == "ssh":
    command = next(f for f in flags if f.startswith("--command="))
    for index in range(HOSTS):
      home = WORLD / f"host-{index}"
      home.mkdir(exist_ok=True)
      subprocess.run(
        ["bash", "-c", command.removeprefix("--command=")],
        cwd=home,
        env=os.environ | {"HOSTNAME": f"w-{index}"},
        check=True,
      )
  return 0


def gcloud(area, *words):
  if not os.environ["HOSTNAME"].startswith("w-"):  # a host's own copying
    with open(WORLD / "calls.jsonl", "a") as calls:
      print(json.dumps(["gcloud", area, *words]), file=calls)
  if (area, words[0]) == ("projects", "describe"):
    print("123456")
  elif area == "storage" and words[0] in ("cp", "rsync"):
    return storage(*words)
  elif area == "compute":
    return tpus(*words[1:])
  return 0


def python(*words):
  """What the hosts run: uv, pip, and the trainer."""
  given = [os.environ.get(name, "") for name in ("DISTILL_DATA_DIR", "NOTE")]
  print("running", *words, *given, flush=True)
  if words[:3] == ("-m", "uv", "venv"):
    here = pathlib.Path(words[-1], "bin")
    here.mkdir(parents=True)
    shutil.copy(shutil.which("python3"), here / "python")
  if not words[1].startswith("distill."):
    return 0
  name = os.environ["HOSTNAME"]
  code = planned("train", count(name), [0] * HOSTS)[int(name[2:])]
  if code == "lost":
    (WORLD / "tpu-vm").write_text("PREEMPTED\t2")
    os.killpg(0, signal.SIGKILL)
  if code == "until SIGTERM":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    (WORLD / f"waiting-{name}").touch()
    time.sleep(60)
  return code


if __name__ == "__main__":
  program = gcloud if os.path.basename(sys.argv[0]) == "gcloud" else python
  sys.exit(program(*sys.argv[1:]))
