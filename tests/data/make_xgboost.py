#!/usr/bin/env python3
"""Small models of the installed XGBoost release, with its own answers, for tests/unit/test_import_xgboost.c.

Comes in: the release that `import xgboost` finds. Goes out, in xgboost/ beside this script: rows.f32 (64 rows of 5
floats, the same for all releases), and for each model NAME-VERSION.json (or .ubj) and NAME-VERSION.f32: margins, then
predictions, then (models of trees) leaf numbers, all as little-endian floats.

The committed files were made by running this once per release in an environment of its own:
    pip install xgboost==1.2.1 "numpy<1.24" scipy     1.3.3 and 1.5.2 likewise
    pip install xgboost==1.7.6 "numpy<2" scipy
    pip install xgboost-cpu==2.1.4 "numpy<2" scipy    3.1.3 and 3.2.0 with any numpy
"""
import pathlib

import numpy as np
import xgboost as xgb

OUT = pathlib.Path(__file__).resolve().parent / "xgboost"
VERSION = tuple(map(int, xgb.__version__.split(".")))
N_FEATURES = 5


def training_rows(rng, n):
    """Four coarse numeric columns and a category; coarse, so that rows hit thresholds exactly."""
    x = np.round(rng.standard_normal((n, N_FEATURES)) * 4) / 4
    x[:, 4] = rng.integers(0, 9, n)
    x[rng.random(x.shape) < 0.1] = np.nan
    return x.astype(np.float32)


def probe_rows():
    rng = np.random.default_rng(5)
    x = training_rows(rng, 64)
    x[:10, 4] = [-0.5, -1, 1.9, 8, 9, 31, 32, 1e8, 16777216, np.nan]
    x[10:14, 0] = [-0.0, 0.0, 1e-40, -1e30]
    return x


class Maker:
    def __init__(self):
        rng = np.random.default_rng(7)
        self.x = training_rows(rng, 400)
        filled = np.nan_to_num(self.x, nan=0.3)
        score = filled @ rng.standard_normal(N_FEATURES) + np.sin(filled[:, 4] * 2) * 2 + rng.normal(0, 0.2, 400)
        self.y = score
        self.binary = (score > np.median(score)).astype(np.float32)
        self.classes = np.argsort(np.argsort(score)) * 3 // 400
        self.counts = np.round(np.abs(score))
        self.probe = probe_rows()
        self.names = None

    def matrix(self, x, label=None, categorical=False):
        more = {}
        if categorical:
            more = {"feature_types": ["float", "int", "q", "float", "c"], "enable_categorical": True}
        return xgb.DMatrix(x, label=label, feature_names=self.names, **more)

    def make(self, name, params, label, rounds=3, categorical=False, formats=("json",), label_matrix=None):
        params = {"max_depth": 3, "eta": 0.5, "nthread": 1, "verbosity": 0, "seed": 3, **params}
        train = label_matrix or self.matrix(self.x, label, categorical)
        booster = xgb.train(params, train, rounds)
        probe = self.matrix(self.probe, None, categorical)
        stem = "%s-%d.%d.%d" % ((name,) + VERSION)
        write_answers(stem, booster, probe, params.get("booster") != "gblinear")
        booster.set_attr(best_iteration="1", note="für den Test")
        for form in formats:
            booster.save_model(str(OUT / f"{stem}.{form}"))


def write_answers(stem, booster, probe, has_trees):
    parts = [booster.predict(probe, output_margin=True), booster.predict(probe)]
    if has_trees:
        parts.append(booster.predict(probe, pred_leaf=True))
    np.concatenate([np.asarray(p, "<f4").reshape(-1) for p in parts]).tofile(str(OUT / f"{stem}.f32"))


def main():
    OUT.mkdir(exist_ok=True)
    m = Maker()
    m.probe.astype("<f4").tofile(str(OUT / "rows.f32"))
    both = ("json", "ubj") if VERSION >= (1, 6) else ("json",)
    m.make("regression", {"objective": "reg:squarederror"}, m.y, formats=both)
    m.make("softprob", {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2, "subsample": 0.7},
           m.classes, rounds=2, formats=both)
    m.make("dart", {"booster": "dart", "objective": "binary:logistic", "rate_drop": 0.5, "one_drop": 1}, m.binary,
           rounds=6, formats=both)
    m.make("linear", {"booster": "gblinear", "objective": "multi:softprob", "num_class": 3, "updater": "coord_descent"},
           m.classes, formats=both)
    m.make("pruned", {"objective": "reg:squarederror", "tree_method": "exact", "gamma": 60, "max_depth": 4}, m.y)
    m.names = ["alpha", "beta gamma", "gross_ß", "d0", "kind"]
    m.make("logistic", {"objective": "binary:logistic", "base_score": 0.3}, m.binary)
    m.make("poisson", {"objective": "count:poisson", "base_score": 1.7}, m.counts)
    m.names = None
    if VERSION >= (1, 6):
        m.make("categorical", {"objective": "reg:squarederror", "tree_method": "hist", "max_cat_to_onehot": 1}, m.y,
               categorical=True, formats=both)
        m.make("onehot", {"objective": "reg:squarederror", "tree_method": "hist", "max_cat_to_onehot": 99}, m.y,
               categorical=True)
        m.make("targets", {"objective": "reg:squarederror"}, np.column_stack([m.y, -m.y * m.y]))
    if VERSION >= (2, 0):
        m.make("vectors", {"objective": "reg:squarederror", "multi_strategy": "multi_output_tree",
                           "tree_method": "hist"}, np.column_stack([m.y, -m.y * m.y]), formats=both)
        m.make("quantile", {"objective": "reg:quantileerror", "quantile_alpha": [0.9, 0.2]}, m.y)
    if VERSION >= (3, 2):
        for objective, label in (("reg:squaredlogerror", m.counts), ("reg:pseudohubererror", m.y),
                                 ("reg:absoluteerror", m.y), ("reg:logistic", m.binary), ("binary:logitraw", m.binary),
                                 ("binary:hinge", m.binary), ("reg:gamma", m.counts + 1), ("reg:tweedie", m.counts),
                                 ("survival:cox", m.counts + 1), ("multi:softmax", m.classes)):
            more = {"num_class": 3} if objective.startswith("multi:") else {}
            m.make(objective.replace(":", "_"), {"objective": objective, **more}, label, rounds=2)
        ranked = m.matrix(m.x, m.binary)
        ranked.set_group([40] * 10)
        for objective in ("rank:pairwise", "rank:ndcg", "rank:map"):
            m.make(objective.replace(":", "_"), {"objective": objective}, None, rounds=2, label_matrix=ranked)
        bounds = m.matrix(m.x)
        bounds.set_float_info("label_lower_bound", m.counts + 0.5)
        bounds.set_float_info("label_upper_bound", m.counts + 2)
        m.make("survival_aft", {"objective": "survival:aft"}, None, rounds=2, label_matrix=bounds)


if __name__ == "__main__":
    main()
