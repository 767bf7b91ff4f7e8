#!/usr/bin/env bash
# Runs on each host of a pod; scripts/launch_tpu_pod.sh starts it.
# Usage: scripts/tpu_worker.sh native|t5x gs://LOGS COMMAND [ARGUMENTS]
# Installs what the engine needs, runs COMMAND, and copies the log every minute
# and the exit code at last to LOGS/<host>.log and .rc.
set -euo pipefail
cd "$(dirname "$0")/.."
engine=$1 logs=$2 python=.venv/bin/python
shift 2

# T5X, airio and jestimator, as docs/t5x.md pins them.
install_t5x() {
  grep -oE 'git\+https://[^ `"]+@[0-9a-f]+' docs/t5x.md | sort -u \
    | xargs $python -m pip install --quiet --no-deps
}

install() {  # in one chain: bash ignores `set -e` left of `||`
  # The images have an older Python than we need.
  { [ -x $python ] \
    || { PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --user --quiet uv \
      && python3 -m uv venv --quiet --seed --python 3.11 .venv; }; } \
    && PYTHON=$python scripts/setup_env.sh "${engine#native}" \
    && $python -m pip install --quiet --constraint constraints.txt "jax[tpu]" \
    && { [ "$engine" = native ] || install_t5x; }
}

module=distill.$1
[ "$engine" = native ] || module="distill.t5x_engine.start $1"

# A run of before has the TPU: SIGTERM lets it save, as a preemption does.
if old=$(cat run.pid 2> /dev/null) \
  && grep -qs tpu_worker "/proc/$old/cmdline" && kill -TERM -- "-$old"; then
  for _ in $(seq 300); do
    if kill -0 -- "-$old" 2> /dev/null; then sleep 1; else break; fi
  done
  kill -KILL -- "-$old" 2> /dev/null || true
fi
echo $$ > run.pid
exec > run.log 2>&1
trap : TERM  # COMMAND has the signal too, and saves; this script tells of it
while sleep 60; do
  gcloud storage cp - "$logs/$HOSTNAME.log" < run.log > /dev/null 2>&1 || true
done &
copying=$!
code=0
# shellcheck disable=SC2086 # for T5X, two words
{ install && $python -m $module "${@:2}"; } || code=$?
kill "$copying" || true
gcloud storage cp run.log "$logs/$HOSTNAME.log"
echo "$code" | gcloud storage cp - "$logs/$HOSTNAME.rc"
