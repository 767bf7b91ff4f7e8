#!/usr/bin/env bash
# Sets up .venv and distils a student end to end, with nothing to download:
# procedural data, the built-in teacher, three students, one table.
# Usage: scripts/demo.sh [--seeds=N] (see scripts/demo.py --help)
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup_env.sh
exec .venv/bin/python scripts/demo.py "$@"
