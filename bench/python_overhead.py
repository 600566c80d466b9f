"""What one row costs through Python, beside the same call in C.

    SCORELINE_LIBRARY=build/lib/libscoreline.so PYTHONPATH=python python3 bench/python_overhead.py [MODEL]

MODEL is a `.slm` file or any file that convert() takes; without one, 4 trees on 30 features are made up: few, so that
the noise of scoring does not drown what is measured. The C cost is measured in C: a compiled loop calls score_batch()
with one row through a function pointer and holds no Python at all. predict() is timed in a Python loop over other rows
each time, from which the loop over an empty function is subtracted. All kinds take turns, run by run. Times are CPU
times of the thread; "above C" compares the lower quartiles of the runs, because what other programs do to the caches
only ever adds. Exit code 1 if a kind of predict() costs more than 3 µs above C.
"""

import ctypes
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import scoreline
from scoreline import _library, _worker

RUNS, CALLS = 101, 1000
LIMIT_US = 3.0

C_LOOP = """
#include <scoreline.h>
#include <time.h>
typedef score_status batch(const score_model *, const score_input *, double *, size_t, const score_options *,
	score_error *);
double time_rows(batch *score, const score_model *m, const score_input *rows, int n_rows, double *out, size_t n_out,
	const score_options *options, int n_calls)
{
	struct timespec a, b;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
	for (int i = 0; i < n_calls; i++)
		if (score(m, &rows[i % n_rows], out, n_out, options, 0))
			return -1;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
	return ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / n_calls;
}
"""


def made_up_model(n_trees=4, depth=6, n_features=30):
    rng = np.random.default_rng(0)
    builder = scoreline.Builder(n_features, compare="f32", sum="f32", trees_per_iteration=1)
    n_splits = 2**depth - 1
    n = 2 * n_splits + 1
    node = np.arange(n)
    left = np.where(node < n_splits, 2 * node + 1, -1)
    for _ in range(n_trees):
        value = rng.normal(size=n).astype(np.float32)
        builder.add_tree(left, left + 1, rng.integers(0, n_features, n), value, test="lt")
    return builder.finish()


def opened_model(path):
    try:
        return scoreline.load(path)
    except scoreline.ScorelineError:
        return scoreline.convert(path)


def compiled_loop(folder):
    include = pathlib.Path(__file__).resolve().parents[1] / "include"
    source, library = folder / "loop.c", folder / "loop.so"
    source.write_text(C_LOOP)
    subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-I", str(include), "-o", str(library), str(source)], check=True)
    loop = ctypes.CDLL(str(library)).time_rows
    loop.restype = ctypes.c_double
    return loop


def c_timer(model, rows, folder):
    """A function that gives ns per score_batch() call in C."""
    worker = _worker.Worker(model)
    options = worker.options(0)
    inputs = (_library.Input * len(rows))()
    for struct, row in zip(inputs, rows):
        struct.struct_size, struct.layout, struct.dtype = (ctypes.sizeof(struct), _library.LAYOUT_ROWS, _library.F64)
        struct.n_rows, struct.n_columns = 1, len(row)
        struct.u.rows.data = row.ctypes.data
        struct.u.rows.row_stride_bytes, struct.u.rows.column_stride_bytes = row.nbytes, row.itemsize
    out = np.empty(model.info.n_predictions)
    score = ctypes.cast(_library.lib.score_batch, ctypes.c_void_p)
    loop = compiled_loop(folder)

    def timer():
        ns = loop(
            score,
            ctypes.c_void_p(model._handle),
            inputs,
            len(rows),
            ctypes.c_void_p(out.ctypes.data),
            ctypes.c_size_t(out.size),
            ctypes.byref(options),
            CALLS,
        )
        assert ns > 0, worker
        return ns

    return timer


def python_timer(function, rows):
    """A function that gives ns per function(row), without the loop itself."""
    n_rounds = CALLS // len(rows)

    def once(call):
        began = time.thread_time_ns()
        for _ in range(n_rounds):
            for row in rows:
                call(row)
        return (time.thread_time_ns() - began) / (n_rounds * len(rows))

    return lambda: once(function) - once(lambda row: row)


def timers_of(model, folder):
    rows = np.random.default_rng(1).normal(size=(100, len(model.features)))
    rows_2d = [row[np.newaxis] for row in rows]
    prepared = _worker.Worker(model)["prediction"][1]
    return {
        "score_batch() in a C loop": c_timer(model, rows, folder),
        "prepared score_batch() through ctypes": python_timer(
            lambda row: _library.score_batch_prepared(*prepared), rows_2d
        ),
        "predict(float64 [1, n])": python_timer(model.predict, rows_2d),
        "predict(float32 [1, n])": python_timer(model.predict, [row.astype(np.float32) for row in rows_2d]),
        "predict(float64 [n])": python_timer(model.predict, list(rows)),
        "predict(float64 [1, n], 'margin')": python_timer(lambda row: model.predict(row, "margin"), rows_2d),
    }


def main():
    model = opened_model(sys.argv[1]) if len(sys.argv) > 1 else made_up_model()
    print(model)
    with tempfile.TemporaryDirectory() as folder:
        timers = timers_of(model, pathlib.Path(folder))
        runs = [{name: timer() for name, timer in timers.items()} for _ in range(RUNS)]
    quartiles = {name: statistics.quantiles([run[name] for run in runs], n=4) for name in timers}
    in_c = next(iter(quartiles.values()))[0]
    print(f"{'':40}{'quartile':>10}{'median':>10}{'above C':>10}  ns")
    for name, (quartile, median, _) in quartiles.items():
        print(f"{name:40}{quartile:10.0f}{median:10.0f}{quartile - in_c:10.0f}")
    worst = max(quartile - in_c for quartile, _, _ in quartiles.values()) / 1000
    print(f"one row through Python costs at most {worst:.2f} µs above the C call (limit {LIMIT_US:.0f} µs)")
    return 0 if worst <= LIMIT_US else 1


if __name__ == "__main__":
    sys.exit(main())
