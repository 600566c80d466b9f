"""Models that XGBoost trained, or loaded after their thresholds and leaves were replaced by awkward values, against
XGBoost itself. Every model comes from its seed alone.
"""
import json
import math

import numpy as np
import pytest
import xgboost as xgb

import bit_check
import c_interface
import probe_rows
from conftest import MODE

N_SEEDS = {"quick": 1, "default": 3, "long": 12}[MODE]
CPU = {"nthread": 1, "verbosity": 0}


# ---- making models -------------------------------------------------------------------------------------------------

def training_rows(rng, n, n_features, nan_rate=0.0, n_categories=None):
    """Rows of floats: normal, exponential, rounded and coarse columns; categorical ones where n_categories says so."""
    columns = []
    for j in range(n_features):
        kind = rng.integers(0, 4)
        column = rng.standard_normal(n) if kind < 2 else rng.exponential(1, n)
        if kind == 1:
            column = np.round(column, 1)
        if kind == 3:
            column = np.floor(column * 3)
        if n_categories and j in n_categories:
            column = rng.integers(0, n_categories[j], n)
        columns.append(column)
    x = np.column_stack(columns).astype(np.float32)
    x[rng.random(x.shape) < nan_rate] = np.nan
    return x


def signal(rng, x):
    filled = np.nan_to_num(x, nan=0.7)
    weights = rng.standard_normal(x.shape[1])
    return filled @ weights + np.sin(filled * 2) @ rng.standard_normal(x.shape[1]) + rng.normal(0, 0.1, len(x))


def labels(rng, x, objective, n_class):
    y = signal(rng, x)
    if objective.startswith("multi:"):
        return np.argsort(np.argsort(y)) * n_class // len(y)
    if objective.startswith(("binary:", "rank:")) or objective == "reg:logistic":
        return (y > np.median(y)).astype(float)
    if objective in ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "reg:squaredlogerror"):
        return np.round(np.abs(y)) + 1
    return y


def train(rng, objective, params=None, n_rows=600, n_features=6, rounds=8, nan_rate=0.05, n_class=3, n_categories=None,
          n_targets=1):
    x = training_rows(rng, n_rows, n_features, nan_rate, n_categories)
    y = labels(rng, x, objective, n_class)
    if n_targets > 1:
        y = np.column_stack([y * (k + 1) + signal(rng, x) for k in range(n_targets)])
    types = ["c" if n_categories and j in n_categories else "float" for j in range(n_features)]
    matrix = xgb.DMatrix(x, feature_types=types if n_categories else None, enable_categorical=bool(n_categories))
    if objective == "survival:aft":
        matrix.set_float_info("label_lower_bound", np.abs(y) + 0.1)
        matrix.set_float_info("label_upper_bound", np.abs(y) + 2)
    else:
        matrix.set_label(y)
    if objective.startswith("rank:"):
        matrix.set_group([len(x) // 10] * 10)
    params = {"objective": objective, "seed": int(rng.integers(1 << 30)), **CPU, **(params or {})}
    if objective.startswith("multi:"):
        params["num_class"] = n_class
    return xgb.train(params, matrix, rounds), x


def thresholds_of(model: dict) -> dict[int, np.ndarray]:
    """Numeric thresholds of each feature, from the model's JSON."""
    booster = model["learner"]["gradient_booster"]
    booster = booster.get("gbtree", booster)
    found = {}
    for tree in booster["model"].get("trees", []):
        for left, feature, cut, kind in zip(tree["left_children"], tree["split_indices"], tree["split_conditions"],
                                            tree.get("split_type", [0] * len(tree["left_children"]))):
            if left != -1 and kind == 0:
                found.setdefault(feature, []).append(cut)
    return {feature: np.unique(np.array(cuts, np.float32)).astype(np.float64) for feature, cuts in found.items()}


# ---- asking XGBoost ------------------------------------------------------------------------------------------------

def oracle_of(booster, categorical=None, matrix_only=False, ulp=0):
    """`matrix_only`: DART and gblinear, whose inplace_predict is another formula or none; it forbids infinities."""
    def ask(x, **how):
        if matrix_only or how.get("pred_leaf"):
            matrix = xgb.DMatrix(x, missing=np.nan, feature_types=categorical, enable_categorical=bool(categorical))
            if how.pop("prediction", False):
                return booster.predict(matrix, **how)
            return booster.predict(matrix, output_margin=not how.get("pred_leaf"), **how)
        if how.pop("prediction", False):
            return booster.inplace_predict(x, validate_features=False, **how)
        return booster.inplace_predict(x, predict_type="margin", validate_features=False, **how)

    linear = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"] == "gblinear"
    return bit_check.Oracle(
        margin=ask,
        prediction=lambda x: ask(x, prediction=True),
        leaf=(lambda x: ask(x, pred_leaf=True)) if matrix_only and not linear else None,
        margin_of_range=None if linear else lambda x, begin, end: ask(x, iteration_range=(begin, end)),
        prediction_ulp=ulp, prediction_type=np.float32)


def check(tally, kind, name, booster, seen, rng, n=1100, n_categories=None, matrix_only=False, formats=("json", "ubj"),
          nan_rate=0.1, endless=True):
    raw = {form: bytes(booster.save_raw(form)) for form in formats}
    thresholds = thresholds_of(json.loads(bytes(booster.save_raw("json"))))
    types = None
    if n_categories:
        types = ["c" if j in n_categories else "float" for j in range(seen.shape[1])]
    rows = probe_rows.probe(rng, seen, thresholds, n, categories=set(n_categories or ()), nan_rate=nan_rate,
                            endless=endless and not matrix_only)
    oracle = oracle_of(booster, types, matrix_only)
    count = tally("XGBoost", kind)
    model = bit_check.Checker(name, raw[formats[0]], oracle, rows, count).run()
    for form in formats[1:]:  # another spelling of the same model is the same model
        assert c_interface.Model.imported(raw[form]).saved() == model.saved(), f"{form} and {formats[0]} differ"
    if not matrix_only and not n_categories:
        finite = probe_rows.probe(rng, seen, thresholds, 200, nan_rate=nan_rate, endless=False)
        leaf = oracle_of(booster, types, matrix_only=True)
        leaf.prediction = leaf.margin_of_range = None
        bit_check.Checker(name + "-leaf", raw[formats[0]], leaf, finite, count).run()
    return model


def seeds(*parts):
    return np.random.default_rng([sum(map(ord, str(p))) for p in parts])


# ---- tests ---------------------------------------------------------------------------------------------------------

OBJECTIVES = ["reg:squarederror", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror", "reg:absoluteerror",
              "reg:quantileerror", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson",
              "survival:cox", "survival:aft", "multi:softmax", "multi:softprob", "rank:ndcg", "rank:map",
              "rank:pairwise", "reg:gamma", "reg:tweedie"]


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_objective(objective, seed, tally):
    rng = seeds(objective, seed)
    params = {"max_depth": 4, "eta": 0.5}
    if objective == "reg:quantileerror":
        params["quantile_alpha"] = 0.3 if seed % 2 else np.array([0.2, 0.5, 0.9])
    booster, x = train(rng, objective, params, n_class=3 + seed)
    check(tally, "objective", f"xgb-{objective}-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("depth", range(1, 11))
def test_depth(depth, seed, tally):
    rng = seeds("depth", depth, seed)
    booster, x = train(rng, "reg:squarederror", {"max_depth": depth, "min_child_weight": 0, "eta": 0.3},
                       n_rows=1500, n_features=4 + depth, rounds=20, nan_rate=[0, 0.05, 0.4][seed % 3])
    n = 10_007 if seed == 0 else 1100
    check(tally, f"depth {depth}", f"xgb-depth-{depth}-{seed}", booster, x, rng, n=n)


MISSING = [0.0, -999.0, 0.1, 1e-40, math.inf]


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("value", MISSING)
@pytest.mark.parametrize("kind", ["gbtree", "categories", "dart", "gblinear"])
def test_missing_value(kind, value, seed, tally):
    """missing= other than NaN, which XGBoost compares as float, in whatever path; its files do not hold it."""
    rng = seeds("missing value", kind, value, seed)
    n_categories = {1: 6, 3: 20} if kind == "categories" else {}
    x = training_rows(rng, 700, 7, 0.1, n_categories)
    y = signal(rng, x)
    x = np.where(rng.random(x.shape) < 0.15, np.float32(value), x)
    types = ["c" if j in n_categories else "float" for j in range(x.shape[1])] if n_categories else None
    about = {"feature_types": types, "enable_categorical": bool(types), "missing": value}
    params = {"booster": "gbtree" if types else kind, "max_depth": 4, "rate_drop": 0.3, "max_cat_to_onehot": 4, **CPU}
    if kind in ("gbtree", "categories", "gblinear"):
        del params["rate_drop"]
    booster = xgb.train(params, xgb.DMatrix(x, y, **about), 10)
    seen = np.where(x == np.float32(value), np.nan, x)
    rows = probe_rows.probe(rng, seen, thresholds_of(json.loads(bytes(booster.save_raw("json")))), 1100,
                            categories=set(n_categories), nan_rate=0.1, endless=kind not in ("dart", "gblinear"))
    near = [value, float(np.float32(value)), float(np.nextafter(np.float32(value), np.float32(9))), -value]
    chosen = rng.random(rows.shape) < 0.2
    for j in range(rows.shape[1]):  # a category's value beside the missing one would be another category, or none
        rows[chosen[:, j], j] = rng.choice([value] if j in n_categories else near, chosen[:, j].sum())
    if kind in ("dart", "gblinear") and value != math.inf:
        rows[np.isinf(rows)] = 1.0
    rows[rows == -math.inf] = -2.0  # refused by XGBoost where missing= is infinite

    def ask(rows, **how):
        output = how.pop("prediction", False)
        with np.errstate(over="ignore"):
            rows = rows if kind in ("gbtree", "categories") else rows.astype(np.float32)
        if kind in ("gbtree", "categories"):
            return booster.inplace_predict(rows, predict_type="value" if output else "margin", validate_features=False,
                                           missing=value, **how)
        return booster.predict(xgb.DMatrix(rows, **about), output_margin=not output, **how)

    oracle = bit_check.Oracle(
        margin=ask, prediction=lambda rows: ask(rows, prediction=True), prediction_type=np.float32,
        margin_of_range=None if kind == "gblinear" else lambda rows, begin, end: ask(rows, iteration_range=(begin, end)))
    raw = bytes(booster.save_raw("ubj"))
    bit_check.Checker(f"xgb-missing-value-{kind}-{value}-{seed}", raw, oracle, rows, tally("XGBoost", "missing="),
                      missing=value).run()


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("nan_rate", [0.0, 0.01, 0.5, 0.95])
def test_missing(nan_rate, seed, tally):
    rng = seeds("missing", nan_rate, seed)
    booster, x = train(rng, "binary:logistic", {"max_depth": 5}, nan_rate=nan_rate, n_features=9)
    check(tally, "missing values", f"xgb-missing-{nan_rate}-{seed}", booster, x, rng, nan_rate=nan_rate or 0.02)


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
def test_many_cuts(seed, tally):
    """More than 255 thresholds of one feature: codes of two bytes."""
    rng = seeds("cuts", seed)
    method = {"tree_method": "exact"} if seed % 2 else {"tree_method": "hist", "max_bin": 4096}
    x = rng.standard_normal((4000, 2)).astype(np.float32)
    matrix = xgb.DMatrix(x, signal(rng, x))
    booster = xgb.train({"max_depth": 7, "min_child_weight": 0, **method, **CPU}, matrix, 25)
    model = check(tally, "more than 255 cuts", f"xgb-cuts-{seed}", booster, x, rng, n=2200)
    assert model.info.max_cuts > 255


@pytest.mark.parametrize("seed", range(4 * N_SEEDS))
def test_categories(seed, tally):
    rng = seeds("categories", seed)
    n_categories = {0: 5, 2: 40, 3: 2, 5: [64, 33, 129, 300][seed % 4]}
    params = {"max_depth": 5, "max_cat_to_onehot": [1, 8, 1000][seed % 3], "max_cat_threshold": 64}
    objective = ["binary:logistic", "reg:squarederror", "multi:softprob"][seed % 3]
    booster, x = train(rng, objective, params, n_rows=1500, n_features=7, n_categories=n_categories, rounds=10)
    check(tally, "categories", f"xgb-categories-{seed}", booster, x, rng, n=2500, n_categories=n_categories)


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
def test_classes_and_parallel_trees(seed, tally):
    rng = seeds("classes", seed)
    objective = ["multi:softprob", "multi:softmax"][seed % 2]
    params = {"max_depth": 3, "num_parallel_tree": 1 + seed % 3, "subsample": 0.7, "colsample_bynode": 0.7}
    booster, x = train(rng, objective, params, n_class=2 + 3 * seed, rounds=5)
    check(tally, "classes, parallel trees", f"xgb-classes-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_targets(seed, tally):
    rng = seeds("targets", seed)
    booster, x = train(rng, "reg:squarederror", {"max_depth": 4, "multi_strategy": "one_output_per_tree"},
                       n_targets=2 + seed)
    check(tally, "targets", f"xgb-targets-{seed}", booster, x, rng)


@pytest.mark.parametrize("seed", range(3 * N_SEEDS))
def test_dart(seed, tally):
    rng = seeds("dart", seed)
    params = {"booster": "dart", "rate_drop": 0.4, "max_depth": 4, "one_drop": 1,
              "normalize_type": ["tree", "forest"][seed % 2]}
    objective = ["reg:squarederror", "binary:logistic", "multi:softprob"][seed % 3]
    booster, x = train(rng, objective, params, rounds=15)
    check(tally, "dart", f"xgb-dart-{seed}", booster, x, rng, matrix_only=True)


@pytest.mark.parametrize("seed", range(3 * N_SEEDS))
def test_linear(seed, tally):
    rng = seeds("gblinear", seed)
    objective = ["reg:squarederror", "binary:logistic", "multi:softprob", "count:poisson"][seed % 4]
    booster, x = train(rng, objective, {"booster": "gblinear", "updater": "coord_descent", "eta": 0.1}, rounds=4,
                       n_features=1 + 5 * seed)
    check(tally, "gblinear", f"xgb-gblinear-{seed}", booster, x, rng, matrix_only=True)


@pytest.mark.parametrize("base_score", [0.5, 0.01, 0.999, 1e-7, 0.123456789])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_base_score(objective, base_score, tally):
    if objective == "survival:cox" and base_score == 1e-7:
        base_score = 3.25
    rng = seeds(objective, base_score)
    params = {"max_depth": 3, "base_score": base_score, "quantile_alpha": 0.5}
    booster, x = train(rng, objective, params, rounds=3, n_rows=300)
    check(tally, "base score", f"xgb-base-{objective}-{base_score}", booster, x, rng, n=300)


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_forest_of_deep_trees(seed, tally):
    """More than 256 leaves in a tree: only the walk serves them."""
    rng = seeds("forest", seed)
    params = {"num_parallel_tree": 12, "max_depth": 16, "min_child_weight": 0, "subsample": 0.8, "eta": 1,
              "colsample_bynode": 0.8, "lambda": 0, "max_bin": [256, 1024, 64][seed % 3]}
    booster, x = train(rng, ["reg:squarederror", "binary:logistic"][seed % 2], params, n_rows=6000, rounds=1,
                       n_features=10)
    model = check(tally, "deep forest", f"xgb-forest-{seed}", booster, x, rng, n=5000, formats=("ubj", "json"))
    assert model.info.max_leaves > 256


@pytest.mark.parametrize("seed", range(max(1, N_SEEDS // 3)))
def test_large_batch(seed, tally):
    rng = seeds("large", seed)
    booster, x = train(rng, "binary:logistic", {"max_depth": 6}, n_rows=5000, n_features=28, rounds=60)
    check(tally, "100,000 rows", f"xgb-large-{seed}", booster, x, rng, n=100_000)


# ---- models edited by hand -----------------------------------------------------------------------------------------

CUTS = [0.0, -0.0, 1e-45, -1e-45, 1e-40, 1.17549435e-38, 1e-35, 3.4028235e38, -3.4028235e38, math.inf, -math.inf,
        math.nan, 1.0, 0.1, 16777216.0]


def edited(booster, change):
    model = json.loads(bytes(booster.save_raw("json")))
    gbtree = model["learner"]["gradient_booster"]
    for tree in gbtree.get("gbtree", gbtree)["model"]["trees"]:
        change(tree)
    changed = xgb.Booster(CPU)
    changed.load_model(bytearray(json.dumps(model).encode()))
    return changed


@pytest.mark.parametrize("seed", range(4 * N_SEEDS))
def test_awkward_thresholds(seed, tally):
    rng = seeds("awkward", seed)
    booster, x = train(rng, "reg:squarederror", {"max_depth": 4}, n_features=4, rounds=10)

    def change(tree):
        for node, left in enumerate(tree["left_children"]):
            if left != -1 and rng.random() < 0.5:
                tree["split_conditions"][node] = float(np.float32(rng.choice(CUTS)))
            tree["default_left"][node] = int(rng.integers(0, 2))

    changed = edited(booster, change)
    check(tally, "awkward thresholds", f"xgb-awkward-{seed}", changed, x, rng, nan_rate=0.2)


@pytest.mark.parametrize("seed", range(4 * N_SEEDS))
def test_order_of_additions(seed, tally):
    """Leaves from 1e-30 to 1e30, so that any other order of additions gives other bits."""
    rng = seeds("order", seed)
    booster, x = train(rng, "reg:squarederror", {"max_depth": 1 + seed % 7, "base_score": 0.1234}, rounds=60)
    spread = [6, 30][seed % 2]

    def change(tree):
        for node, left in enumerate(tree["left_children"]):
            if left == -1:
                value = rng.choice([-1, 1]) * 10.0 ** rng.uniform(-spread, spread)
                tree["split_conditions"][node] = float(np.float32(value))

    changed = edited(booster, change)
    check(tally, "order of additions", f"xgb-order-{seed}", changed, x, rng)


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "count:poisson", "binary:hinge"])
@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_extreme_margins(objective, seed, tally):
    rng = seeds("extreme", objective, seed)
    booster, x = train(rng, objective, {"max_depth": 4}, rounds=4)
    values = [-200.0, 200.0, 88.7, -88.7, 88.8, -104.0, 0.0, -0.0, 1e-40, 3e38, 17.0, math.inf, -math.inf]

    def change(tree):
        for node, left in enumerate(tree["left_children"]):
            if left == -1 and rng.random() < 0.4:
                tree["split_conditions"][node] = float(np.float32(rng.choice(values)))

    changed = edited(booster, change)
    check(tally, "extreme margins", f"xgb-extreme-{objective}-{seed}", changed, x, rng)


def as_written_by_1(model: dict) -> None:
    """Spell a model as XGBoost 1.0 to 1.5 did: scalar base score, booleans, no iterations, no kinds of splits."""
    learner = model["learner"]
    model["version"] = [1, 5, 2]
    parameters = learner["learner_model_param"]
    parameters["base_score"] = parameters["base_score"].strip("[]").split(",")[0]
    for key in ("num_target", "boost_from_average"):
        parameters.pop(key, None)
    gbtree = learner["gradient_booster"]["model"]
    gbtree.pop("iteration_indptr", None)
    gbtree.pop("cats", None)
    gbtree["gbtree_model_param"]["size_leaf_vector"] = "0"
    for tree in gbtree["trees"]:
        tree["default_left"] = [bool(left) for left in tree["default_left"]]
        tree["tree_param"]["size_leaf_vector"] = "0"
        for key in ("split_type", "categories", "categories_nodes", "categories_segments", "categories_sizes"):
            tree.pop(key, None)


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic", "multi:softprob", "count:poisson"])
def test_files_as_1_wrote_them(objective, tally):
    rng = seeds("old", objective)
    booster, x = train(rng, objective, {"max_depth": 5, "num_parallel_tree": 2, "base_score": 0.3})
    model = json.loads(bytes(booster.save_raw("json")))
    as_written_by_1(model)
    rows = probe_rows.probe(rng, x, thresholds_of(model), 1100)
    bit_check.Checker(f"xgb-old-{objective}", json.dumps(model).encode(), oracle_of(booster), rows,
                      tally("XGBoost", "files as 1.x wrote them")).run()


def test_memory_snapshot(tally):
    """What pickles hold: {"Model": …, "Config": …}."""
    rng = seeds("snapshot")
    booster, x = train(rng, "binary:logistic", {"max_depth": 4})
    snapshot = {"Model": json.loads(bytes(booster.save_raw("json"))), "Config": {"version": [3, 2, 0]}}
    rows = probe_rows.probe(rng, x, {}, 300)
    bit_check.Checker("xgb-snapshot", json.dumps(snapshot).encode(), oracle_of(booster), rows,
                      tally("XGBoost", "memory snapshot")).run()


@pytest.mark.parametrize("place", ["beside the model", "inside the model"])
def test_dart_weights_of_newer_files(place, tally):
    rng = seeds("new dart")
    booster, x = train(rng, "reg:squarederror", {"booster": "dart", "rate_drop": 0.5, "max_depth": 3}, rounds=12)
    model = json.loads(bytes(booster.save_raw("json")))
    dart = model["learner"]["gradient_booster"]
    weights = dart["weight_drop"]
    assert len(set(weights)) > 1
    model["learner"]["gradient_booster"] = newer = {"name": "gbtree", "model": dart["gbtree"]["model"]}
    (newer if place.startswith("beside") else newer["model"])["weight_drop"] = weights
    rows = probe_rows.probe(rng, x, thresholds_of(model), 600, endless=False)
    oracle = oracle_of(booster, matrix_only=True)
    bit_check.Checker(f"xgb-dart-{place.split()[0]}", json.dumps(model).encode(), oracle, rows,
                      tally("XGBoost", "dart")).run()


def test_vector_leaves_match_or_are_refused_by_name(tally):
    rng = seeds("vector")
    booster, x = train(rng, "reg:squarederror", {"max_depth": 3, "multi_strategy": "multi_output_tree",
                                                 "tree_method": "hist"}, n_targets=3)
    try:
        c_interface.Model.imported(bytes(booster.save_raw("ubj")))
    except c_interface.ScoreError as refused:
        assert refused.code == "UNSUPPORTED" and "vector" in refused.text.lower(), refused
        return
    check(tally, "vector leaves", "xgb-vector", booster, x, rng)
