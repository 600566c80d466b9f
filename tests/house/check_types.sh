#!/bin/bash
# The Python package has no type errors: mypy over it, with the stubs of the pinned NumPy. What it must not overlook stands in
# pyproject.toml. Comes in: the build directory, whose venv has both.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine.sh
build=${1:-build}
python=$build/venv/bin/python
"$python" -c 'import mypy' 2>/dev/null || { not_run "type check" "needs mypy in $build/venv"; exit; }
"$python" -m mypy --cache-dir "$build/mypy" python/scoreline
