"""Models whose trainer's parameters, objective, data and rows are drawn at random, many and small: every output against XGBoost
and LightGBM, bit for bit (contributions: see test_contributions.py), margins and predictions on every instruction set, in
blocks and row by row. Every model comes from its seed alone.
"""
import json

import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

import bit_check
import c_interface as lib
import probe_rows
import scoreline
import test_contributions
import test_lightgbm_models as lightgbm_models
import test_xgboost_models as xgboost_models
from conftest import MODE

PER_TEST = 25
N_TESTS = {"quick": 1, "default": 14, "long": 60}[MODE]
N_ROWS = 160


def compare(name, data, oracle, rows, tally, leaf=None, contributions=None):
    """`leaf` and `contributions`: functions of rows without infinities."""
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32)
    expected = [(lib.MARGIN, "margin", bit_check.as_doubles(oracle.margin(narrow))),
                (lib.PREDICTION, "prediction", bit_check.as_doubles(oracle.prediction(narrow)))]
    slm = lib.Model.imported(data).saved()
    for isa in lib.available_isas():
        model = lib.Model.opened(slm, isa)
        assert model.verify(isa) > 0
        for output, word, wanted in expected:
            assert lib.lib.score_output_width(model.handle, lib.Options(lib.c.sizeof(lib.Options), output)) == wanted.shape[1]
            for layout, table, how in (("rows f32", lib.Rows(narrow), {}), ("columns f32", lib.Columns(narrow), {}),
                                       ("rows f32", lib.Rows(narrow), {"batch": 1, "n": 15})):
                got = model.score(table, output=output, **how)
                wrong = bit_check.differing(got, wanted[:len(got)])
                tally.add(layout, len(got), word)
                if len(wrong):
                    folder = bit_check.leave_reproducer(name, data, narrow, wanted)
                    raise AssertionError(f"{name}: {lib.ISA_NAMES[isa]}, {layout}, {word}: {len(wrong)} of {len(got)} rows "
                                         f"differ, row {wrong[0]}: {got[wrong[0]]} instead of {wanted[wrong[0]]}; {folder}")
    margins, of_range = expected[0][2], oracle.margin_of_range
    others = bit_check.Others(name, slm, narrow, margins, tally,
                              None if of_range is None else lambda begin, end: of_range(narrow, begin, end))
    others.run()
    finite = np.isfinite(np.where(np.isnan(narrow), 0, narrow)).all(axis=1)
    if leaf is not None and finite.any():
        want = bit_check.as_doubles(leaf(narrow[finite]))
        others.same(others.model.predict(narrow[finite], "leaf"), "rows f32", want, "leaf")
    if contributions is not None and others.model.info.has_covers and finite.any():
        test_contributions.compare(others.model, narrow[finite], contributions(narrow[finite]), margins[finite])
        tally.add("rows f32", int(finite.sum()), "contribution")


def draw_categories(rng, n_features):
    return {int(j): int(rng.choice([2, 5, 40, 70])) for j in rng.choice(n_features, rng.integers(1, 3), replace=False)}


# ---- LightGBM ------------------------------------------------------------------------------------------------------

def lightgbm_model(rng):
    objective = str(rng.choice(lightgbm_models.OBJECTIVES))
    n_features = int(rng.integers(2, 9))
    boosting = str(rng.choice(["gbdt", "gbdt", "gbdt", "dart", "rf"]))
    params = {"num_leaves": int(rng.integers(2, 40)), "learning_rate": float(rng.uniform(0.05, 1)), "boosting": boosting,
              "lambda_l2": float(rng.choice([0, 1])), "min_data_per_group": 1, "max_bin": int(rng.choice([15, 255])),
              "zero_as_missing": bool(rng.random() < 0.2), "use_missing": bool(rng.random() < 0.8),
              "extra_trees": bool(rng.random() < 0.2), "feature_fraction": float(rng.choice([1, 0.6]))}
    if objective in ("binary", "multiclassova"):
        params["sigmoid"] = float(rng.choice([1, 0.3, 2.5]))
    if boosting == "rf" or rng.random() < 0.2:
        params.update(bagging_freq=1, bagging_fraction=0.7)
    if objective != "regression_l1" and rng.random() < 0.2:
        params.update(linear_tree=True, zero_as_missing=False)
    if objective == "regression" and rng.random() < 0.3:
        params["reg_sqrt"] = True
    n_categories = draw_categories(rng, n_features) if rng.random() < 0.3 else None
    nan_rate = float(rng.choice([0, 0.05, 0.4]))
    booster, x = lightgbm_models.train(rng, objective, params, n_rows=200, n_features=n_features,
                                       rounds=int(rng.integers(1, 9)), nan_rate=nan_rate, n_categories=n_categories,
                                       n_class=int(rng.integers(2, 5)) if objective == "multiclass" else 3)
    return booster, x, n_categories


@pytest.mark.parametrize("test", range(N_TESTS))
def test_lightgbm(test, tally):
    for k in range(PER_TEST):
        seed = 1000 * test + k
        rng = np.random.default_rng([1, seed])
        try:
            booster, x, n_categories = lightgbm_model(rng)
        except lgb.basic.LightGBMError as refused:
            assert any(word in str(refused) for word in ("linear", "RF", "Random Forest", "random forest", "[sqrt]")), refused
            continue
        text = booster.model_to_string()
        rows = probe_rows.probe(rng, x, lightgbm_models.thresholds_of(text), N_ROWS, categories=set(n_categories or ()),
                                nan_rate=0.15)
        oracle = bit_check.Oracle(
            margin=lambda x: booster.predict(x, raw_score=True), prediction=booster.predict,
            margin_of_range=lambda x, begin, end: booster.predict(x, raw_score=True, start_iteration=begin,
                                                                  num_iteration=end - begin))
        is_linear = "is_linear=1" in text
        compare(f"lgb-random-{seed}", text.encode(), oracle, rows, tally("LightGBM", "drawn at random"),
                leaf=lambda x: booster.predict(x, pred_leaf=True),
                contributions=None if is_linear else lambda x: booster.predict(x, pred_contrib=True))
        if is_linear and k % 5 == 0:  # neither library has contributions of these
            with pytest.raises(lgb.basic.LightGBMError, match="not implemented for linear trees"):
                booster.predict(rows[:1], pred_contrib=True)
            with pytest.raises(scoreline.UnsupportedError, match="linear"):
                scoreline.convert(text.encode()).contributions(rows[:1])


# ---- XGBoost -------------------------------------------------------------------------------------------------------

def xgboost_model(rng):
    objective = str(rng.choice(xgboost_models.OBJECTIVES))
    n_features = int(rng.integers(2, 9))
    params = {"max_depth": int(rng.integers(1, 8)), "eta": float(rng.uniform(0.05, 1)), "lambda": float(rng.choice([0.1, 1])),
              "min_child_weight": float(rng.choice([0, 1])), "subsample": float(rng.choice([1, 0.7])),
              "num_parallel_tree": int(rng.choice([1, 1, 3])), "tree_method": str(rng.choice(["hist", "exact", "approx"])),
              "max_bin": int(rng.choice([16, 256]))}
    booster = str(rng.choice(["gbtree", "gbtree", "gbtree", "dart", "gblinear"]))
    n_categories, n_targets = None, 1
    if booster == "dart":
        params.update(booster="dart", rate_drop=0.4, one_drop=1)
    elif booster == "gblinear":
        params = {"booster": "gblinear", "updater": "coord_descent", "eta": 0.2}
    elif rng.random() < 0.3:
        n_categories = draw_categories(rng, n_features)
        params["tree_method"] = "hist"
    elif rng.random() < 0.3 and objective in ("reg:squarederror", "reg:pseudohubererror"):
        n_targets = int(rng.integers(2, 4))
        params.update(multi_strategy=str(rng.choice(["one_output_per_tree", "multi_output_tree"])), tree_method="hist",
                      num_parallel_tree=1)
    if objective == "reg:quantileerror":
        params["quantile_alpha"] = np.array([0.2, 0.5, 0.9]) if rng.random() < 0.5 else 0.4
    if rng.random() < 0.4 and objective != "survival:cox":
        params["base_score"] = float(rng.choice([0.1, 0.5, 0.7]))
    made, x = xgboost_models.train(rng, objective, params, n_rows=200, n_features=n_features,
                                   rounds=int(rng.integers(1, 9)), nan_rate=float(rng.choice([0, 0.05, 0.4])),
                                   n_class=int(rng.integers(2, 5)), n_categories=n_categories, n_targets=n_targets)
    return made, x, n_categories, booster != "gbtree"


@pytest.mark.parametrize("test", range(N_TESTS))
def test_xgboost(test, tally):
    for k in range(PER_TEST):
        seed = 1000 * test + k
        rng = np.random.default_rng([2, seed])
        try:
            booster, x, n_categories, matrix_only = xgboost_model(rng)
        except xgb.core.XGBoostError as refused:
            assert any(word in str(refused) for word in ("exact", "approx", "gblinear", "quantile", "adaptive")), refused
            continue
        thresholds = xgboost_models.thresholds_of(json.loads(bytes(booster.save_raw("json"))))
        rows = probe_rows.probe(rng, x, thresholds, N_ROWS, categories=set(n_categories or ()), nan_rate=0.15,
                                endless=not matrix_only)
        types = ["c" if j in n_categories else "float" for j in range(x.shape[1])] if n_categories else None
        kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]
        with_vectors = "multi_output_tree" in booster.save_config()

        def ask(x, **how):
            return booster.predict(xgb.DMatrix(x, feature_types=types, enable_categorical=True), **how)

        compare(f"xgb-random-{seed}", bytes(booster.save_raw(str(rng.choice(["json", "ubj"])))),
                xgboost_models.oracle_of(booster, types, matrix_only), rows, tally("XGBoost", "drawn at random"),
                leaf=None if kind == "gblinear" else lambda x: ask(x, pred_leaf=True),
                contributions=None if kind == "gblinear" or with_vectors else lambda x: ask(x, pred_contribs=True))
