"""Write small models as one installed version of XGBoost or LightGBM writes them, with that version's own answers.

    for v in xgboost==1.0.2 xgboost==1.2.1 xgboost==1.3.3 xgboost==1.5.2 xgboost==1.7.6 \\
             xgboost-cpu==2.1.4 xgboost-cpu==3.0.5 xgboost==3.1.2 \\
             lightgbm==2.3.1 lightgbm==3.3.5:
        python -m venv old && old/bin/pip install $v 'numpy<2' scipy && old/bin/python make_files.py

Goes out, in this folder, per model: LIBRARY-VERSION-NAME.json (.ubj, .txt) and the same name with .npz: rows, margins,
predictions.
"""
import importlib.util
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).parent
XGBOOST = {
    "squarederror": {"objective": "reg:squarederror", "base_score": 0.3},
    "logistic": {"objective": "binary:logistic", "base_score": 0.25},
    "softprob": {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2},
    "poisson": {"objective": "count:poisson"},
    "dart": {"objective": "reg:squarederror", "booster": "dart", "rate_drop": 0.5},
    "gblinear": {"objective": "binary:logistic", "booster": "gblinear"},
}
LIGHTGBM = {
    "regression": {"objective": "regression"},
    "logistic": {"objective": "binary", "sigmoid": 0.7, "zero_as_missing": True},
    "softprob": {"objective": "multiclass", "num_class": 3},
    "poisson": {"objective": "poisson", "use_missing": False},
    "forest": {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
    "categories": {"objective": "regression", "categorical_feature": [3], "min_data_per_group": 1, "cat_smooth": 1},
}


def data(name):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((400, 4)).astype(np.float32)
    x[:, 3] = rng.integers(0, 40, 400)
    x[rng.random(x.shape) < 0.1] = np.nan
    signal = np.nan_to_num(x[:, 0]) - 2 * np.nan_to_num(x[:, 1]) + (x[:, 2] > 0) + np.nan_to_num(x[:, 3]) % 3
    answers = {"logistic": signal > 1, "gblinear": signal > 1, "softprob": np.digitize(signal, [0, 2]),
               "poisson": np.round(np.abs(signal))}
    rows = x[:60].copy()
    rows[::7, 1] = 0
    return x, answers.get(name, signal), rows


def write_xgboost() -> None:
    import xgboost as xgb
    newer = tuple(map(int, xgb.__version__.split(".")[:2])) >= (1, 6)
    for name, params in XGBOOST.items():
        x, y, rows = data(name)
        params = {"max_depth": 3, "nthread": 1, "seed": 1, "verbosity": 0, **params}
        booster = xgb.train(params, xgb.DMatrix(x, y), 4)
        base = HERE / f"xgboost-{xgb.__version__}-{name}"
        booster.save_model(f"{base}.{'ubj' if newer and name in ('logistic', 'softprob') else 'json'}")
        matrix = xgb.DMatrix(rows)
        np.savez_compressed(f"{base}.npz", rows=rows, predictions=booster.predict(matrix),
                            margins=booster.predict(matrix, output_margin=True))


def write_lightgbm() -> None:
    import lightgbm as lgb
    for name, params in LIGHTGBM.items():
        x, y, rows = data(name)
        params = {"num_leaves": 7, "min_data_in_leaf": 2, "num_threads": 1, "verbosity": -1, **params}
        booster = lgb.train(params, lgb.Dataset(x, y, params=params), 4)
        base = HERE / f"lightgbm-{lgb.__version__}-{name}"
        booster.save_model(f"{base}.txt")
        np.savez_compressed(f"{base}.npz", rows=rows, predictions=booster.predict(rows),
                            margins=booster.predict(rows, raw_score=True))


if __name__ == "__main__":
    if importlib.util.find_spec("xgboost"):
        write_xgboost()
    if importlib.util.find_spec("lightgbm"):
        write_lightgbm()
