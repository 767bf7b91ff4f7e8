#!/usr/bin/env bash
# Makes .venv with the pinned versions, or does nothing if it is up to date.
# Usage: scripts/setup_env.sh [EXTRAS]   (extras of setup.py, such as test,t5x)
set -euo pipefail
cd "$(dirname "$0")/.."

extra=${1:-}
python=${PYTHON:-python3.11}
stamp=".venv/installed${extra:+-$extra}"
wanted=$(cat setup.py constraints.txt | cksum)

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
  exit 0
fi
if ! command -v "$python" > /dev/null; then
  echo "error: $python is not on PATH; install Python 3.11 with venv" \
    "(Debian, Ubuntu: apt-get install python3.11 python3.11-venv)" \
    "or name another one: PYTHON=python3.12 $0" >&2
  exit 2
fi
echo "Setting up .venv (once; about two minutes and 3.5 GB)"
[ -x .venv/bin/python ] || "$python" -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
  --constraint constraints.txt --editable ".${extra:+[$extra]}"
echo "$wanted" > "$stamp"
