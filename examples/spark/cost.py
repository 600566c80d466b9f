"""What a million rows cost: with_scores in Spark on one thread and on two, beside the library's bare call over the same rows.

    python cost.py MODEL ROWS     a model of numeric features and one output; ROWS in millions

Each time is the least of three. Spark reads the rows from Parquet files and gives its answer to no one ("noop"); the same without
scores is printed beside it. Relies on: PySpark and its Java; `scoreline` on PYTHONPATH, for the workers too.
"""
import math
import pathlib
import sys
import tempfile
import time

import numpy as np
import pyarrow
import pyarrow.parquet
from pyspark.sql import SparkSession

import scoreline
import scoreline.spark

FILES = 8
BUSY = 0.6  # share of a core's time that a steady load may take, so that a peak finds room
RATES = (10_000, 100_000, 1_000_000, 10_000_000)


def least_seconds(call):
    times = []
    for _ in range(3):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def write_rows(folder, model, n):
    """Rows about the model's own golden rows: each value is one of its column's there, moved a little."""
    golden, _ = model.golden()
    random = np.random.default_rng(1)
    rows = golden[random.integers(0, len(golden), (n, golden.shape[1])), np.arange(golden.shape[1])]
    rows *= random.uniform(0.9, 1.1, rows.shape)
    for part, values in enumerate(np.array_split(rows, FILES)):
        table = pyarrow.table(dict(zip(model.features, np.ascontiguousarray(values.T))))
        pyarrow.parquet.write_table(table, folder / f"{part}.parquet", compression="zstd")
    return rows


def spark_seconds(master, folder, model):
    """Seconds to read the files, and to read and score them."""
    spark = (SparkSession.builder.master(master).config("spark.ui.enabled", "false").config("spark.driver.memory", "2g")
             .config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.parquet(str(folder))
    times = [least_seconds(lambda f=f: f.write.format("noop").mode("overwrite").save())
             for f in (frame, scoreline.spark.with_scores(frame, model))]
    spark.stop()
    return times


def main(path, n_millions):
    model = scoreline.load(path)
    n = int(float(n_millions) * 1e6)
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        rows = write_rows(folder, model, n)
        bare = least_seconds(lambda: [model.predict(rows[i:i + 10_000]) for i in range(0, n, 10_000)]) / n * 1e6
        print(f"seconds per million rows: {model.info.n_trees} trees, {len(model.features)} features, {n} rows")
        print(f"score_batch, one thread     {bare:8.3f}")
        for threads in (1, 2):
            read, scored = (seconds / n * 1e6 for seconds in spark_seconds(f"local[{threads}]", folder, model))
            print(f"Spark local[{threads}]              {scored:8.3f}   ({read:.3f} without scores, {scored / bare:.1f} times the bare call)")
            if threads == 1:
                core = 1e6 / scored
        print(f"\nevents/s   cores at {core:.0f} events/s each, busy {BUSY:.0%} of the time")
        for rate in RATES:
            print(f"{rate:>10,} {math.ceil(rate / (core * BUSY)):>6}")


if __name__ == "__main__":
    main(*sys.argv[1:])
