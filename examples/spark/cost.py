"""What a million rows cost: with_scores in Spark on one thread and on two, beside the library's bare call over the same rows.

    python cost.py MODEL ROWS [PRICE]     a model of numeric features and one output; ROWS in millions; PRICE of a core's hour

Processor time is that of the driver, Java and Python's workers together, from /proc: other work on the machine counts little.
Each is the least of three. Spark reads the rows from Parquet files and gives its answer to no one ("noop"); the same without
scores is printed beside it. Relies on: Linux; PySpark and its Java; `scoreline` on PYTHONPATH, for the workers too.
"""
import math
import os
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


def processor_seconds():
    """What this process and all below it, ended ones too, have used."""
    used, parents = {}, {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile: its parent has its time
            continue
        parents[int(entry.name)], used[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    total, below = 0, [os.getpid()]
    while below:
        mine = below.pop()
        total += used[mine]
        below += [child for child, parent in parents.items() if parent == mine]
    return total / os.sysconf("SC_CLK_TCK")


def least_seconds(call):
    """(wall, processor) seconds of a call."""
    times = []
    for _ in range(3):
        began, used = time.perf_counter(), processor_seconds()
        call()
        times.append((time.perf_counter() - began, processor_seconds() - used))
    return tuple(map(min, zip(*times)))


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
             .config("spark.ui.showConsoleProgress", "false")
             .config("spark.driver.bindAddress", "127.0.0.1").getOrCreate())
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.parquet(str(folder))
    times = [least_seconds(lambda f=f: f.write.format("noop").mode("overwrite").save())
             for f in (frame, scoreline.spark.with_scores(frame, model))]
    spark.stop()
    return times


def main(path, n_millions, price=0.04):
    model = scoreline.load(path)
    n = int(float(n_millions) * 1e6)
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        rows = write_rows(folder, model, n)
        _, bare = least_seconds(lambda: [model.predict(rows[i:i + 10_000]) for i in range(0, n, 10_000)])
        print(f"seconds per million rows: {model.info.n_trees} trees, {len(model.features)} features, {n} rows")
        print(f"                          processor    wall     processor without scores\nscore_batch, one thread    {bare / n * 1e6:8.3f}")
        for threads in (1, 2):
            read, scored = ([s / n * 1e6 for s in seconds] for seconds in spark_seconds(f"local[{threads}]", folder, model))
            print(f"Spark local[{threads}]             {scored[1]:8.3f}  {scored[0]:8.3f}     {read[1]:8.3f}", flush=True)
            cost = scored[1] if threads == 1 else cost
    print(f"\nfrom local[1]: a billion rows, at {price} for a core's hour, busy {BUSY:.0%} of the time: {cost / 3.6 / BUSY * float(price):.3g}")
    print(f"events/s   cores, busy {BUSY:.0%} of the time")
    for rate in RATES:
        print(f"{rate:>10,} {math.ceil(rate * cost / 1e6 / BUSY):>6}")


if __name__ == "__main__":
    main(*sys.argv[1:])
