#!/bin/bash
# The monitoring query, verbatim, over logs of calls, in DuckDB, in a PostgreSQL 15 of its own, and over a Delta table. Asks nothing.
#
# Pattern: monitoring of captured calls (ml.inference_logs.fraud_detection)
#
# Comes in: a build in build/ (or SCORELINE_BUILD). Goes out: "host: NAME VERSION" for each, then pytest's summary; 77 if they
# cannot be had here. What is left below build/ is the virtual environment. PostgreSQL listens on a socket in a directory
# of its own only, and is stopped at the end.
set -euo pipefail
cd "$(dirname "$0")/../../.."
. tests/machine.sh

build=${SCORELINE_BUILD:-build}
venv=build/venv-monitoring
here=tests/hosts/monitoring

# not_run() fails where everything must run.
unavailable() {
	not_run "monitoring" "$1" || exit 1
	exit 77
}

need_servers postgresql-15 || unavailable "postgresql-15 could not be installed"
if ! cmp -s $here/requirements.txt $venv/requirements.installed; then
	mkdir -p build
	[ -x $venv/bin/pip ] || python3 -m venv $venv
	$venv/bin/pip install -q -r $here/requirements.txt </dev/null || unavailable "its Python packages could not be installed"
	cp $here/requirements.txt $venv/requirements.installed
fi
build_in "$build" >/dev/null
SCORELINE_BUILD=$PWD/${build#"$PWD/"} SCORELINE_LIBRARY=$PWD/${build#"$PWD/"}/lib/libscoreline.so PYTHONPATH=$PWD/python:$PWD/tests/hosts \
	$venv/bin/python -m pytest -q -s -p no:cacheprovider $here "$@"
