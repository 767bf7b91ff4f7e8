#!/usr/bin/env bash
# Builds the documentation as a static site in build/site; a broken link fails.
# Usage: scripts/docs.sh [mkdocs arguments]   (default: build; such as: serve)
# Its pages need no network, except for diagrams where npm is not installed.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv-docs/bin/python
if [ ! -x $python ] || ! cmp -s constraints.txt .venv-docs/installed; then
  "${PYTHON:-python3.11}" -m venv .venv-docs
  $python -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt mkdocs-material
  cp constraints.txt .venv-docs/installed
fi
if [ ! -f build/mermaid.min.js ] && command -v npm > /dev/null; then
  mkdir -p build/npm
  npm pack --silent --pack-destination build/npm mermaid@11.16.0 > /dev/null \
    && tar -xzf build/npm/mermaid-*.tgz -C build package/dist/mermaid.min.js \
      --strip-components=2 \
    || echo "warning: no mermaid from npm; diagrams will need a network" >&2
fi
[ $# -gt 0 ] || set -- build
exec env NO_MKDOCS_2_WARNING=1 $python -m mkdocs "$@"
