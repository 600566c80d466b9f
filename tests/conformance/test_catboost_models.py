"""Models that CatBoost trained, or loaded after their borders and leaves were replaced by awkward values, against
CatBoost itself. Every model comes from its seed alone.

CatBoost sums each row's trees in order, whatever its batches: the whole batch and single rows give the same bits, which
test_batches_of_one asserts. So do predictions, but for exponents out of the range of its exp(), which are a lone row's here
(test_exponents_of_all_magnitudes).
"""
import json
import pathlib
import tempfile

import catboost
import numpy as np
import pytest

import bit_check
import probe_rows
import scoreline
from conftest import MODE

N_SEEDS = {"quick": 1, "default": 3, "long": 12}[MODE]
COMMON = {"thread_count": 1, "verbose": 0, "allow_writing_files": False}
RANGE = -708.3964185322641, 709.782712893384  # of CatBoost's exp()


# ---- making models -------------------------------------------------------------------------------------------------

def training_rows(rng, n, n_features, nan_rate):
    x = np.column_stack([[rng.standard_normal(n), np.round(rng.standard_normal(n), 1), rng.exponential(1, n),
                          np.where(rng.random(n) < 0.4, 0.0, rng.standard_normal(n))][rng.integers(0, 4)]
                         for _ in range(n_features)])
    x[rng.random(x.shape) < nan_rate] = np.nan
    return x


def labels(rng, x, loss):
    filled = np.nan_to_num(x, nan=0.7)
    y = filled @ rng.standard_normal(x.shape[1]) + np.sin(3 * filled) @ rng.standard_normal(x.shape[1])
    rank = np.argsort(np.argsort(y))
    if loss.startswith(("MultiClass", "PairLogit", "YetiRank", "StochasticRank", "LambdaMart")):
        return rank * 4 // len(y)
    if loss.startswith(("Logloss", "CrossEntropy", "Focal", "QuerySoftMax", "StochasticFilter")):
        return rank > len(y) // 2
    if loss == "Cox":
        return np.where(filled[:, 0] > 0, 1, -1) * (np.abs(y) + 0.5)
    if loss == "SurvivalAft":
        return np.column_stack([np.abs(y) + 0.5, np.where(filled[:, 0] > 0, -1, np.abs(y) + 2)])
    if loss == "MultiCrossEntropy":
        return np.column_stack([rank / len(y), filled[:, 0] > np.median(filled[:, 0])]).astype(float)
    if loss == "MultiLogloss":
        return np.column_stack([rank > len(y) // 2, filled[:, 0] > np.median(filled[:, 0]), rank % 3 > 0]).astype(int)
    if loss.startswith("MultiRMSE"):
        return np.column_stack([y, filled[:, 0], -2 * y])
    return np.abs(y) + 0.5 if loss.startswith(("Poisson", "Tweedie", "MAPE", "LogLin", "RMSPE")) else y


def train(rng, loss="RMSE", n_rows=700, n_features=6, nan_rate=0.05, rounds=20, **params):
    x = training_rows(rng, n_rows, n_features, nan_rate)
    merged = {"loss_function": loss, "iterations": rounds, "random_seed": int(rng.integers(1 << 30)), **COMMON,
              **params}
    model = catboost.CatBoost(merged)
    group = np.repeat(np.arange(n_rows // 10), 10) if loss.startswith(GROUPED) else None
    return model.fit(catboost.Pool(x, labels(rng, x, loss), group_id=group)), x


def json_of(model) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        return json.loads(path.read_text())


def reloaded(document: dict):
    """The model of an edited document, and the document of that model: CatBoost's reader of JSON does not round
    correctly, so the numbers that it took are not those it was given."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "model.json"
        path.write_text(json.dumps(document))
        model = catboost.CatBoost().load_model(str(path), format="json")
    return model, json_of(model)


def edited(document: dict, borders=None, leaves=None) -> dict:
    """Replace borders (of features and splits alike, ascending) and leaf values."""
    features = document["features_info"]["float_features"]
    if borders:
        for feature in features:
            feature["borders"] = sorted(borders(b) for b in feature["borders"])
    flat = [(f["feature_index"], b) for f in features for b in f["borders"]]

    def visit(node):
        for split in [node["split"]] if "split" in node else node.get("splits") or []:
            split["border"] = flat[split["split_index"]][1]
        for key in ("leaf_values", "value"):
            if leaves and key in node:
                node[key] = [leaves() for _ in node[key]] if isinstance(node[key], list) else leaves()
        for key in ("left", "right"):
            if key in node:
                visit(node[key])

    for tree in document.get("oblivious_trees") or document["trees"]:
        visit(tree)
    return document


# ---- asking CatBoost -----------------------------------------------------------------------------------------------

KINDS = {"Logloss": "Probability", "CrossEntropy": "Probability", "MultiClass": "Probability",
         "MultiClassOneVsAll": "Probability", "MultiLogloss": "Probability", "MultiCrossEntropy": "Probability",
         "Focal": "Probability", "Poisson": "Exponent", "Tweedie": "Exponent",
         "RMSEWithUncertainty": "RMSEWithUncertainty"}
BINARY = ("Logloss", "CrossEntropy", "Focal")


def check(tally, kind, name, model, seen, rng, n=1100, loss="RMSE", nan_rate=0.1, document=None):
    document = document or json_of(model)
    base = np.asarray(document["scale_and_bias"][1], float)
    cuts = {f["flat_feature_index"]: np.array(f["borders"], float)
            for f in document["features_info"]["float_features"]}
    rows = probe_rows.probe(rng, seen, cuts, n, nan_rate=nan_rate)
    output = KINDS.get(loss.partition(":")[0])

    def predict(x, kind="RawFormulaVal", **range_):
        with np.errstate(over="ignore"):
            found = model.predict(x.astype(np.float32), prediction_type=kind, thread_count=1, **range_)
        return bit_check.as_doubles(found)

    def prediction(x):
        both = predict(x, output)
        return both[:, 1:] if loss.startswith(BINARY) else both

    def margin_of_range(x, begin, end):
        found = predict(x, ntree_start=begin, ntree_end=end)
        return np.where(base != 0, found + base, found) if begin and base.any() else found  # CatBoost's base belongs to tree 0

    # Leaves of other than symmetric trees are numbered as CatBoost numbers them once it has read them from JSON.
    numbering = reloaded(document)[0] if "trees" in document else model
    oracle = bit_check.Oracle(
        margin=predict, prediction=prediction if output else predict,
        margin_of_range=margin_of_range,
        leaf=lambda x: numbering.calc_leaf_indexes(x.astype(np.float32)))
    return bit_check.Checker(name, json.dumps(document).encode(), oracle, rows, tally("CatBoost", kind)).run()


def seeds(*parts):
    return np.random.default_rng([sum(map(ord, str(p))) for p in parts])


# ---- tests ---------------------------------------------------------------------------------------------------------

# Every loss function of 1.2.10 that trains without a GPU.
LOSSES = ["RMSE", "MAE", "Quantile:alpha=0.3", "Expectile:alpha=0.3", "MAPE", "Huber:delta=1", "LogCosh", "Poisson",
          "Tweedie:variance_power=1.5", "Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", "MultiLogloss",
          "MultiRMSE", "MultiQuantile:alpha=0.2,0.8", "QueryRMSE", "YetiRank",
          "YetiRankPairwise", "PairLogit", "PairLogitPairwise", "QuerySoftMax", "StochasticFilter",
          "StochasticRank:metric=NDCG", "LambdaMart", "GroupQuantile:alpha=0.3", "LogLinQuantile:alpha=0.3", "Lq:q=3",
          "RMSPE", "Cox", "SurvivalAft", "Focal:focal_alpha=0.3;focal_gamma=2", "MultiCrossEntropy",
          "MultiRMSEWithMissingValues", "RMSEWithUncertainty"]
GROUPED = ("YetiRank", "PairLogit", "Query", "Stochastic", "LambdaMart", "GroupQuantile")


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("loss", LOSSES)
def test_loss(loss, seed, tally):
    rng = seeds(loss, seed)
    model, x = train(rng, loss, depth=int(rng.integers(1, 7)), learning_rate=0.3)
    check(tally, "loss function", f"cb-{loss.partition(':')[0]}-{seed}", model, x, rng, loss=loss)


@pytest.mark.parametrize("policy", ["SymmetricTree", "Lossguide"])
@pytest.mark.parametrize("classes", [{"classes_count": 7}, {"class_names": [0, 1, 2, 3, 4]}, {"class_names": list("dcba")}], ids=str)
@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll"])
def test_classes_that_training_did_not_see(loss, classes, policy, tally):
    """Their margin is minus infinity, and they count as classes."""
    rng = seeds("unseen classes", loss, policy, *classes)
    x = training_rows(rng, 400, 4, 0.05)
    seen = np.array(list("ac")) if "d" in classes.get("class_names", ()) else np.array([0, 2, 4])
    y = seen[labels(rng, x, loss) % len(seen)]
    model = catboost.CatBoostClassifier(loss_function=loss, iterations=12, random_seed=1, grow_policy=policy, **classes, **COMMON)
    model.fit(x, y)
    check(tally, "classes not seen", f"cb-unseen-{loss}-{policy}", model, x, rng, n=400, loss=loss)
    ours = scoreline.convert(model)
    assert (ours.predict_class(x) == model.predict(x).ravel()).all()
    np.testing.assert_allclose(ours.predict(x), model.predict_proba(x), rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("mode", ["Min", "Max", "Forbidden"])
def test_missing_values(mode, seed, tally):
    """Rows with missing values also meet features that had none in training."""
    rng = seeds("nan", mode, seed)
    model, x = train(rng, nan_rate=0.0 if mode == "Forbidden" else 0.2, nan_mode=mode, depth=4)
    check(tally, f"nan_mode {mode}", f"cb-nan-{mode}-{seed}", model, x, rng, nan_rate=0.3)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("depth", [1, 2, 3, 6, 8, 9, 12])
def test_depth(depth, seed, tally):
    rng = seeds("depth", depth, seed)
    model, x = train(rng, ["RMSE", "Logloss", "MultiClass"][seed % 3], depth=depth, rounds=[30, 7, 3][seed % 3],
                     boosting_type="Plain")
    check(tally, "symmetric trees", f"cb-depth-{depth}-{seed}", model, x, rng,
          loss=["RMSE", "Logloss", "MultiClass"][seed % 3])


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
@pytest.mark.parametrize("policy", ["Depthwise", "Lossguide"])
def test_grow_policy(policy, seed, tally):
    rng = seeds(policy, seed)
    loss = ["RMSE", "MultiClass", "Logloss"][seed % 3]
    model, x = train(rng, loss, grow_policy=policy, depth=int(rng.integers(1, 9)), min_data_in_leaf=3)
    check(tally, policy, f"cb-{policy}-{seed}", model, x, rng, loss=loss)


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
def test_borders(seed, tally):
    rng = seeds("borders", seed)
    count = [4, 254, 255, 600][seed % 4]
    model, x = train(rng, n_rows=2500, n_features=3, border_count=count, depth=6, rounds=40)
    check(tally, "many borders", f"cb-borders-{seed}", model, x, rng, n=2000)


@pytest.mark.parametrize("seed", range(2 * N_SEEDS))
def test_scale_and_bias(seed, tally):
    rng = seeds("scale", seed)
    model, x = train(rng)
    model.set_scale_and_bias(float(rng.choice([0.3, 1.0, -2.5, 1e-9])), float(rng.choice([0.0, 0.7, -1e5])))
    check(tally, "scale and bias", f"cb-scale-{seed}", model, x, rng)


@pytest.mark.parametrize("seed", range(4 * N_SEEDS))
def test_order_of_additions(seed, tally):
    rng = seeds("order", seed)
    params = {"grow_policy": "Lossguide"} if seed % 3 == 2 else {}
    loss = ["RMSE", "MultiClass"][seed // 2 % 2]
    model, x = train(rng, loss, rounds=61, depth=1 + seed % 9, **params)
    spread = [12, 200][seed % 2]
    model, document = reloaded(edited(
        json_of(model), leaves=lambda: float(rng.choice([-1, 1]) * 10.0 ** rng.uniform(-spread, spread))))
    check(tally, "order of additions", f"cb-order-{seed}", model, x, rng, loss=loss, document=document)


CUTS = [0.0, -0.0, 1e-45, -1e-45, 1e-40, 3.4028234663852886e38, -3.4028234663852886e38, 0.10000000149011612, 1.0]


@pytest.mark.parametrize("treatment", ["AsIs", "AsFalse", "AsTrue"])
@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_awkward_borders(treatment, seed, tally):
    rng = seeds("awkward", treatment, seed)
    model, x = train(rng, border_count=12, n_features=4)
    document = edited(json_of(model), borders=lambda b: float(rng.choice(CUTS)) if rng.random() < 0.5 else b)
    for feature in document["features_info"]["float_features"]:
        feature["nan_value_treatment"] = treatment
        feature["has_nans"] = bool(rng.random() < 0.7)
    model, document = reloaded(document)
    check(tally, "awkward borders", f"cb-awkward-{treatment}-{seed}", model, x, rng, n=2000, nan_rate=0.3,
          document=document)


def same_bits(got, want):
    got, want = np.ascontiguousarray(got), np.ascontiguousarray(want)
    return got.shape == want.shape and ((got.view(np.uint64) == want.view(np.uint64)) | (np.isnan(got) & np.isnan(want))).all()


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("loss", ["Poisson", "Tweedie:variance_power=1.5", "RMSEWithUncertainty", "MultiClass"])
def test_exponents_of_all_magnitudes(loss, seed):
    """Also where CatBoost's own answer depends on the row's place in the batch: in fours it bounds what its exp() takes, while
    the last rows of a call, up to three, become zero or infinity."""
    rng = seeds("exponents", loss, seed)
    model, x = train(rng, loss, rounds=40, depth=6)
    model, document = reloaded(edited(json_of(model), leaves=lambda: float(rng.normal() * rng.choice([0.02, 0.5, 15, 150]))))
    ours = scoreline.convert(json.dumps(document).encode())
    margins, scores = ours.predict(x, "margin"), ours.predict(x)
    kind = KINDS[loss.partition(":")[0]]
    theirs = model.predict(x, prediction_type=kind)
    assert (margins == model.predict(x, prediction_type="RawFormulaVal")).all()
    taken = {"Exponent": lambda: margins, "RMSEWithUncertainty": lambda: 2 * margins[:, 1],
             "Probability": lambda: margins - margins.max(axis=1, keepdims=True)}[kind]()
    outside = ~((taken > RANGE[0]) & (taken < RANGE[1]))
    assert np.abs(taken).max() > 720 and outside.any() and outside.mean() < 0.9
    if kind == "Probability":
        assert same_bits(scores, theirs)
        return
    assert same_bits(scores[~outside], theirs[~outside])
    for i in np.flatnonzero(outside)[:50]:
        assert same_bits(scores[i:i + 1], bit_check.as_doubles(model.predict(x[i:i + 1], prediction_type=kind)).reshape(
            scores[i:i + 1].shape))


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("n_classes", range(2, 14))
def test_softmax_of_many_classes(n_classes, seed):
    """Classes are taken in fours, and those that are left over one by one: their limits differ."""
    rng = seeds("softmax", n_classes, seed)
    x = rng.standard_normal((600, 5))
    model = catboost.CatBoost({"loss_function": "MultiClass", "iterations": 15, "depth": 5, "classes_count": n_classes, **COMMON})
    model.fit(x, rng.integers(0, n_classes, len(x)))
    for scale in (1, 40, 1000, 1e308):  # sums of the last are infinite at times
        edit, document = reloaded(edited(
            json_of(model), leaves=lambda: float(np.clip(rng.normal(), -1.5, 1.5) * rng.choice([0.02, 1]) * scale)))  # noqa: B023
        ours = scoreline.convert(json.dumps(document).encode())
        assert same_bits(ours.predict(x, "margin"), edit.predict(x, prediction_type="RawFormulaVal"))
        assert same_bits(ours.predict(x), edit.predict(x, prediction_type="Probability")), scale


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_batches_of_one(seed):
    """CatBoost's own answers do not depend on the size of the batch."""
    rng = seeds("batches", seed)
    model, x = train(rng, rounds=57, depth=[3, 8, 10][seed % 3])
    whole = model.predict(x[:300])
    for size in (1, 3, 15, 16, 17, 127, 129):
        parts = np.concatenate([model.predict(x[:300][i:i + size]) for i in range(0, 300, size)])
        assert (parts.view(np.uint64) == whole.view(np.uint64)).all(), size
