"""Models that something happened to after their training, drawn at random: continued, refitted, refreshed, sliced, merged, cut
short, their trees shuffled, their leaves replaced. Every output against the library that holds the changed model, bit for bit.
Every model comes from its seed alone.
"""
import json

import catboost
import lightgbm as lgb
import numpy as np
import pytest
import xgboost as xgb

import bit_check
import onnx_models
import probe_rows
import scoreline
import test_catboost_models as catboost_models
import test_lightgbm_models as lightgbm_models
import test_xgboost_models as xgboost_models
from conftest import MODE
from test_random_models import compare, draw_categories

N_SEEDS = {"quick": 2, "default": 12, "long": 100}[MODE]
N_ROWS = 160
KIND = "changed after training"


def probes(rng, x, cuts, **more):
    return probe_rows.probe(rng, x, cuts, N_ROWS, nan_rate=0.15, **more)


# ---- XGBoost -------------------------------------------------------------------------------------------------------

def xgboost_params(rng, kind) -> dict:
    params = {"objective": str(rng.choice(["reg:squarederror", "binary:logistic", "multi:softprob", "count:poisson", "reg:gamma"])),
              "max_depth": int(rng.integers(1, 6)), "num_parallel_tree": int(rng.choice([1, 3])), "eta": float(rng.choice([0.1, 1, 3])),
              "subsample": 0.7, "max_delta_step": float(rng.choice([0, 0.7])), "seed": int(rng.integers(1000)),
              "tree_method": str(rng.choice(["hist", "approx"])), "max_cat_to_onehot": int(rng.choice([1, 100])), **xgboost_models.CPU}
    if params["objective"] == "multi:softprob":
        params["num_class"] = 4
    if kind != "refreshed" and rng.random() < 0.4:
        params.update(booster="dart", rate_drop=0.5, one_drop=int(rng.integers(2)), skip_drop=0.3,
                      sample_type=str(rng.choice(["uniform", "weighted"])), normalize_type=str(rng.choice(["tree", "forest"])))
    if rng.random() < 0.5:
        n = params.get("num_class", 1)
        params["base_score"] = rng.uniform(0.1, 0.9, n).tolist() if n > 1 else 0.3
    return params


def xgboost_matrix(rng, params, x, types, kind):
    objective, n_class = params["objective"], params.get("num_class", 1)
    y = xgboost_models.labels(rng, x, objective, n_class)
    about = {"feature_types": types, "enable_categorical": True, "weight": rng.exponential(1, len(x))}
    if kind == "quantile matrix" and params["tree_method"] == "hist":
        return xgb.QuantileDMatrix(x, y, **about)
    matrix = xgb.DMatrix(x, y, **about)
    if kind == "base margin":
        matrix.set_base_margin(rng.normal(0, 0.5, (len(x), n_class)))
    return matrix


def changed_xgboost(rng, booster, params, matrix, kind):
    rounds = booster.num_boosted_rounds()
    if kind == "continued":
        return xgb.train({**params, "eta": 0.2, "max_depth": 2}, matrix, 3, xgb_model=booster)
    if kind == "refreshed":
        more = {"process_type": "update", "updater": "refresh", "refresh_leaf": int(rng.integers(2))}
        return xgb.train({**params, **more}, matrix, rounds, xgb_model=booster)
    if kind == "sliced":  # XGBoost wants the step to divide the length
        begin, step = int(rng.integers(rounds - 1)), int(rng.integers(1, 3))
        return booster[begin:begin + (rounds - begin) // step * step:step]
    return booster


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("kind", ["continued", "refreshed", "sliced", "quantile matrix", "base margin"])
def test_xgboost(kind, seed, tally):
    rng = xgboost_models.seeds("changed", kind, seed)
    n_features = int(rng.integers(2, 8))
    n_categories = draw_categories(rng, n_features) if rng.random() < 0.4 else {}
    x = xgboost_models.training_rows(rng, 250, n_features, 0.1, n_categories)
    types = ["c" if j in n_categories else str(rng.choice(["float", "int", "q"])) for j in range(n_features)]
    params = xgboost_params(rng, kind)
    matrix = xgboost_matrix(rng, params, x, types, kind)
    booster = changed_xgboost(rng, xgb.train(params, matrix, int(rng.integers(2, 8))), params, matrix, kind)
    is_dart = params.get("booster") == "dart"
    cuts = xgboost_models.thresholds_of(json.loads(bytes(booster.save_raw("json"))))
    rows = probes(rng, x, cuts, categories=set(n_categories), endless=not is_dart)
    compare(f"xgb-{kind}-{seed}", bytes(booster.save_raw(["json", "ubj"][seed % 2])),
            xgboost_models.oracle_of(booster, types, matrix_only=is_dart), rows, tally("XGBoost", KIND),
            leaf=lambda x: booster.predict(xgb.DMatrix(x, feature_types=types, enable_categorical=True), pred_leaf=True))


# ---- LightGBM ------------------------------------------------------------------------------------------------------

WIDE = [lambda codes: codes * 7919, lambda codes: codes - 2, lambda codes: codes + 0.5, lambda codes: codes]


def lightgbm_params(rng, kind) -> dict:
    params = {"objective": str(rng.choice(["regression", "binary", "multiclass", "poisson", "cross_entropy_lambda", "quantile"])),
              "num_leaves": int(rng.choice([3, 12, 40])), "learning_rate": float(rng.choice([0.1, 1, 3])), "cat_smooth": 1,
              "min_data_per_group": 1, "max_cat_threshold": 500, "max_bin": int(rng.choice([3, 255, 65535])),
              "max_cat_to_onehot": int(rng.choice([1, 500])), "zero_as_missing": bool(rng.random() < 0.3),
              "use_quantized_grad": bool(rng.random() < 0.2), "seed": int(rng.integers(1000)), **lightgbm_models.COMMON}
    if kind not in ("continued", "refitted", "rolled back"):
        params["boosting"] = str(rng.choice(["gbdt", "dart", "rf"]))
    if rng.random() < 0.3 or params.get("boosting") == "rf":
        params.update(bagging_freq=1, bagging_fraction=0.6)
    if params["objective"] == "multiclass":
        params["num_class"] = 3
    return params


def changed_lightgbm(rng, booster, params, data, x, y, kind):
    if kind == "continued":
        return lgb.train({**params, "learning_rate": 0.2}, data, 2, init_model=booster)
    if kind == "refitted":
        return booster.refit(x[rng.permutation(len(x))], y, decay_rate=float(rng.choice([0, 0.5, 0.9])))
    if kind == "leaves replaced":
        for value in (-0.0, 1e300, 1e-310, 5.5):
            booster.set_leaf_output(int(rng.integers(booster.num_trees())), 0, value)
    elif kind == "shuffled":
        booster.shuffle_models()
    elif kind == "rolled back":
        booster.rollback_one_iter()
    elif kind == "cut short":
        last = booster.current_iteration()
        text = booster.model_to_string(num_iteration=int(rng.integers(1, last + 1)), start_iteration=int(rng.integers(last)))
        return lgb.Booster(model_str=text)
    return booster


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("kind", ["continued", "refitted", "leaves replaced", "shuffled", "rolled back", "cut short"])
def test_lightgbm(kind, seed, tally):
    rng = lightgbm_models.seeds("changed", kind, seed)
    n_features = int(rng.integers(2, 7))
    n_categories = {0: int(rng.choice([3, 70, 300]))} if rng.random() < 0.5 else {}
    x = lightgbm_models.training_rows(rng, 300, n_features, 0.1, n_categories)
    if n_categories:
        x[:, 0] = WIDE[rng.integers(len(WIDE))](x[:, 0])
    params = lightgbm_params(rng, kind)
    y = lightgbm_models.labels(rng, x, params["objective"], 3)
    data = lgb.Dataset(x, y, params=params, categorical_feature=sorted(n_categories), free_raw_data=False)
    booster = changed_lightgbm(rng, lgb.train(params, data, int(rng.integers(3, 9))), params, data, x, y, kind)
    text = booster.model_to_string()
    booster = lgb.Booster(model_str=text)
    oracle = bit_check.Oracle(
        margin=lambda x: booster.predict(x, raw_score=True), prediction=booster.predict,
        margin_of_range=lambda x, begin, end: booster.predict(x, raw_score=True, start_iteration=begin, num_iteration=end - begin))
    compare(f"lgb-{kind}-{seed}", text.encode(), oracle, probes(rng, x, lightgbm_models.thresholds_of(text), categories=set(n_categories)),
            tally("LightGBM", KIND), leaf=lambda x: booster.predict(x, pred_leaf=True))


# ---- CatBoost ------------------------------------------------------------------------------------------------------

BORDERS = ["GreedyLogSum", "Median", "Uniform", "UniformAndQuantiles", "MaxLogSum", "MinEntropy"]


def changed_catboost(rng, model, params, pool, kind):
    if kind == "continued":
        return catboost.CatBoost({**params, "iterations": 3}).fit(pool, init_model=model)
    if kind == "merged":
        other = catboost.CatBoost({**params, "random_seed": 5}).fit(pool)
        return catboost.sum_models([model, other], weights=[0.7, -1.3])
    if kind == "cut short":
        model.shrink(ntree_end=model.tree_count_, ntree_start=int(rng.integers(model.tree_count_)))
    elif kind == "leaves replaced":
        model.set_leaf_values(rng.permutation(model.get_leaf_values()) * 1e3)
    return model


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("kind", ["continued", "merged", "cut short", "leaves replaced", "baseline", "ordered"])
def test_catboost(kind, seed, tally):
    rng = catboost_models.seeds("changed", kind, seed)
    x = catboost_models.training_rows(rng, 300, int(rng.integers(2, 6)), 0.1)
    loss = str(rng.choice(["RMSE", "Logloss", "MAE"] if kind == "baseline" else ["RMSE", "Logloss", "MultiRMSE", "MultiClassOneVsAll"]))
    params = {"loss_function": loss, "iterations": int(rng.integers(2, 12)), "depth": int(rng.integers(1, 6)), "random_seed": seed,
              "feature_border_type": BORDERS[seed % len(BORDERS)], "border_count": int(rng.choice([1, 16, 1000])),
              "ignored_features": [int(rng.integers(x.shape[1]))], "learning_rate": 0.3, **catboost_models.COMMON}
    if kind == "ordered":
        params.update(boosting_type="Ordered", has_time=True, loss_function=loss if loss in ("RMSE", "Logloss") else "RMSE")
    elif kind != "cut short" and rng.random() < 0.5:
        params["grow_policy"] = str(rng.choice(["Depthwise", "Lossguide"]))
    if rng.random() < 0.3 and kind not in ("baseline", "continued"):
        params.update(model_shrink_rate=0.3, model_shrink_mode=str(rng.choice(["Constant", "Decreasing"])))
    pool = catboost.Pool(x, catboost_models.labels(rng, x, params["loss_function"]),
                         baseline=rng.standard_normal(len(x)) if kind == "baseline" else None)
    model = changed_catboost(rng, catboost.CatBoost(params).fit(pool), params, pool, kind)
    catboost_models.check(tally, KIND, f"cb-{kind}-{seed}", model, x, rng, n=400,
                          loss="RMSE" if kind == "merged" else params["loss_function"])  # a sum of models names no loss


def test_numbers_of_leaves_are_those_of_the_file():
    """CatBoost gives the leaves of a model as trained other numbers than those of the same model from JSON."""
    rng = catboost_models.seeds("numbers of leaves")
    model, x = catboost_models.train(rng, grow_policy="Lossguide", depth=6)
    loaded, _ = catboost_models.reloaded(catboost_models.json_of(model))
    assert (loaded.calc_leaf_indexes(x) != model.calc_leaf_indexes(x)).any()
    assert (loaded.calc_leaf_indexes(x) == scoreline.convert(model).predict(x, "leaf")).all()


# ---- ONNX ----------------------------------------------------------------------------------------------------------

def renumbered(rng, forest):
    """Other numbers for trees and nodes, which say nothing: the order of the attributes does."""
    trees = {}
    for node in forest.nodes:
        trees.setdefault(node.tree, []).append(node)
    for nodes, number in zip(trees.values(), (rng.permutation(len(trees)) * 3 + 5).tolist()):
        ids = dict(zip([node.id for node in nodes], rng.permutation(len(nodes)).tolist()))
        for node in nodes:
            node.tree, node.id = number, ids[node.id]
            if node.mode != onnx_models.LEAF:
                node.yes, node.no = ids[node.yes], ids[node.no]
    return forest


@pytest.mark.parametrize("seed", range(3 * N_SEEDS))
def test_onnx_numbers_of_trees_and_nodes(seed, tally):
    rng = np.random.default_rng([9, seed])
    n_targets = int(rng.integers(1, 4))
    forest = renumbered(rng, onnx_models.random_forest(
        rng, n_trees=int(rng.integers(1, 9)), n_targets=n_targets, modes=list(rng.choice(onnx_models.MODES, 2, replace=False)),
        votes=str(rng.choice(["one", "all"])), spread=float(rng.choice([0, 6]))))
    data = onnx_models.single(onnx_models.regressor(forest), forest)
    session = onnx_models.session(data)

    def scores(x):
        return onnx_models.scores(session, x.astype(np.float32))

    rows = probes(rng, rng.standard_normal((50, forest.n_features)), forest.thresholds())
    compare(f"onnx-numbers-{seed}", data, bit_check.Oracle(margin=scores, prediction=scores), rows,
            tally("onnxruntime", "numbers of trees and nodes"))
