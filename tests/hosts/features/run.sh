#!/bin/bash
# The feature sources of examples/feature_sources against the real stores: LMDB in a folder of its own, Redis on a unix socket
# of its own, both gone afterwards. Comes in: the build directory (build). What is not installed is named, and fails with CI=true.
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=$(realpath "${1:-build}")
work=$(mktemp -d)
server=
stop() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap stop EXIT

missing=()
[ -f /usr/include/lmdb.h ] || missing+=(liblmdb-dev)
[ -f /usr/include/hiredis/hiredis.h ] || missing+=(libhiredis-dev)
command -v redis-server >/dev/null || missing+=(redis-server)
if [ ${#missing[@]} -gt 0 ]; then
	echo "not run, Debian packages are missing: ${missing[*]}"
	[ "${CI:-}" != true ] || exit 1
	exit 0
fi

sources=examples/feature_sources
cc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -Iinclude -I$sources/lmdb -I$sources/redis tests/hosts/features/check_sources.c \
	$sources/lmdb/lmdb_source.c $sources/redis/redis_source.c -L"$build/lib" -lscoreline -llmdb -lhiredis -lm \
	-Wl,-rpath,"$build/lib" -o "$work/check_sources"

mkdir "$work/lmdb"
echo -n "LMDB   "
timeout 60 "$work/check_sources" lmdb "$work/lmdb"

redis-server --port 0 --unixsocket "$work/redis.sock" --save "" --appendonly no --dir "$work" --logfile "$work/redis.log" \
	--daemonize no &
server=$!
for _ in $(seq 100); do
	[ -S "$work/redis.sock" ] && break
	sleep 0.1
done
echo -n "Redis  "
timeout 60 "$work/check_sources" redis "$work/redis.sock"
