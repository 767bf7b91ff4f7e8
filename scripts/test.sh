#!/usr/bin/env bash
# Sets up .venv and passes the tests: linters, type checker, pytest.
# Usage: scripts/test.sh [--all] [pytest arguments]
#   --all   the long tests too (kills at many moments, long runs)
set -euo pipefail
cd "$(dirname "$0")/.."

selection=(-m "not long")
if [ "${1:-}" = "--all" ]; then
  selection=()
  shift
fi
scripts/setup_env.sh test,t5x,beam
bin=.venv/bin
$bin/ruff check .
$bin/ruff format --check .
$bin/mypy
exec $bin/python -m pytest -n 2 --dist worksteal "${selection[@]}" "$@"
