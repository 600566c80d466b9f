"""Contributions of models that XGBoost, LightGBM and CatBoost trained, against what these libraries answer themselves.

A row's contributions are compared within 1e-5 of their common size, the sum of their magnitudes: they are differences of
sums over all trees, XGBoost works in float, and every library divides path weights by each other in an order of its own.
Some rows of each model are compared with the definition too, computed from the model file by brute force. Every model
comes from its seed alone.
"""
import functools
import math

import catboost
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

import read_slm
import scoreline
from conftest import MODE

N_SEEDS = {"quick": 12, "default": 110, "long": 440}[MODE]
TOLERANCE = 1e-5


def seeded(source: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([sum(map(ord, source)), seed])


def draw(rng, n, n_features, categories: dict[int, int]) -> np.ndarray:
    """Rows with ties, zeros and missing values."""
    kinds = [lambda: rng.standard_normal(n), lambda: np.round(rng.standard_normal(n), 1), lambda: rng.exponential(1, n),
             lambda: np.where(rng.random(n) < 0.4, 0.0, rng.standard_normal(n))]
    x = np.column_stack([kinds[rng.integers(len(kinds))]() for _ in range(n_features)]).astype(np.float32)
    for feature, n_values in categories.items():
        x[:, feature] = rng.integers(0, n_values, n)
    x[rng.random(x.shape) < rng.choice([0.0, 0.05, 0.3])] = np.nan
    return x


def targets(rng, x, n_classes: int):
    filled = np.nan_to_num(x, nan=0.7)
    y = filled @ rng.standard_normal(x.shape[1]) + np.sin(3 * filled) @ rng.standard_normal(x.shape[1])
    rank = np.argsort(np.argsort(y))
    return rank * n_classes // len(y) if n_classes > 1 else y


def probes(rng, x, categories: dict[int, int], n=48, endless=False) -> np.ndarray:
    """Rows of the training data, some values replaced: missing, other rows', zeros, unseen categories, infinities."""
    rows = x[rng.integers(0, len(x), n)].copy()
    for feature in range(x.shape[1]):
        other = rng.random(n) < 0.3
        rows[other, feature] = x[rng.integers(0, len(x), int(other.sum())), feature]
        rows[rng.random(n) < 0.1, feature] = np.nan
        if feature in categories:
            rows[rng.random(n) < 0.1, feature] = categories[feature] + 3
        else:
            rows[rng.random(n) < 0.05, feature] = rng.choice([0.0, -0.0, 1e30, *([np.inf, -np.inf] if endless else [])])
    return rows


def answers(model: read_slm.Model, tree: read_slm.Tree, row, value: int, node: int) -> np.ndarray:
    """What a tree expects below a node, by which features are known: bit f of the index is feature f."""
    if node < 0:
        leaf = model.leaves[(tree.first_leaf + ~node) * model.counts["leaf_width"] + value]
        return np.full(1 << len(model.features), leaf)
    covers = [model.split_covers[tree.first_split + child] if child >= 0 else model.leaf_covers[tree.first_leaf + ~child]
              for child in (tree.left[node], tree.right[node])]
    left, right = (answers(model, tree, row, value, child) for child in (tree.left[node], tree.right[node]))
    test = model.tests[model.split_test[tree.first_split + node]]
    known = np.arange(len(left)) >> test.feature & 1
    share = covers[1] / sum(covers) if sum(covers) > 0 else 0.5
    return np.where(known, right if model.goes_right(test, row[test.feature]) else left, left * (1 - share) + right * share)


def definition(model: read_slm.Model, row) -> np.ndarray:
    """[n_outputs, n_features + 1]: Shapley values, each subset of the features weighed."""
    n, width, c = len(model.features), model.counts["leaf_width"], model.contract
    subsets = np.arange(1 << n)
    sizes = np.array([bin(subset).count("1") for subset in subsets])
    weights = np.array([math.factorial(k) * math.factorial(n - 1 - k) / math.factorial(n) for k in range(n)] + [0])[sizes]
    out = np.zeros((model.n_outputs, n + 1))
    for tree in model.trees:
        for value in range(width):
            found = answers(model, tree, row, value, 0 if tree.left else ~0)
            for f in range(n):
                without = subsets[subsets >> f & 1 == 0]
                out[tree.output + value, f] += weights[without] @ (found[without | 1 << f] - found[without])
            out[tree.output + value, n] += found[0]
    out *= c["scale"]
    if c["average"] == "margin":
        out /= len(model.trees) // c["trees_per_iteration"]
    out[:, n] += model.base
    return out


def compare_defined(model: scoreline.Model, rows) -> None:
    again = read_slm.Model(model.to_bytes())
    found = model.contributions(rows).reshape(len(rows), model.n_outputs, -1)
    for row, ours in zip(rows.astype(np.float64), found):
        expected = definition(again, row)
        assert np.abs(ours - expected).max() <= 1e-12 * max(1.0, np.abs(expected).sum())


def compare(model: scoreline.Model, rows, expected, margins, tree_range=None) -> None:
    """`expected` [n, n_outputs, n_features + 1] or without the middle; `margins` of the same trees."""
    found = model.contributions(rows, tree_range=tree_range)
    expected, margins = np.asarray(expected, np.float64).reshape(found.shape), np.asarray(margins, np.float64)
    # At least 0.1, for outputs that all but cancel: XGBoost adds the base score in float.
    size = np.maximum(np.abs(expected).sum(axis=-1, keepdims=True), 0.1)
    worst = np.abs(found - expected) / size
    assert worst.max() <= TOLERANCE, (worst.max(), np.unravel_index(worst.argmax(), worst.shape))
    assert np.allclose(found.sum(axis=-1), margins.reshape(found.shape[:-1]), rtol=1e-5, atol=1e-5 * size.max())
    assert np.abs(found[..., :-1]).max() > 0 or model.info.n_splits == 0


# ---- XGBoost -------------------------------------------------------------------------------------------------------

def train_xgboost(rng):
    n_features, categorical = int(rng.integers(2, 12)), rng.random() < 0.4
    categories = {f: int(rng.integers(2, 12)) for f in range(n_features) if rng.random() < 0.5} if categorical else {}
    x = draw(rng, int(rng.integers(60, 400)), n_features, categories)
    objective = rng.choice(["reg:squarederror", "binary:logistic", "multi:softprob", "reg:tweedie", "targets"])
    params = {"nthread": 1, "eta": float(rng.choice([0.1, 0.5])), "max_depth": int(rng.integers(1, 9)), "seed": 1,
              "min_child_weight": float(rng.choice([0, 1, 5])), "tree_method": str(rng.choice(["hist", "approx"])),
              "booster": str(rng.choice(["gbtree", "gbtree", "dart"])), "num_parallel_tree": int(rng.choice([1, 1, 3])),
              "subsample": float(rng.choice([0.6, 1])), "max_cat_to_onehot": int(rng.choice([1, 4])),
              "base_score": 0.4}
    if params["booster"] == "dart":
        params["rate_drop"] = 0.4
    if rng.random() < 0.3:
        params |= {"grow_policy": "lossguide", "max_leaves": int(rng.integers(2, 40)), "max_depth": 0,
                   "tree_method": "hist"}
    n_classes = {"binary:logistic": 2, "multi:softprob": 4}.get(objective, 1)
    y = targets(rng, x, n_classes)
    if objective == "multi:softprob":
        params["num_class"] = n_classes
    elif objective == "reg:tweedie":
        y = np.abs(y)
    elif objective == "targets":
        objective, y = "reg:squarederror", np.column_stack([y, x[:, 0] == 0])
    params["objective"] = str(objective)
    types = ["c" if f in categories else "float" for f in range(n_features)]
    matrix = functools.partial(xgb.DMatrix, feature_types=types, enable_categorical=True, nthread=1)
    weight = rng.integers(1, 5, len(x)) if rng.random() < 0.3 else None
    booster = xgb.train(params, matrix(x, y, weight=weight), int(rng.integers(1, 10)))
    return booster, x, categories, matrix


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_xgboost(seed):
    rng = seeded("xgboost", seed)
    booster, x, categories, matrix = train_xgboost(rng)
    rows = probes(rng, x, categories)
    model = scoreline.convert(bytes(booster.save_raw(str(rng.choice(["json", "ubj"])))))
    compare(model, rows, booster.predict(matrix(rows), pred_contribs=True), booster.predict(matrix(rows), output_margin=True))
    compare_defined(model, rows[:2])
    n_rounds, per_round = booster.num_boosted_rounds(), model.info.trees_per_iteration
    if n_rounds > 2:  # XGBoost's own contributions begin with the first iteration only
        range_ = (0, n_rounds - 1)
        expected = booster.predict(matrix(rows), pred_contribs=True, iteration_range=range_)
        margins = booster.predict(matrix(rows), output_margin=True, iteration_range=range_)
        compare(model, rows, expected, margins, (0, (n_rounds - 1) * per_round))


@pytest.mark.parametrize("n_classes", [1, 3])
def test_xgboost_linear(n_classes):
    rng = seeded("gblinear", n_classes)
    x = draw(rng, 200, 5, {})
    params = {"booster": "gblinear", "nthread": 1, "objective": "reg:squarederror", "base_score": 0.3}
    if n_classes > 1:
        params |= {"objective": "multi:softprob", "num_class": n_classes}
    booster = xgb.train(params, xgb.DMatrix(x, targets(rng, x, n_classes)), 4)
    rows = probes(rng, x, {})
    matrix = xgb.DMatrix(rows)
    compare(scoreline.convert(bytes(booster.save_raw())), rows, booster.predict(matrix, pred_contribs=True),
            booster.predict(matrix, output_margin=True))


def test_xgboost_leaf_vectors():
    """XGBoost itself has no contributions of such trees: ours sum to the margin, and equal those of one model per target."""
    rng = seeded("vectors", 0)
    x = draw(rng, 300, 5, {})
    y = np.column_stack([targets(rng, x, 1), np.nan_to_num(x[:, 0]) * 2])
    params = {"multi_strategy": "multi_output_tree", "nthread": 1, "base_score": 0.5, "max_depth": 4}
    booster = xgb.train(params, xgb.DMatrix(x, y), 5)
    model = scoreline.convert(bytes(booster.save_raw()))
    background, rows = x[:7], probes(rng, x, {})
    if not model.info.has_covers:
        with pytest.raises(scoreline.UnsupportedError, match="no covers"):
            model.contributions(rows)
    found = model.contributions(rows, background)
    assert found.shape == (len(rows), 2, 6)
    assert np.allclose(found.sum(axis=2), booster.predict(xgb.DMatrix(rows), output_margin=True), atol=1e-4)


# ---- LightGBM ------------------------------------------------------------------------------------------------------

def train_lightgbm(rng):
    n_features, categorical = int(rng.integers(2, 12)), rng.random() < 0.4
    categories = {f: int(rng.integers(2, 12)) for f in range(n_features) if rng.random() < 0.5} if categorical else {}
    x = draw(rng, int(rng.integers(80, 500)), n_features, categories)
    objective = str(rng.choice(["regression", "binary", "multiclass", "multiclassova", "poisson"]))
    params = {"objective": objective, "num_leaves": int(rng.choice([2, 4, 12, 40])), "num_threads": 1, "verbosity": -1,
              "min_data_in_leaf": int(rng.choice([1, 5])), "learning_rate": 0.2, "seed": 1, "deterministic": True,
              "min_data_per_group": 2, "cat_smooth": 1.0, "max_cat_to_onehot": int(rng.choice([1, 4])),
              "boosting": str(rng.choice(["gbdt", "gbdt", "dart", "rf"])), "zero_as_missing": bool(rng.random() < 0.3),
              "use_missing": bool(rng.random() < 0.8), "bagging_fraction": 0.7, "bagging_freq": int(rng.integers(0, 2))}
    if params["boosting"] == "rf":
        params["bagging_freq"] = 1
    n_classes = {"binary": 2, "multiclass": 3, "multiclassova": 3}.get(objective, 1)
    if objective.startswith("multi"):
        params["num_class"] = n_classes
    y = targets(rng, x, n_classes)
    data = lgb.Dataset(x, np.abs(y) if objective == "poisson" else y, categorical_feature=sorted(categories),
                       weight=rng.integers(1, 5, len(x)) if rng.random() < 0.3 else None, params=params)
    return lgb.train(params, data, int(rng.integers(1, 10))), x, categories


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_lightgbm(seed):
    rng = seeded("lightgbm", seed)
    booster, x, categories = train_lightgbm(rng)
    rows = probes(rng, x, categories, endless=True)
    model = scoreline.convert(booster.model_to_string().encode())
    compare(model, rows, booster.predict(rows, pred_contrib=True), booster.predict(rows, raw_score=True))
    compare_defined(model, rows[:2])
    n_rounds, per_round = booster.current_iteration(), model.info.trees_per_iteration
    if n_rounds > 2:
        range_ = {"start_iteration": 1, "num_iteration": n_rounds - 2}
        expected = booster.predict(rows, pred_contrib=True, **range_)
        compare(model, rows, expected, booster.predict(rows, raw_score=True, **range_),
                (per_round, (n_rounds - 1) * per_round))


# ---- CatBoost ------------------------------------------------------------------------------------------------------

def train_catboost(rng):
    n_features = int(rng.integers(2, 12))
    x = draw(rng, int(rng.integers(80, 400)), n_features, {})
    loss = str(rng.choice(["RMSE", "Logloss", "MultiClass", "Poisson"]))
    params = {"loss_function": loss, "iterations": int(rng.integers(1, 10)), "depth": int(rng.integers(1, 7)),
              "thread_count": 1, "verbose": 0, "allow_writing_files": False, "random_seed": int(rng.integers(1000)),
              "nan_mode": str(rng.choice(["Min", "Max"])), "learning_rate": 0.3,
              "grow_policy": str(rng.choice(["SymmetricTree", "SymmetricTree", "Depthwise", "Lossguide"]))}
    y = targets(rng, x, {"Logloss": 2, "MultiClass": 3}.get(loss, 1))
    weight = rng.integers(1, 5, len(x)) if rng.random() < 0.3 else None
    pool = catboost.Pool(x, np.abs(y) if loss == "Poisson" else y, weight=weight)
    return catboost.CatBoost(params).fit(pool), x


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_catboost(seed, tmp_path):
    rng = seeded("catboost", seed)
    booster, x = train_catboost(rng)
    rows = probes(rng, x, {}, endless=True)
    booster.save_model(str(tmp_path / "model.json"), format="json")
    model = scoreline.convert(tmp_path / "model.json")
    expected = booster.get_feature_importance(catboost.Pool(rows), type="ShapValues", thread_count=1)
    margins = booster.predict(rows, prediction_type="RawFormulaVal", thread_count=1)
    compare_defined(model, rows[:2])
    if np.allclose(expected.sum(axis=-1), margins, atol=1e-9):
        compare(model, rows, expected, margins)
        return
    # CatBoost 1.2.10 loses parts of some trees that are not symmetric and have leaves without training rows: its own values
    # do not sum to its margin then. Ours do, and the definition has decided.
    covers = read_slm.Model(model.to_bytes()).leaf_covers
    assert booster.get_params()["grow_policy"] != "SymmetricTree" and (covers == 0).any()
    found = model.contributions(rows)
    assert np.allclose(found.sum(axis=-1), margins, atol=1e-9)


@pytest.mark.parametrize("seed", range(N_SEEDS // 5))
def test_catboost_categories(seed):
    """One-hot splits and CTRs: a combination's contribution is shared evenly by its categories."""
    pandas = pytest.importorskip("pandas")
    rng = seeded("catboost categories", seed)
    n = 250
    frame = pandas.DataFrame({"a": rng.normal(size=n), "c": rng.choice(list("xyzuvw"), n), "b": rng.normal(size=n),
                              "d": rng.choice(list("pqrst"), n)})
    c, d = frame.c.to_numpy(), frame.d.to_numpy()
    y = frame.a + (c == "x") * 2.0 - (d == "p") + ((c == "y") & (d == "q")) * 3.0 + rng.normal(size=n) * 0.3
    booster = catboost.CatBoostRegressor(
        iterations=12, depth=int(rng.integers(2, 6)), one_hot_max_size=int(rng.choice([2, 5, 6])), random_seed=seed,
        max_ctr_complexity=int(rng.integers(1, 3)), thread_count=1, verbose=0, allow_writing_files=False)
    booster.fit(frame, y, cat_features=["c", "d"])
    rows = frame.iloc[:60].copy()
    rows.loc[rows.index[:5], "c"] = "never seen"
    expected = booster.get_feature_importance(catboost.Pool(rows, cat_features=["c", "d"]), type="ShapValues", thread_count=1)
    compare(scoreline.convert(booster), rows, expected, booster.predict(rows, prediction_type="RawFormulaVal"))
