# A PostgreSQL server of one's own, on a unix socket, in a directory of its own below build/. Source it after tests/hosts/hosts.sh.
# The server does not run as root: root starts it as the user postgres, anybody else as himself.

pg_bin=/usr/lib/postgresql/15/bin
export PGHOST PGPORT=54329 PGUSER=postgres PGDATABASE=postgres

as_postgres() {
	if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# start_server MODELS: a new cluster whose scoreline.model_directory has copies of MODELS/*.slm.
start_server() {
	local base=$PWD/build/hosts/postgres
	mkdir -p "$base"
	as_postgres test -x "$base" || base=/tmp # a checkout that only its owner may enter
	pg_home=$(mktemp -d "$base/server-XXXXXX")
	PGHOST=$(mktemp -d /tmp/scoreline-pg-XXXXXX) # the path of a socket is at most 107 bytes long
	mkdir "$pg_home/models"
	cp "$1"/*.slm "$pg_home/models/"
	[ "$(id -u)" != 0 ] || chown -R postgres "$pg_home" "$PGHOST"
	as_postgres "$pg_bin/initdb" -D "$pg_home/data" -A trust -U postgres --no-sync -E UTF8 --locale=C.UTF-8 >"$pg_home/initdb.log"
	as_postgres "$pg_bin/pg_ctl" -D "$pg_home/data" -w -t 300 -l "$pg_home/data/server.log" -o "-c listen_addresses='' -k $PGHOST \
		-p $PGPORT -c fsync=off -c scoreline.model_directory=$pg_home/models" start >/dev/null
}

stop_server() {
	as_postgres "$pg_bin/pg_ctl" -D "$pg_home/data" -m immediate -w -t 120 stop >/dev/null || true
	as_root rm -rf "$pg_home" "$PGHOST"
}
