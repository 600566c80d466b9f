#!/bin/bash
# Pattern: 1 SQL, udf.AnomalyScore(…) in a query; parallel workers
# The PostgreSQL extension: built, installed beside Debian's server, and tested in a server of its own on a unix socket.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
. examples/postgres/server.sh
need_servers postgresql-15 postgresql-server-dev-15 python3 python3-venv ||
	cannot_run PostgreSQL "its packages could not be installed"
host_venv postgres examples/postgres/requirements.txt
library_build -Dpostgres=enabled
as_root meson install -C "$hosts_build" --no-rebuild --tags postgres >/dev/null
host PostgreSQL "$("$pg_bin/postgres" --version | cut -d' ' -f3)"
trap stop_server EXIT
start_server tests/hosts/golden
"$python" examples/postgres/test_postgres.py -v

found=$("$pg_bin/psql" -q -f examples/postgres/score_readings.sql | sed 's/ *$//')
diff <(echo "$found") <(sed -n '/^```text$/,/^```$/p' examples/postgres/README.md | sed '1d;$d')
