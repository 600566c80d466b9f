#!/bin/bash
# Pattern: feature store: lookups in LMDB and Redis behind a feature plan, in Feast behind FeatureLookup and score_batch
# Seconds: 3600
# The feature sources of this directory against the real stores: LMDB in a folder of its own, Redis on a unix socket of its
# own, both gone afterwards; Feast with its SQLite online store, installed below build/hosts/.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
build=$hosts_build
work=$(mktemp -d)
server=
stop() {
	[ -z "$server" ] || { kill "$server" && wait "$server"; } 2>/dev/null || true
	rm -rf "$work"
}
trap stop EXIT

need_servers liblmdb-dev libhiredis-dev redis-server locales ||
	cannot_run "feature sources" "LMDB, Redis or locales could not be installed"
library_build >/dev/null
host LMDB "$(dpkg-query -W -f='${Version}' liblmdb-dev | cut -d- -f1)"
host Redis "$(redis-server --version | sed 's/.* v=\([0-9.]*\).*/\1/')"

sources=examples/feature_sources
cc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -Iinclude -I$sources/lmdb -I$sources/redis $sources/check_sources.c \
	$sources/lmdb/lmdb_source.c $sources/redis/redis_source.c -L"$build/lib" -lscoreline -llmdb -lhiredis -lm \
	-Wl,-rpath,"$build/lib" -o "$work/check_sources"

mkdir "$work/lmdb"
echo -n "LMDB   "
timeout 300 "$work/check_sources" lmdb "$work/lmdb"

redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --appendonly no --dir "$work" --logfile "$work/redis.log" \
	--daemonize no &
server=$!
# The socket is there a moment before it takes connections.
timeout 300 bash -c "until redis-cli -s '$work/redis.sock' ping 2>&1 | grep -q PONG; do sleep 0.1; done"
echo -n "Redis  "
# Also of a host whose numbers have a decimal comma.
localedef -i de_DE -f UTF-8 "$work/de_DE.UTF-8" >"$work/localedef.log" 2>&1 || [ -d "$work/de_DE.UTF-8" ]
LOCPATH=$work timeout 300 "$work/check_sources" redis "$work/redis.sock" de_DE.UTF-8

host_venv feast $sources/feast/requirements.txt
host Feast "$("$python" -c 'from importlib.metadata import version; print(version("feast"))') (SQLite $("$python" -c 'import sqlite3; print(sqlite3.sqlite_version)'))"
export PYTHONPATH=$PYTHONPATH:$PWD/$sources/feast
"$python" -m pytest -q -p no:cacheprovider "$@" $sources/feast
