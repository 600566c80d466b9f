"""Categories and their combinations beside CatBoost's own evaluator, one thread each.

    SCORELINE_LIBRARY=build/lib/libscoreline.so PYTHONPATH=python python3 bench/categories.py [ROUNDS]

Comes in: nothing; a model of 300 trees of depth 6 is trained on made-up rows of nine text columns and a number. CatBoost scores a Pool,
whose making hashes the texts; Scoreline scores the texts themselves, plain and as an Arrow dictionary. All take turns; the best round of
each counts. Goes out: per number of rows the processor time per row of each, and whether the margins are the same.
"""

import os
import sys
import tempfile
import time

os.environ["OMP_NUM_THREADS"] = "1"

import catboost  # noqa: E402: the number of threads is read at import
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402

import scoreline  # noqa: E402

N_CATEGORIES, BATCHES = (7000, 4000, 180, 450, 300, 2000, 120, 700, 340), (1_000, 20_000)
COLUMNS = [f"c{i}" for i in range(len(N_CATEGORIES))]


def rows() -> tuple[pd.DataFrame, np.ndarray]:
    random, n = np.random.default_rng(0), max(BATCHES)
    codes = [random.zipf(1.3, n) % most for most in N_CATEGORIES]
    score = sum(np.sin(0.7 * c + i) for i, c in enumerate(codes)) + np.sin(codes[0] * codes[2] % 17) + random.normal(0, 1, n)
    table = pd.DataFrame({name: [f"cat_{name}_{code}" for code in column] for name, column in zip(COLUMNS, codes)})
    table["x"] = random.normal(size=n)
    return table, (score > 0).astype(int)


def convert(model: catboost.CatBoost) -> scoreline.Model:
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        model.save_model(file.name, format="json")
        return scoreline.convert(file.name)


def nanoseconds(call) -> int:
    begin = time.process_time_ns()
    call()
    return time.process_time_ns() - begin


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    table, y = rows()
    theirs = catboost.CatBoostClassifier(iterations=300, depth=6, verbose=False, allow_writing_files=False, random_seed=1,
                                         cat_features=COLUMNS).fit(table, y)
    ours = convert(theirs)
    for n in BATCHES:
        some = table.head(n)
        pool, text = catboost.Pool(some, cat_features=COLUMNS), pa.RecordBatch.from_pandas(some)
        encoded = pa.RecordBatch.from_pandas(some.astype({name: "category" for name in COLUMNS}))
        calls = {
            "CatBoost, from a Pool": lambda: theirs.predict(pool, prediction_type="RawFormulaVal", thread_count=1),
            "CatBoost, making the Pool": lambda: catboost.Pool(some, cat_features=COLUMNS, thread_count=1),
            "Scoreline, from texts": lambda: ours.predict(text, "margin"),
            "Scoreline, from a dictionary": lambda: ours.predict(encoded, "margin"),
        }
        best = {name: min(samples) for name, samples in zip(
            calls, zip(*[[nanoseconds(call) for call in calls.values()] for _ in range(rounds)]))}
        expected = calls["CatBoost, from a Pool"]()
        differing = sum(int((call().view(np.uint64) != expected.view(np.uint64)).sum())
                        for name, call in calls.items() if name.startswith("Scoreline"))
        print(f"{n:,} rows per call, CatBoost {catboost.__version__}: {differing} margins differ")
        for name, ns in best.items():
            print(f"  {name:<30}{ns / n:8.0f} ns per row")


if __name__ == "__main__":
    main()
