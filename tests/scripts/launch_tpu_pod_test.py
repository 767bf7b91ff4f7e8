"""The launcher against a cloud in a folder: gcloud's calls, exits, logs."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).parents[2]
LAUNCH = "scripts/launch_tpu_pod.sh"
FLAGS = (
  "--engine=native --name=pod --zone=us-west4-a --accelerator_type=v5p-16 "
  "--runtime_version=v2-alpha-tpuv5 --storage=gs://bucket/folder/ "
  "--poll_seconds=0.05"
).split()
MODEL_DIR = "--gin.MODEL_DIR='gs://bucket/it''s \"$HOME\"'"
COMMAND = ["--", "train", "--gin_file=x.gin", MODEL_DIR]
T5X = [
  *("--gin_search_paths=gin_configs", "--gin_file=runs/finetune.gin"),
  "--gin_file=x.gin",
]
X_GIN = str(ROOT / "gin_configs/experiments/last_letters_tiny_cot.gin")


class Cloud:
  """A checkout to launch from, and PATH and folder of the cloud."""

  def __init__(self, folder):
    self.checkout, self.world = folder / "checkout", folder / "world"
    programs = folder / "bin"
    for path in (self.checkout / "scripts", self.world, programs):
      path.mkdir(parents=True)
    for name in ("launch_tpu_pod", "tpu_worker", "setup_env"):
      shutil.copy(ROOT / f"scripts/{name}.sh", self.checkout / "scripts")
    for name in ("setup.py", "constraints.txt", "new.txt", "ignored"):
      (self.checkout / name).touch()
    # What checks the gin files on the laptop; the hosts make their own .venv.
    for name in ("distill", "gin_configs"):
      shutil.copytree(
        ROOT / name,
        self.checkout / name,
        ignore=shutil.ignore_patterns("__pycache__"),
      )
    python = self.checkout / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (self.checkout / "x.gin").write_text(
      "include 'experiments/last_letters_tiny_cot.gin'\n"
    )
    (self.checkout / ".gitignore").write_text("ignored\nlogs\n.venv\n")
    subprocess.run(["git", "init", "-q"], cwd=self.checkout, check=True)
    fake = (ROOT / "tests/scripts/fake_cloud.py").read_text()
    for name in ("gcloud", "python3"):
      (programs / name).write_text(f"#!{sys.executable} -SE\n{fake}")
      (programs / name).chmod(0o755)
    self.no_gin = folder / "no_gin"
    self.no_gin.mkdir()
    (self.no_gin / "python3").write_text("#!/bin/sh\nexit 1\n")
    (self.no_gin / "python3").chmod(0o755)
    # Another test of this process may have left its folder of caches.
    inherited = {k: v for k, v in os.environ.items() if k != "DISTILL_DATA_DIR"}
    self.environment = inherited | {
      "PATH": f"{programs}:{os.environ['PATH']}",
      "PYTHONPATH": "",
      "FAKE_CLOUD": str(self.world),
      "HOSTNAME": "laptop",
    }

  def start(self, *command, **plan):
    (self.world / "plan.json").write_text(json.dumps(plan))
    return subprocess.Popen(
      command,
      cwd=self.checkout,
      env=self.environment,
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  def launch(self, *flags, command=COMMAND, **plan):
    """Returns exit code, stdout and stderr of a launch to its end."""
    process = self.start(LAUNCH, *FLAGS, *flags, *command, **plan)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err

  def calls(self, verb=""):
    """Returns gcloud's calls, of one verb or all, without the run's time."""
    path = self.world / "calls.jsonl"
    text = path.read_text() if path.exists() else ""
    calls = [json.loads(timeless(line)) for line in text.splitlines()]
    return [call for call in calls if verb in ("", *call[4:5])]

  def log(self, attempt, host):
    (path,) = self.checkout.glob(f"logs/pod/*/{attempt}/w-{host}.log")
    return path.read_text()


def timeless(text):
  return re.sub(r"\d{8}T\d{6}Z", "TIME", text)


@pytest.fixture
def cloud(tmp_path):
  return Cloud(tmp_path)


def test_dry_run_prints_what_a_run_calls_and_calls_nothing(cloud):
  (cloud.checkout / "my caches").mkdir()
  flags = ["--spot", "--delete", "--data=my caches"]
  code, printed, _ = cloud.launch(*flags, "--dry_run")
  assert code == 0
  assert not cloud.calls() and not (cloud.checkout / "logs").exists()
  lines = [line for line in printed.splitlines() if line[0] != "#"]
  words = [shlex.split(timeless(line)) for line in lines]
  dry = [w for w in words if w[0] == "gcloud"]
  assert len(dry) == len(lines) - 1  # the code is packed without gcloud
  assert cloud.launch(*flags)[0] == 0
  called = [list(call) for call in dict.fromkeys(map(tuple, cloud.calls()))]
  assert sorted(called) == sorted(dry)


def test_every_host_runs_this_checkout_with_these_arguments(cloud):
  flags = ["--data=gs://elsewhere/caches", "--env=NOTE=it's two words"]
  code, _, complaint = cloud.launch(*flags)
  assert code == 0, complaint
  for host in "01":
    last = cloud.log(1, host).splitlines()[-1]
    expected = f"running -m distill.train --gin_file=x.gin {MODEL_DIR}"
    assert last == f"{expected} gs://elsewhere/caches it's two words"
    files = cloud.world / f"host-{host}" / "distill-run"
    assert (files / "new.txt").exists() and not (files / "ignored").exists()
  assert not cloud.calls("delete") and "--delete" in complaint


@pytest.mark.skipif(
  not (ROOT / "docs/t5x.md").exists(), reason="docs/t5x.md says what to install"
)
def test_t5x_starts_on_every_host_after_its_installation(cloud):
  shutil.copytree(ROOT / "docs", cloud.checkout / "docs")
  flags = ["--engine=t5x", "--", "train", *T5X, "--gin.MODEL_DIR='gs://b/m'"]
  code, _, said = cloud.launch(command=flags)
  assert code == 0, said
  runs = [line.split() for line in cloud.log(1, 1).splitlines()]
  assert runs[-1][1:5] == ["-m", "distill.t5x_engine.start", "train", T5X[0]]
  assert runs[-2][5] == "--no-deps"
  sources = [source.partition("@")[0] for source in runs[-2][6:]]
  names = [source.rpartition("/")[2] for source in sources]
  assert sorted(names) == ["airio", "jestimator", "t5x"]


def test_a_preempted_run_goes_on_until_it_is_done(cloud):
  # Saved on all hosts; the pod vanished; a host broke when the other vanished.
  train = [[143, 143], [143, "lost"], [1, "lost"], [0, 0]]
  plan = {"create": [0, 1, 0], "list": [0] * 6 + [1] * 9}
  code, _, said = cloud.launch(train=train, **plan)
  assert (code, said.count("Preempted")) == (0, 3), said
  assert len(cloud.calls("ssh")) == 4
  # The first attempt's pod stayed; one request for another was refused.
  assert len(cloud.calls("delete")) == 2 and len(cloud.calls("create")) == 4
  assert "running -m distill.train" in cloud.log(1, 0)
  assert "running -m distill.train" in cloud.log(4, 1)


@pytest.mark.parametrize(
  ("plan", "code", "attempts"),
  [
    ({"train": [[0, 2]]}, 2, 1),
    pytest.param({"train": [[0, 7]]}, 7, 1, marks=pytest.mark.long),
    ({"train": [[143, 143]] * 3}, 143, 2),
    ({"create": [1]}, 1, 0),
    pytest.param({"list": [1] * 10}, 1, 0, marks=pytest.mark.long),
  ],
)
def test_it_stops_where_another_try_would_not_help(cloud, plan, code, attempts):
  found, _, said = cloud.launch("--max_restarts=1", **plan)
  assert (found, len(cloud.calls("ssh"))) == (code, attempts), said
  assert ("running -m distill.train" in said) == bool(attempts)


def test_a_second_launch_takes_the_pod_over_and_lets_the_first_save(cloud):
  plan = {"train": [["until SIGTERM"] * 2, [0, 0]]}
  first = cloud.start(LAUNCH, *FLAGS, *COMMAND, **plan)
  while len(list(cloud.world.glob("waiting-*"))) < 2:
    assert first.poll() is None, first.communicate()
    time.sleep(0.05)
  first.kill()
  first.communicate()
  assert cloud.launch(**plan)[0] == 0
  assert len(cloud.calls("create")) == 1
  codes = sorted(cloud.world.glob("bucket/bucket/folder/logs/pod/*/1/*.rc"))
  assert [code.read_text() for code in codes] == ["143\n"] * 2 + ["0\n"] * 2


@pytest.mark.parametrize(
  ("flag", "complaint"),
  [
    ("--engine=jax", "native"),
    ("--name=Pod_1", "distill-1"),
    ("--zone=us-west4", "us-west4-a"),
    ("--accelerator_type=a100", "v5litepod-16"),
    ("--runtime_version=V2", "v2-alpha-tpuv6e"),
    ("--runtime_version=", "--help"),
    ("--storage=/disk", "gs://my-bucket/distill"),
    ("--storage=gs://BUCKET/FOLDER", "no capitals"),
    ("--project=", "--help"),
    ("--labels=team", "team=nlp"),
    ("--service_account=robot", "iam.gserviceaccount.com"),
    ("--valid_until_duration=soon", "6h"),
    ("--data=/no/folder", "/no/folder"),
    ("--max_restarts=-1", "100"),
    ("--poll_seconds=1m", "60"),
    ("--env=NAME", "lacks its =VALUE"),
    ("--spott", "--help"),
    ("--name", "lacks its =VALUE"),
  ],
)
def test_a_wrong_flag_is_named_with_what_mends_it(cloud, flag, complaint):
  code, printed, said = cloud.launch(flag)
  assert (code, printed) == (2, "")
  assert flag.partition("=")[0] in said and complaint in said
  assert said.count("\n") == 2 and not cloud.calls()


@pytest.mark.parametrize(
  ("command", "complaint"),
  [
    ([], "no command"),
    (["--", "eval"], "train|evaluate|infer"),
    (["--engine=t5x", "--", "evaluate"], "train|eval|infer"),
    (["--", "train", "--gin_file=nope.gin"], "no gin file 'nope.gin'"),
    ([*COMMAND[:3]], "These macros have no value: MODEL_DIR"),
    ([*COMMAND, "--gin.TRAIN_STEP=3"], "did you mean 'TRAIN_STEPS'?"),
    ([*COMMAND, "--gin_fil=y.gin"], "no flag '--gin_fil'"),
    ([*COMMAND, "--gin.MODEL_DIR=/disk"], "a gs:// folder"),
    ([*COMMAND, "--gin_file=ignored"], "will not have 'ignored'"),
    ([*COMMAND, f"--gin_file={ROOT}/tests/none.gin"], "no gin file"),
    ([*COMMAND, f"--gin_file={X_GIN}"], f"will not have '{X_GIN}'"),
    (
      ["--engine=t5x", "--", "train", *T5X, "--gin.MODEL_DIR=gs://bucket/m"],
      "--gin.MODEL_DIR=\"'gs://bucket/m'\"",
    ),
    (["--spot", "--reserved", *COMMAND], "--spot or --reserved, not both"),
  ],
)
def test_a_command_that_cannot_run_on_a_pod_is_refused(
  cloud, command, complaint
):
  code, printed, said = cloud.launch(command=command)
  assert code == 2 and complaint in said and not cloud.calls()
  assert not printed


def test_a_dry_run_checks_the_gin_files_too(cloud):
  command = ["--", "train", "--gin_file=nope.gin"]
  code, printed, said = cloud.launch("--dry_run", command=command)
  assert (code, printed) == (2, "") and "no gin file 'nope.gin'" in said


def test_a_python_without_gin_asks_for_the_environment(cloud):
  shutil.rmtree(cloud.checkout / ".venv")
  cloud.environment["PATH"] = f"{cloud.no_gin}:{cloud.environment['PATH']}"
  code, _, said = cloud.launch("--dry_run")
  assert code == 2 and "run scripts/setup_env.sh" in said


def test_flags_of_the_pod_reach_gcloud_under_its_names(cloud):
  code, _, said = cloud.launch(
    *("--reserved", "--network=net", "--subnetwork=projects/p/sub"),
    *("--service_account=a@p.iam.gserviceaccount.com", "--project=my-p"),
    *("--internal_ips", "--labels=team=nlp,run=1"),
    "--valid_until_duration=6h",
  )
  assert code == 0, said
  (create,) = cloud.calls("create")
  assert {
    *("--reserved", "--network=net", "--subnetwork=projects/p/sub"),
    *("--service-account=a@p.iam.gserviceaccount.com", "--internal-ips"),
    *("--labels=team=nlp,run=1", "--valid-until-duration=6h"),
  } <= set(create)
  (ssh,) = cloud.calls("ssh")
  assert "--internal-ip" in ssh and "--internal-ips" not in ssh
  tpus = [call for call in cloud.calls() if call[1] == "compute"]
  assert all("--project=my-p" in call for call in tpus)


PAGE = (ROOT / "docs/tpu.md").read_text()
STAND_IN = '#!/bin/sh\necho "$0" "$@" >> "$FAKE_CLOUD/others"\n'


@pytest.fixture
def pasted(cloud):
  """Pastes all commands of docs/tpu.md into one shell, which must take them.

  Returns:
    The words of the trainers that its hosts were told to run.
  """
  programs = cloud.checkout.parent / "bin"
  scripts = cloud.checkout / "scripts"
  shutil.copy(ROOT / "scripts/launch_slurm.sbatch", scripts)
  for path in (
    *(programs / "ssh-add", programs / "sbatch"),
    cloud.checkout / ".venv/bin/pip",
  ):
    path.write_text(STAND_IN)
    path.chmod(0o755)
  shutil.copytree(ROOT / "docs", cloud.checkout / "docs")
  files = [cloud.checkout / name for name in ("setup.py", "constraints.txt")]
  stamp = subprocess.run(
    f"cat {' '.join(map(str, files))} | cksum",
    **{"shell": True, "check": True, "capture_output": True},
  ).stdout
  (cloud.checkout / ".venv/installed").write_bytes(stamp)
  (cloud.checkout / "caches").mkdir()
  (cloud.world / "tfds/esnli").mkdir(parents=True)
  cloud.environment["TFDS_DATA_DIR"] = str(cloud.world / "tfds")
  public = cloud.world / "bucket/t5-data"
  for path in (
    "vocabs/cc_all.32000.100extra/sentencepiece.model",
    "pretrained_models/t5x/t5_1_1_base/checkpoint_1000000/checkpoint",
  ):
    (public / path).parent.mkdir(parents=True)
    (public / path).touch()
  blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.M | re.S)
  text = "set -euo pipefail\n" + "".join(blocks)
  fast = "scripts/launch_tpu_pod.sh --poll_seconds=0.05 "
  process = cloud.start(
    *("bash", "-c", text.replace("scripts/launch_tpu_pod.sh ", fast))
  )
  out, err = process.communicate(timeout=200)
  assert process.returncode == 0, out + err
  others = (cloud.world / "others").read_text().splitlines()
  runs = [line.split("native", 1)[1] for line in others if "sbatch" in line]
  runs = [f"-m distill{run.replace(' ', '.', 1)}" for run in runs]
  for log in cloud.checkout.glob("logs/*/*/1/w-0.log"):
    runs += re.findall(r"^running (-m distill.*)", log.read_text(), re.M)
  return [run.strip().split() for run in runs]


def test_the_commands_of_the_docs_run_as_they_stand(cloud, pasted):
  """But for the training, which the next test runs."""
  modules = sorted(words[1] for words in pasted)
  assert modules == [
    *("distill.t5x_engine.start", "distill.train", "distill.train")
  ]
  assert len(cloud.calls("create")) == 2  # The first one was deleted.
  text = (cloud.world / "calls.jsonl").read_text()
  assert "my-bucket" in text and "BUCKET" not in text


WRITE_CACHE = """
import sys
from distill.data.cache import files, records
rows = [
  records.Record(
    str(n), f"premise: {n} hypothesis: {n}", "neutral", ("So.",), ("neutral",),
    (1,), ("stop",), ("t",), (0,), (-1,))
  for n in range(64)
]
files.write_records(
  sys.argv[1], "esnli", "train", rows,
  command="import_rationales", source="", flags="", overwrite=False)
"""


@pytest.mark.long
def test_the_training_of_the_docs_trains_here_for_two_steps(
  cloud, pasted, tmp_path
):
  """With a tiny network, and a table of rows in place of TFDS's e-SNLI."""
  raw = tmp_path / "raw/distilling_step_by_step/esnli"
  raw.mkdir(parents=True)
  rows = [
    {"premise": str(n), "hypothesis": str(n), "label": 1} for n in range(64)
  ]
  for split in ("train", "valid"):
    (raw / f"esnli_{split}.json").write_text(json.dumps(rows))
  program = [sys.executable, "-c", WRITE_CACHE, str(tmp_path / "data/esnli")]
  subprocess.run(program, cwd=ROOT, check=True)
  for run, words in enumerate(pasted):
    if words[1] != "distill.train":
      continue
    told = [word for word in words if word.startswith(("-", "distill."))]
    model = tmp_path / f"model-{run}"
    done = subprocess.run(
      [
        *(sys.executable, *told, "--gin_file=models/tiny_byte.gin"),
        *("--gin.TRAIN_STEPS=2", "--gin.BATCH_SIZE=8", "--gin.EVAL_PERIOD=0"),
        *("--gin.INITIAL_CHECKPOINT_PATH=[]", f"--gin.MODEL_DIR={model}"),
      ],
      cwd=ROOT,
      env=os.environ
      | {
        "DISTILL_DATA_DIR": str(tmp_path / "data"),
        "DISTILL_RAW_DATA_DIR": str(tmp_path / "raw"),
        "TFDS_DATA_DIR": str(tmp_path / "none"),
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "XLA_FLAGS": "",
      },
      capture_output=True,
      text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (model / "checkpoint_2").exists()
  assert any((tmp_path / "compiled").iterdir())
