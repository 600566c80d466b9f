"""Contributions beside XGBoost's own pred_contribs, one thread each.

    SCORELINE_LIBRARY=build/lib/libscoreline.so PYTHONPATH=python python3 bench/contributions.py [ROUNDS]

Comes in: nothing; models of 500 trees of depth 6 are trained on made-up rows. The two take turns; the best round of each
counts. Goes out: per number of features and instruction set the time per row, the ratio (above 1: Scoreline is faster), the
largest difference by the size of a row's contributions, and the scratch that a call needs, whatever the number of rows.
"""

import ctypes
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402: the number of threads is read at import
import xgboost  # noqa: E402

import scoreline  # noqa: E402
from scoreline._library import lib  # noqa: E402

N_ROWS, FEATURES, ISAS = 512, (28, 64), ("portable", "sse42", "avx2", "avx512")


def seconds(call) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def train(n_features: int):
    random = np.random.default_rng(n_features)
    x = random.normal(size=(20_000, n_features)).astype(np.float32)
    y = np.sin(x @ random.normal(size=n_features)) + random.normal(size=len(x)) > 0
    parameters = {"objective": "binary:logistic", "max_depth": 6, "eta": 0.05, "nthread": 1}
    return xgboost.train(parameters, xgboost.DMatrix(x, y, nthread=1), 500), x[:N_ROWS]


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    for n_features in FEATURES:
        booster, x = train(n_features)
        matrix = xgboost.DMatrix(x, nthread=1)
        data = scoreline.convert(bytes(booster.save_raw())).to_bytes()
        models = {isa: scoreline.load(data, isa=isa) for isa in ISAS if lib.score_isa_available(ISA_NUMBERS[isa])}
        expected = booster.predict(matrix, pred_contribs=True).astype(np.float64)
        calls = {isa: lambda model=model: model.contributions(x) for isa, model in models.items()}
        calls["xgboost"] = lambda: booster.predict(matrix, pred_contribs=True)
        best = {name: min(samples) for name, samples in zip(
            calls, zip(*[[seconds(call) for call in calls.values()] for _ in range(rounds)]))}
        print(f"{n_features} features: XGBoost {xgboost.__version__} {best['xgboost'] / N_ROWS * 1e6:.0f} us per row")
        for isa, model in models.items():
            off = np.abs(model.contributions(x) - expected).max(axis=1) / np.abs(expected).sum(axis=1)
            scratch = lib.score_contribution_scratch_bytes(ctypes.c_void_p(model._handle))
            print(f"  {isa:<9}{best[isa] / N_ROWS * 1e6:8.1f} us per row  ratio {best['xgboost'] / best[isa]:6.1f}"
                  f"  differs by {off.max():.1e}  scratch {scratch:,} bytes")


ISA_NUMBERS = {"portable": 1, "avx2": 2, "avx512": 3, "sse42": 4}

if __name__ == "__main__":
    main()
