#!/bin/bash
# Pattern: 1 SQL, udf.AnomalyScore(…) in a query; vectors, threads
# The DuckDB extension, built once and tested in the newest release and in the oldest that it promises to load in.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
need_packages libsqlite3-dev python3 python3-venv || cannot_run DuckDB "its packages could not be installed"
host_venv duckdb-oldest examples/duckdb/requirements-oldest.txt
oldest=$python
host_venv duckdb examples/duckdb/requirements.txt
headers=$PWD/build/hosts/duckdb-headers
PYTHON=$python bash examples/duckdb/get_headers.sh "$headers" || cannot_run DuckDB "the headers of its release could not be fetched"
library_build -Dduckdb="$headers"
for each in "$oldest" "$python"; do
	# Old wheels call their platform linux_amd64_gcc4; the library is the same, the footer must say their name.
	platform=$("$each" -c 'import duckdb; print(duckdb.connect().execute("PRAGMA platform").fetchall()[0][0])')
	export SCORELINE_DUCKDB=$PWD/build/hosts/$platform/scoreline.duckdb_extension
	mkdir -p "build/hosts/$platform"
	python3 plugins/duckdb/add_footer.py "$hosts_build/plugins/duckdb/scoreline_duckdb.so" v0.1.0 "$platform" "$SCORELINE_DUCKDB"
	host DuckDB "$("$each" -c 'import duckdb; print(duckdb.__version__)')"
	"$each" examples/duckdb/test_duckdb.py -v
done
cmp "$SCORELINE_DUCKDB" "$hosts_build/plugins/duckdb/scoreline.duckdb_extension"
gcc -O2 -Iinclude examples/duckdb/bare_batch.c -o build/hosts/bare_batch -L"$hosts_build/lib" -lscoreline -Wl,-rpath,"$hosts_build/lib"
"$python" examples/duckdb/measure_duckdb.py "$PWD/build/hosts/bare_batch"

found=$("$python" examples/duckdb/score_readings.py)
diff <(echo "$found") <(sed -n '/^```text$/,/^```$/p' examples/duckdb/README.md | sed '1d;$d')
