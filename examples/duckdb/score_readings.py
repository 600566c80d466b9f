"""Readings of sensors scored inside DuckDB. Comes in: SCORELINE_DUCKDB, the extension; the working directory is the repository's."""
import os

import duckdb

EXTENSION = os.environ.get("SCORELINE_DUCKDB", "build/hosts/lib/plugins/duckdb/scoreline.duckdb_extension")

db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
db.execute(f"LOAD '{EXTENSION}'")
db.execute("""
    CREATE SCHEMA udf;
    CREATE MACRO udf.AnomalyScore(t, h, p) AS scoreline('tests/hosts/golden/iot.slm', t, h, p);
    CREATE TABLE readings AS SELECT * FROM (VALUES
        ('oven', 98.5, 35.25, 1012.5), ('cellar', 44.0, 41.5, 1013.25), ('roof', NULL, 80.0, 1013.0))
        AS t(device_id, temperature, humidity, pressure);
""")
for device, score in db.execute("""
        SELECT device_id, udf.AnomalyScore(temperature, humidity, pressure) FROM readings""").fetchall():
    print(f"{device:8} {score:.6f}")
