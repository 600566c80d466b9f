"""Rows per second through DuckDB on one thread, beside score_batch() alone on the same model (100 trees of depth 6).

Comes in: the program made of bare_batch.c. Goes out: both figures, of processor time. At least a million rows a second is what is
promised.
"""
import os
import subprocess
import sys
import time

import duckdb
import golden_set

ROWS = 2048 * 1000


def best_of(db, query: str, times: int = 5) -> float:
    seconds = []
    for _ in range(times):
        began = time.process_time()
        db.execute(query).fetchall()
        seconds.append(time.process_time() - began)
    return min(seconds) / ROWS * 1e9


def main() -> None:
    model = golden_set.load("iot").path
    bare = float(subprocess.run([sys.argv[1], str(model)], check=True, capture_output=True, text=True).stdout)
    db = duckdb.connect(config={"allow_unsigned_extensions": "true", "threads": 1})
    db.execute(f"LOAD '{os.environ['SCORELINE_DUCKDB']}'")
    db.execute(f"CREATE TABLE t AS SELECT 20 + random() * 60 AS temperature, random() * 90 AS humidity, "
               f"980 + random() * 60 AS pressure FROM range({ROWS})")
    score = best_of(db, f"SELECT sum(scoreline('{model}', temperature, humidity, pressure)) FROM t")
    around = best_of(db, "SELECT sum(temperature + humidity + pressure) FROM t")
    print(f"one thread: {1e3 / score:.1f} million rows/s through DuckDB; ns per row: {score:.0f} for the query, "
          f"{around:.0f} for one that only adds, {bare:.0f} for score_batch() alone on the same vectors")


if __name__ == "__main__":
    main()
