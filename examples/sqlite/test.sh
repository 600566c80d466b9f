#!/bin/bash
# Pattern: 1 SQL, udf_AnomalyScore(…) in a query
# The SQLite extension, built and tested. Relies on: Debian's Python, whose sqlite3 loads extensions, and its SQLite.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
need_packages libsqlite3-dev sqlite3 python3 || cannot_run SQLite "its packages could not be installed"
library_build -Dsqlite=enabled
export SCORELINE_SQLITE=$hosts_build/plugins/sqlite/scoreline
host SQLite "$(sqlite3 --version | cut -d' ' -f1)"
/usr/bin/python3 examples/sqlite/test_sqlite.py -v

# The shell, as the README shows it.
found=$(bash examples/sqlite/score_readings.sh)
diff <(echo "$found") <(sed -n '/^```text$/,/^```$/p' examples/sqlite/README.md | sed '1d;$d')
