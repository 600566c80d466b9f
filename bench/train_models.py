"""Train the models that bench_peers.c scores, by the real libraries, into a folder (kept from run to run).

Goes out: xgboost.ubj (500 trees of depth 6), lightgbm.txt (500 trees of 31 leaves), rows.f32 (100,000 rows of 28
floats). Data are made up, with a signal in all 28 features, so that trees grow full.
"""
import pathlib
import sys

import lightgbm as lgb
import numpy as np
import xgboost as xgb

N_FEATURES = 28


def rows(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, N_FEATURES)).astype(np.float32)


def answers(x: np.ndarray) -> np.ndarray:
    pairs = (x[:, ::2] * x[:, 1::2]).sum(1) + np.abs(x[:, ::3]).sum(1) + np.sin(3 * x).sum(1)
    return (pairs > np.median(pairs)).astype(np.float32)


def main(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if all((folder / name).exists() for name in ("xgboost.ubj", "lightgbm.txt", "rows.f32")):
        return
    x = rows(60_000, 1)
    y = answers(x)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "max_bin": 256, "seed": 1,
                         "tree_method": "hist"}, xgb.DMatrix(x, y), 500)
    booster.save_model(folder / "xgboost.ubj")
    lgb.train({"objective": "binary", "num_leaves": 31, "learning_rate": 0.1, "max_bin": 255, "seed": 1,
               "verbosity": -1}, lgb.Dataset(x, y), 500).save_model(folder / "lightgbm.txt")
    rows(100_000, 2).tofile(folder / "rows.f32")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
