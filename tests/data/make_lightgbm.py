#!/usr/bin/env python3
"""Make tests/data/lightgbm: small models by the real LightGBM, and what it answers for chosen rows.

    python tests/data/make_lightgbm.py

Beside every NAME.txt stands NAME.f64, little-endian doubles: n_rows, n_features, n_outputs, n_predictions, n_trees,
then the rows, margins, predictions and leaf numbers, each row-major. NAME.begin-end.f64 is the same for the boosting
iterations [begin, end). objectives.tsv lists objective lines and what LightGBM makes of them.

Made with LightGBM 4.6.0, NumPy 2, pandas 3. A new run on another machine may train other trees; the tests only need the
files to agree with each other.
"""
import pathlib
import re

import lightgbm as lgb
import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).parent / "lightgbm"
TINY = float(np.float32(1e-35))
COMMON = dict(verbose=-1, num_threads=1, deterministic=True, seed=7, num_leaves=7, min_data_in_leaf=5,
              min_data_per_group=2, cat_smooth=1.0, learning_rate=0.3)
SPECIAL = [np.nan, 0.0, -0.0, 1e-36, -1e-36, TINY, -TINY, np.nextafter(TINY, 1), -np.nextafter(TINY, 1), 5e-324,
           -5e-324, np.inf, -np.inf, 1e300, -1e300, 0.5, -0.5, -0.99, -1.0, 1.9, 31.0, 32.0, 33.5, 63.0, 64.0, 1e6,
           2147483647.0, 2147483648.0, -2147483649.0, 1e19]


def thresholds(text, n_features):
    """Every numeric threshold of every feature."""
    found = [set() for _ in range(n_features)]
    for block in text.split("Tree=")[1:]:
        field = dict(line.split("=", 1) for line in block.splitlines()[1:] if "=" in line)
        if field.get("num_leaves") == "1":
            continue
        for feature, value, decision in zip(*(field[k].split() for k in ("split_feature", "threshold",
                                                                         "decision_type"))):
            if int(decision) & 1 == 0:
                found[int(feature)].add(float(value))
    return [sorted(f) for f in found]


def rows_for(text, n_features, rng, n_random=24):
    rows = [rng.normal(size=(n_random, n_features)) * 2, rng.integers(-2, 75, (n_random, n_features)).astype(float)]
    rows[1][rng.random(rows[1].shape) < 0.2] = np.nan
    cuts = thresholds(text, n_features)
    for f in range(n_features):
        exact = cuts[f][:4]
        values = SPECIAL + exact + [np.nextafter(t, np.inf) for t in exact] + [np.nextafter(t, -np.inf) for t in exact]
        block = rng.normal(size=(len(values), n_features))
        block[:, f] = values
        rows.append(block)
    return np.concatenate(rows)


def answers(booster, rows, **slice_):
    n = len(rows)
    margins = booster.predict(rows, raw_score=True, **slice_).reshape(n, -1)
    predictions = booster.predict(rows, **slice_).reshape(n, -1)
    leaves = booster.predict(rows, pred_leaf=True, **slice_).reshape(n, -1)
    head = [n, rows.shape[1], margins.shape[1], predictions.shape[1], leaves.shape[1]]
    parts = [np.array(head), rows, margins, predictions, leaves]
    return b"".join(np.ascontiguousarray(p, dtype="<f8").tobytes() for p in parts)


def save(name, text, slices=(), n_random=24):
    """`text` as NAME.txt; what LightGBM says after reading that text back goes beside it."""
    rng = np.random.default_rng(sum(name.encode()))
    booster = lgb.Booster(model_str=text)
    rows = rows_for(text, booster.num_feature(), rng, n_random)
    (HERE / f"{name}.txt").write_bytes(text.encode())
    (HERE / f"{name}.f64").write_bytes(answers(booster, rows))
    for begin, end in slices:
        (HERE / f"{name}.{begin}-{end}.f64").write_bytes(
            answers(booster, rows, start_iteration=begin, num_iteration=end - begin))


def train(name, params, x, y, rounds=4, save_it=True, slices=(), **data):
    dataset = lgb.Dataset(x, y, free_raw_data=False, params=dict(COMMON, **params), **data)
    text = lgb.train(dict(COMMON, **params), dataset, rounds).model_to_string()
    if save_it:
        save(name, text, slices)
    return text


def short(text):
    """Without the list of parameters, which no reader needs."""
    return re.sub(r"parameters:.*?end of parameters", "", text, flags=re.S)


def stump(index, feature, threshold, decision, left, right):
    return (f"Tree={index}\nnum_leaves=2\nnum_cat=0\nsplit_feature={feature}\nsplit_gain=1\nthreshold={threshold!r}\n"
            f"decision_type={decision}\nleft_child=-1\nright_child=-2\nleaf_value={left!r} {right!r}\n"
            "leaf_weight=1 1\nleaf_count=1 1\ninternal_value=0\ninternal_weight=2\ninternal_count=2\nis_linear=0\n"
            "shrinkage=1\n\n\n")


def header(n_features, objective="objective=regression\n", classes=1):
    names = " ".join(f"c{i}" for i in range(n_features))
    infos = " ".join("[-1:1]" for _ in range(n_features))
    return (f"tree\nversion=v4\nnum_class={classes}\nnum_tree_per_iteration={classes}\nlabel_index=0\n"
            f"max_feature_idx={n_features - 1}\n{objective}feature_names={names}\nfeature_infos={infos}\n\n")


def every_decision():
    """All missing types and default directions with thresholds around zero, where LightGBM's input filter bites."""
    cuts = [0.0, -0.0, 1e-36, -1e-36, TINY, -TINY, float(np.nextafter(TINY, 1)), -float(np.nextafter(TINY, 1)), 5e-324,
            -5e-324, 1.5, -1.5, np.inf, -np.inf]
    trees, index = "", 0
    for decision in (0, 2, 4, 6, 8, 10):
        for cut in cuts:
            trees += stump(index, 0, cut, decision, float(index + 1) / 7, -float(2 * index + 1) / 3)
            index += 1
    save("every_decision", header(1) + trees + "end of trees\n", n_random=8)


def every_objective(rng):
    """What LightGBM's loader says to objective lines, on three rows with margins 0.7, -1.3 and 0."""
    lines = ["regression", "regression sqrt", "regression_l1", "regression_l1 sqrt", "fair sqrt", "huber", "huber sqrt",
             "quantile", "quantile sqrt", "mape sqrt", "poisson", "poisson sqrt", "gamma", "tweedie", "binary sigmoid:1",
             "binary sigmoid:0.123456", "binary sigmoid:1.5e-05", "binary sigmoid:7.123456789012345678901",
             "binary sigmoid:1e2", "binary  sigmoid:2", "binary", "binary sigmoid:0", "binary sigmoid:-1",
             "binary sigmoid:x", "binary sigmoid:0.3 sigmoid:0.6", "cross_entropy", "cross_entropy_lambda", "lambdarank",
             "rank_xendcg", "custom", "custom whatever", "none", "null", "na", "none sqrt", "regression_l2",
             "regression_l2 sqrt", "mean_squared_error", "mse", "l2", "l2_root", "root_mean_squared_error", "rmse",
             "mean_absolute_error", "l1", "mae", "softmax", "multiclass_ova", "ova", "ovr", "xentropy", "xentlambda",
             "mean_absolute_percentage_error", "xendcg", "xe_ndcg", "xe_ndcg_mart", "xendcg_mart", "multiclass",
             "multiclassova", "Regression", "regressionx", "quantile alpha:0.5", "multiclass num_class:1",
             "multiclassova num_class:1 sigmoid:2"]
    trees = stump(0, 0, 0.0, 8, 0.7, -1.3) + stump(1, 1, 0.0, 8, 0.0, 1.3)
    out = []
    for line in lines:
        try:
            booster = lgb.Booster(model_str=header(2, f"objective={line}\n") + trees + "end of trees\n")
            p = booster.predict(np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0]]))
            out.append("\t".join([line] + [float(v).hex() for v in p.ravel()]))
        except lgb.basic.LightGBMError:
            out.append(f"{line}\trefused")
    (HERE / "objectives.txt").write_text(header(2) + trees + "end of trees\n")
    (HERE / "objectives.tsv").write_text("\n".join(out) + "\n")


def main():
    HERE.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    n = 600
    x = rng.normal(size=(n, 4))
    holes = x.copy()
    holes[rng.random(x.shape) < 0.15] = np.nan
    zeros = x.copy()
    zeros[rng.random(x.shape) < 0.3] = 0.0
    y = np.where(x[:, 0] > 0.1, 2.0, -1.0) + np.sin(x[:, 1] * 2) + 0.5 * x[:, 2] * x[:, 3]

    train("missing_nan", {}, holes, y, slices=[(0, 1), (1, 3)])
    train("missing_none", {"use_missing": False}, holes, y)
    train("missing_zero", {"zero_as_missing": True}, zeros, y)
    every_decision()

    categories = x.copy()
    categories[:, 1] = rng.integers(0, 70, n)
    categories[:, 3] = rng.integers(0, 3, n)
    target = np.isin(categories[:, 1], [0, 3, 31, 32, 40, 63, 64, 69]) * 3.0 + categories[:, 3] + x[:, 0]
    train("categorical", {"max_cat_to_onehot": 1}, categories, target, categorical_feature=[1, 3])
    train("categorical_onehot", {"max_cat_to_onehot": 100}, categories, target, categorical_feature=[1, 3])

    frame = pd.DataFrame({"size=x": x[:, 0], "colour": pd.Categorical(rng.choice(["red", "grün", "blue"], n)),
                          "n": pd.Categorical(rng.choice([5, 7, 11], n)), "größe": x[:, 2]})
    target = (frame["colour"] == "red") * 2.0 + (frame["n"] == 7) + x[:, 0]
    save("pandas", train("pandas", {"max_cat_to_onehot": 1}, frame, target, save_it=False))

    classes = (y > np.quantile(y, 0.3)).astype(int) + (y > np.quantile(y, 0.7))
    train("multiclass", {"objective": "multiclass", "num_class": 4}, holes, classes, slices=[(1, 2)])
    train("multiclassova", {"objective": "multiclassova", "num_class": 3, "sigmoid": 0.7}, x, classes)

    forest = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "feature_fraction": 0.8}
    train("rf_regression", forest, holes, y, rounds=5, slices=[(2, 5)])
    train("rf_binary", {**forest, "objective": "binary", "sigmoid": 0.123456}, holes, y > 0, rounds=3)
    train("rf_multiclass", {**forest, "objective": "multiclass", "num_class": 3}, holes, classes, rounds=3)
    train("dart", {"boosting": "dart", "drop_rate": 0.5}, holes, y, rounds=6)
    train("goss", {"data_sample_strategy": "goss"}, holes, y)

    positive = np.abs(y) + 0.1
    for objective in ("regression_l1", "huber", "fair", "quantile", "mape"):
        train(objective, {"objective": objective}, x, y, rounds=2)
    for objective in ("poisson", "gamma", "tweedie"):
        train(objective, {"objective": objective}, x, positive, rounds=2)
    train("sqrt", {"objective": "regression", "reg_sqrt": True}, x, y, rounds=2)
    train("binary", {"objective": "binary", "sigmoid": 1.7}, holes, y > 0)
    for objective in ("cross_entropy", "cross_entropy_lambda"):
        train(objective, {"objective": objective}, x, (y - y.min()) / np.ptp(y), rounds=2)
    for objective in ("lambdarank", "rank_xendcg"):
        train(objective, {"objective": objective}, x, classes, rounds=2, group=[n // 4] * 4)
    train("custom", {"objective": lambda p, d: (p - d.get_label(), np.ones_like(p))}, x, y, rounds=2)
    train("single_leaf", {}, x, np.full(n, 0.1), rounds=2)

    save("no_objective", short(re.sub("objective=.*\n", "", train("", {}, x, y, save_it=False))))
    train("linear", {"linear_tree": True}, holes, y, rounds=4)
    every_objective(rng)


main()
