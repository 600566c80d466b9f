#!/bin/bash
# DuckDB's two C headers, from the source package of a pinned release on PyPI, into the directory given. They are nobody's to
# commit but DuckDB's. Relies on: pip, which also fetches what the package wants for building, and tar.
set -euo pipefail
to=$1 release=duckdb==2.0.0
[ -f "$to/duckdb_extension.h" ] && [ "$(cat "$to/release" 2>/dev/null)" = $release ] && exit 0
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
"${PYTHON:-python3}" -m pip download -q --no-deps --no-binary duckdb -d "$fetched" $release </dev/null
mkdir -p "$to"
tar -xzf "$fetched"/duckdb-*.tar.gz -C "$fetched" --wildcards '*/src/include/duckdb.h' '*/src/include/duckdb_extension.h'
find "$fetched" -name 'duckdb*.h' -exec cp {} "$to" \;
echo $release >"$to/release"
