"""Models that LightGBM trained, or loaded after their thresholds were replaced by awkward values, against LightGBM
itself. Every model comes from its seed alone.
"""
import re

import lightgbm as lgb
import numpy as np
import pytest

import bit_check
import c_interface
import probe_rows
from conftest import MODE

N_SEEDS = {"quick": 1, "default": 3, "long": 12}[MODE]
COMMON = {"num_threads": 1, "verbosity": -1, "min_data_in_leaf": 2, "deterministic": True}


# ---- making models -------------------------------------------------------------------------------------------------

def training_rows(rng, n, n_features, nan_rate, n_categories):
    columns = []
    for j in range(n_features):
        column = [rng.standard_normal(n), np.round(rng.standard_normal(n), 1), rng.exponential(1, n),
                  np.where(rng.random(n) < 0.4, 0.0, rng.standard_normal(n))][rng.integers(0, 4)]
        if n_categories and j in n_categories:
            column = rng.integers(0, n_categories[j], n).astype(float)
        column = np.array(column)
        column[rng.random(n) < nan_rate] = np.nan
        columns.append(column)
    return np.column_stack(columns)


def labels(rng, x, objective, n_class):
    filled = np.nan_to_num(x, nan=0.7)
    y = filled @ rng.standard_normal(x.shape[1]) + np.sin(3 * filled) @ rng.standard_normal(x.shape[1])
    rank = np.argsort(np.argsort(y))
    if objective in ("multiclass", "multiclassova"):
        return rank * n_class // len(y)
    if objective in ("binary", "cross_entropy", "cross_entropy_lambda"):
        return (rank > len(y) // 2).astype(float)
    if objective in ("poisson", "gamma", "tweedie", "mape"):
        return np.abs(y) + 0.5
    if objective in ("lambdarank", "rank_xendcg"):
        return rank * 4 // len(y)
    return y


def train(rng, objective, params=None, n_rows=800, n_features=6, rounds=10, nan_rate=0.05, n_class=3,
          n_categories=None):
    x = training_rows(rng, n_rows, n_features, nan_rate, n_categories)
    group = [n_rows // 10] * 10 if objective in ("lambdarank", "rank_xendcg") else None
    params = {"objective": objective, "seed": int(rng.integers(1 << 30)), **COMMON, **(params or {})}
    if objective in ("multiclass", "multiclassova"):
        params["num_class"] = n_class
    data = lgb.Dataset(x, labels(rng, x, objective, n_class), group=group, params=params,
                       categorical_feature=sorted(n_categories) if n_categories else [])
    return lgb.train(params, data, rounds), x


def thresholds_of(text: str) -> dict[int, np.ndarray]:
    """Numeric thresholds of each feature, from the model's text."""
    found = {}
    features = re.findall(r"^split_feature=(.*)$", text, re.M)
    cuts = re.findall(r"^threshold=(.*)$", text, re.M)
    kinds = re.findall(r"^decision_type=(.*)$", text, re.M)
    for line in zip(features, cuts, kinds):
        for feature, cut, kind in zip(*(part.split() for part in line)):
            if not int(kind) & 1 and abs(float(cut)) < 1e300:
                found.setdefault(int(feature), []).append(float(cut))
    return {feature: np.unique(values) for feature, values in found.items()}


# ---- asking LightGBM -----------------------------------------------------------------------------------------------

def check(tally, kind, name, booster, seen, rng, n=1100, n_categories=None, nan_rate=0.1, endless=True, ulp=0):
    text = booster.model_to_string()
    rows = probe_rows.probe(rng, seen, thresholds_of(text), n, categories=set(n_categories or ()), nan_rate=nan_rate,
                            endless=endless)
    # Beyond an int, LightGBM's conversion is undefined behaviour; on x86 it is no category, which is our rule too.
    oracle = bit_check.Oracle(
        margin=lambda x: booster.predict(x, raw_score=True),
        prediction=lambda x: booster.predict(x),
        leaf=lambda x: booster.predict(x, pred_leaf=True),
        margin_of_range=lambda x, begin, end: booster.predict(x, raw_score=True, start_iteration=begin,
                                                              num_iteration=end - begin),
        prediction_ulp=ulp)
    return bit_check.Checker(name, text.encode(), oracle, rows, tally("LightGBM", kind)).run()


def seeds(*parts):
    return np.random.default_rng([sum(map(ord, str(p))) for p in parts])


# ---- tests ---------------------------------------------------------------------------------------------------------

OBJECTIVES = ["regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie",
              "binary", "multiclass", "multiclassova", "cross_entropy", "cross_entropy_lambda", "lambdarank",
              "rank_xendcg"]


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objective(objective, seed, tally):
    rng = seeds(objective, seed)
    params = {"num_leaves": 12, "learning_rate": 0.3}
    if objective in ("binary", "multiclassova"):
        params["sigmoid"] = [1.0, 0.123456, 2.5][seed % 3]
    booster, x = train(rng, objective, params, n_class=3 + seed)
    check(tally, "objective", f"lgb-{objective}-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_square_root_regression(seed, tally):
    rng = seeds("sqrt", seed)
    booster, x = train(rng, "regression", {"reg_sqrt": True, "num_leaves": 9})
    check(tally, "objective", f"lgb-sqrt-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
@pytest.mark.parametrize("missing", ["none", "zero", "nan"])
def test_missing_types(missing, seed, tally):
    rng = seeds(missing, seed)
    params = {"none": {"use_missing": False}, "zero": {"zero_as_missing": True}, "nan": {}}[missing]
    booster, x = train(rng, "binary", {"num_leaves": 20, **params}, nan_rate=[0.3, 0.02][seed % 2])
    check(tally, f"missing: {missing}", f"lgb-missing-{missing}-{seed}", booster, x, rng, nan_rate=0.3)


@pytest.mark.parametrize("seed", range(4 * N_SEEDS))
def test_categories(seed, tally):
    rng = seeds("categories", seed)
    n_categories = {0: 4, 2: 33, 3: 70, 5: [31, 32, 64, 300][seed % 4]}
    params = {"num_leaves": 20, "min_data_per_group": 1, "cat_smooth": 1, "max_cat_to_onehot": [4, 1][seed % 2],
              "max_cat_threshold": 64}
    booster, x = train(rng, ["regression", "binary", "multiclass"][seed % 3], params, n_rows=1500, n_features=7,
                       n_categories=n_categories)
    check(tally, "categories", f"lgb-categories-{seed}", booster, x, rng, n=2500, n_categories=n_categories)


@pytest.mark.parametrize("seed", range(3 * N_SEEDS))
def test_random_forest(seed, tally):
    rng = seeds("rf", seed)
    params = {"boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6, "num_leaves": [15, 60, 200][seed % 3]}
    booster, x = train(rng, ["regression", "binary", "multiclass"][seed % 3], params, rounds=7)
    check(tally, "random forest", f"lgb-rf-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("boosting", ["dart", "goss"])
def test_boosting(boosting, seed, tally):
    rng = seeds(boosting, seed)
    params = {"boosting": "dart", "drop_rate": 0.5} if boosting == "dart" else {"data_sample_strategy": "goss"}
    booster, x = train(rng, "regression", {"num_leaves": 16, **params}, rounds=15)
    check(tally, boosting, f"lgb-{boosting}-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("leaves", [2, 3, 8, 31, 32, 33, 64, 65, 127, 128, 129, 255, 256])
def test_leaves(leaves, seed, tally):
    rng = seeds("leaves", leaves, seed)
    booster, x = train(rng, "regression", {"num_leaves": leaves, "min_data_in_leaf": 1}, n_rows=2000, n_features=8,
                       rounds=[20, 6, 3][seed % 3])
    n = 10_007 if seed == 0 else 1100
    check(tally, f"leaves {'2-33' if leaves < 64 else '64-256'}", f"lgb-leaves-{leaves}-{seed}", booster, x, rng, n=n)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("leaves", [257, 600, 1500])
def test_more_than_256_leaves(leaves, seed, tally):
    rng = seeds("deep", leaves, seed)
    booster, x = train(rng, ["regression", "binary"][seed % 2], {"num_leaves": leaves, "min_data_in_leaf": 1},
                       n_rows=5000, n_features=8, rounds=4)
    model = check(tally, "more than 256 leaves", f"lgb-deep-{leaves}-{seed}", booster, x, rng, n=2000)
    assert model.info.max_leaves > 256


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
def test_many_cuts(seed, tally):
    """More than 255 thresholds of one feature: codes of two bytes."""
    rng = seeds("cuts", seed)
    params = {**COMMON, "max_bin": 5000, "min_data_in_bin": 1, "num_leaves": 100, "min_data_in_leaf": 1}
    x = rng.standard_normal((6000, 2))
    y = labels(rng, x, "regression", 0)
    booster = lgb.train(params, lgb.Dataset(x, y, params=params), 15)
    model = check(tally, "more than 255 cuts", f"lgb-cuts-{seed}", booster, x, rng, n=2200)
    assert model.info.max_cuts > 255


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_unbalanced(seed, tally):
    """Long chains: few leaves, great depth."""
    rng = seeds("chain", seed)
    x = np.exp(rng.uniform(0, 30, (3000, 3)))
    params = {**COMMON, "objective": "regression", "num_leaves": 60, "min_data_in_leaf": 1, "max_bin": 1000,
              "min_data_in_bin": 1, "seed": seed}
    booster = lgb.train(params, lgb.Dataset(x, x[:, 0] + x[:, 1], params=params), 8)
    check(tally, "long chains", f"lgb-chain-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_constant_trees(seed, tally):
    """Trees of one leaf, alone and among others."""
    rng = seeds("constant", seed)
    x = rng.standard_normal((300, 4))
    y = np.zeros(300, int)
    y[: 150 if seed else 300] = 1
    params = {**COMMON, "objective": "multiclass", "num_class": 4, "num_leaves": 4}
    booster = lgb.train(params, lgb.Dataset(x, y, params=params), 5)
    check(tally, "trees of one leaf", f"lgb-constant-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(max(1, N_SEEDS // 3)))
def test_large_batch(seed, tally):
    rng = seeds("large", seed)
    booster, x = train(rng, "binary", {"num_leaves": 31}, n_rows=5000, n_features=28, rounds=40)
    check(tally, "100,000 rows", f"lgb-large-{seed}", booster, x, rng, n=100_000)


# ---- models edited by hand -----------------------------------------------------------------------------------------

CUTS = ["0", "-0", "1e-36", "-1e-36", "1.0000000180025095e-35", "-1.0000000180025095e-35", "2e-35", "5e-324", "-5e-324",
        "1e-310", "1.7976931348623157e+308", "-1.7976931348623157e+308", "inf", "-inf", "nan", "0.1", "1e-40",
        "0.10000000149011612", "3.5e38"]


def edited(text: str, key: str, change) -> lgb.Booster:
    """Change every value of the lines `key=`; block lengths in the header would no longer fit, so they go."""
    def line(match):
        return key + "=" + " ".join(change(value) for value in match[1].split())

    text = re.sub(rf"^{key}=(.+)$", line, text, flags=re.M)
    return lgb.Booster(model_str=re.sub(r"^tree_sizes=.*\n", "", text, flags=re.M))


@pytest.mark.parametrize("seed", range(6 * N_SEEDS))
def test_awkward_thresholds(seed, tally):
    """All thresholds at once meet all missing types: decision_type 0, 2, 4, 6, 8 and 10."""
    rng = seeds("awkward", seed)
    booster, x = train(rng, "regression", {"num_leaves": 16}, n_features=4, rounds=12)
    booster = edited(booster.model_to_string(), "threshold", lambda v: rng.choice(CUTS) if rng.random() < 0.6 else v)
    booster = edited(booster.model_to_string(), "decision_type", lambda v: rng.choice(["0", "2", "4", "6", "8", "10"]))
    check(tally, "awkward thresholds", f"lgb-awkward-{seed}", booster, x, rng, n=2200, nan_rate=0.2)


@pytest.mark.parametrize("seed", range(4 * N_SEEDS))
def test_order_of_additions(seed, tally):
    rng = seeds("order", seed)
    booster, x = train(rng, "regression", {"num_leaves": 2 + 8 * seed}, rounds=60)
    spread = [12, 200][seed % 2]
    booster = edited(booster.model_to_string(), "leaf_value",
                     lambda v: repr(float(rng.choice([-1, 1]) * 10.0 ** rng.uniform(-spread, spread))))
    check(tally, "order of additions", f"lgb-order-{seed}", booster, x, rng)


@pytest.mark.parametrize("objective", ["binary", "multiclass", "poisson", "cross_entropy_lambda", "multiclassova"])
@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_extreme_margins(objective, seed, tally):
    rng = seeds("extreme", objective, seed)
    booster, x = train(rng, objective, {"num_leaves": 8}, rounds=3)
    values = ["-800", "800", "709.5", "-709.5", "36.7", "-36.7", "0", "-0", "1e-300", "inf", "-inf", "17"]
    booster = edited(booster.model_to_string(), "leaf_value",
                     lambda v: rng.choice(values) if rng.random() < 0.4 else v)
    check(tally, "extreme margins", f"lgb-extreme-{objective}-{seed}", booster, x, rng)


def test_other_spellings(tally):
    """No block lengths, carriage returns, a name with '=' in it: the same model."""
    rng = seeds("spelling")
    booster, x = train(rng, "binary", {"num_leaves": 10}, n_features=3)
    text = booster.model_to_string()
    assert "feature_names=Column_0 Column_1 Column_2" in text
    other = re.sub(r"^tree_sizes=.*\n", "", text, flags=re.M).replace("Column_1", "a=b").replace("\n", "\r\n")
    rows = probe_rows.probe(rng, x, thresholds_of(text), 600)
    oracle = bit_check.Oracle(margin=lambda x: booster.predict(x, raw_score=True), prediction=booster.predict)
    bit_check.Checker("lgb-spelling", other.encode(), oracle, rows, tally("LightGBM", "other spellings")).run()


@pytest.mark.parametrize("seed", range(4 * N_SEEDS))
def test_linear_trees(seed, tally):
    """Also with a missing value in a leaf's features, with categories, with more leaves than the batch regime takes."""
    rng = seeds("linear", seed)
    params = {"linear_tree": True, "num_leaves": [5, 31, 300][seed % 3], "linear_lambda": [0.0, 0.1][seed % 2]}
    n_categories = {1: 7} if seed % 4 == 1 else None
    if seed % 4 == 2:
        params.update(boosting="rf", bagging_freq=1, bagging_fraction=0.7)
    booster, x = train(rng, ["regression", "binary", "multiclass"][seed % 3], params, n_rows=1500,
                       nan_rate=[0, 0.05][seed % 2], n_categories=n_categories)
    text = booster.model_to_string()
    assert re.search("^leaf_features=.*[0-9]", text, re.M)
    # A linear term of an infinite value is an infinity, and of two of them often NaN: whatever LightGBM makes of it.
    check(tally, "linear trees", f"lgb-linear-{seed}", booster, x, rng, n_categories=n_categories, nan_rate=0.1)
