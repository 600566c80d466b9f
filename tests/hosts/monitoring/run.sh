#!/bin/bash
# The monitoring query, verbatim, over logs of calls, in DuckDB and in a PostgreSQL 15 of its own. Asks nothing.
#
# Comes in: a build in build/ (or SCORELINE_BUILD). Goes out: the hosts' versions, then pytest's summary; what is left below
# build/ is the virtual environment. PostgreSQL listens on a socket in a directory of its own only, and is stopped at the end.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. tests/machine.sh

build=${SCORELINE_BUILD:-build}
venv=build/venv-monitoring
here=tests/hosts/monitoring

need_packages postgresql-15 || not_run "monitoring in PostgreSQL" "postgresql-15 could not be installed" || exit 1
if ! cmp -s $here/requirements.txt $venv/requirements.installed; then
	mkdir -p build
	[ -x $venv/bin/pip ] || python3 -m venv $venv
	$venv/bin/pip install -q -r $here/requirements.txt </dev/null || { not_run "monitoring" "its Python packages could not be installed"; exit; }
	cp $here/requirements.txt $venv/requirements.installed
fi
ninja -C "$build" >/dev/null
SCORELINE_BUILD=$PWD/${build#"$PWD/"} SCORELINE_LIBRARY=$PWD/${build#"$PWD/"}/lib/libscoreline.so PYTHONPATH=$PWD/python \
	$venv/bin/python -m pytest -q -s -p no:cacheprovider $here "$@"
