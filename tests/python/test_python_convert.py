"""convert(): margins of live objects and of their files, bit for bit against the libraries that trained them."""

import json
import pathlib
import subprocess

import lightgbm
import numpy as np
import pytest
import xgboost

import scoreline
from conftest import NAMES, make_rows, same_bits, target
from scoreline import _convert


COMMAND = pathlib.Path(__file__).resolve().parents[2] / "build/cli/scoreline"


def xgboost_margins(booster, X, **more):
    return booster.inplace_predict(X, predict_type="margin", validate_features=False, **more)


XGBOOST_PARAMETERS = {
    "squared error": {},
    "logistic": {"objective": "binary:logistic", "base_score": 0.3},
    "softprob": {"objective": "multi:softprob", "num_class": 3},
    "softmax": {"objective": "multi:softmax", "num_class": 3},
    "poisson": {"objective": "count:poisson"},
    "hinge": {"objective": "binary:hinge"},
    "forest": {"num_parallel_tree": 4, "subsample": 0.7, "learning_rate": 1.0},
    "deep": {"max_depth": 10, "min_child_weight": 0},
}


def labels(X, parameters):
    y = target(X)
    objective = parameters.get("objective", "")
    if "multi" in objective:
        return np.digitize(y, [-0.5, 0.5])
    return (y > 0) * 1.0 if "binary" in objective else np.exp(y / 4) if "poisson" in objective else y


@pytest.mark.parametrize("name", XGBOOST_PARAMETERS)
def test_xgboost_booster(name, rows):
    parameters = XGBOOST_PARAMETERS[name]
    booster = xgboost.train({"nthread": 1, **parameters}, xgboost.DMatrix(rows, label=labels(rows, parameters)), 8)
    model = scoreline.convert(booster)
    new = make_rows(seed=2)
    same_bits(model.predict(new, "margin"), xgboost_margins(booster, new))
    np.testing.assert_allclose(model.predict(new), booster.inplace_predict(new, validate_features=False), rtol=1e-6)
    stored_rows, stored = model.golden()
    assert len(stored) > 0
    same_bits(stored.squeeze(), xgboost_margins(booster, stored_rows.astype(np.float32)).squeeze())
    assert model.verify() > 0
    assert np.array_equal(
        model.predict(new, "leaf"), booster.predict(xgboost.DMatrix(new), pred_leaf=True).reshape(len(new), -1)
    )


@pytest.mark.parametrize("kind", ["dart", "gblinear"])
def test_xgboost_other_boosters(kind, rows):
    more = {"rate_drop": 0.5} if kind == "dart" else {}
    booster = xgboost.train({"booster": kind, "nthread": 1, **more}, xgboost.DMatrix(rows, label=target(rows)), 8)
    model = scoreline.convert(booster)
    same_bits(model.predict(rows, "margin"), booster.predict(xgboost.DMatrix(rows), output_margin=True))
    assert model.info.kind == ("trees" if kind == "dart" else "linear")


def test_xgboost_vector_leaves(rows):
    y = np.nan_to_num(rows)[:, :3] * [1, 2, 3]
    parameters = {"multi_strategy": "multi_output_tree", "tree_method": "hist", "nthread": 1}
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, label=y), 6)
    same_bits(scoreline.convert(booster).predict(rows, "margin"), xgboost_margins(booster, rows))


def test_xgboost_slice(booster, rows):
    same_bits(scoreline.convert(booster[2:7]).predict(rows, "margin"), xgboost_margins(booster[2:7], rows))


def test_xgboost_files(tmp_path, booster, rows, margins):
    for name in ("model.json", "model.ubj"):
        booster.save_model(tmp_path / name)
        for source in (tmp_path / name, str(tmp_path / name), (tmp_path / name).read_bytes()):
            model = scoreline.convert(source, name="churn", metadata={"owner": "risk"})
            same_bits(model.predict(rows, "margin"), margins)
            assert model.features == NAMES
            assert model.metadata["name"] == "churn" and model.metadata["owner"] == "risk"


@pytest.mark.parametrize("make", [xgboost.XGBClassifier, xgboost.XGBRegressor, xgboost.XGBRanker])
def test_xgboost_estimators(make, rows):
    y = target(rows) > 0 if make is xgboost.XGBClassifier else np.clip(target(rows), 0, 4).round()
    fit = {"qid": np.arange(len(rows)) // 20} if make is xgboost.XGBRanker else {}
    estimator = make(n_estimators=9, n_jobs=1).fit(rows, y * 1, **fit)
    model = scoreline.convert(estimator)
    same_bits(model.predict(rows, "margin"), xgboost_margins(estimator.get_booster(), rows))
    if make is xgboost.XGBClassifier:
        assert json.loads(model.metadata["class_labels"]) == [0, 1]
        np.testing.assert_allclose(model.predict(rows), estimator.predict_proba(rows)[:, 1], rtol=1e-6)


def test_xgboost_best_iteration(rows):
    """The estimator stops at its best iteration; the bare booster uses all trees. Both as XGBoost itself does."""
    noise = np.random.default_rng(5).normal(size=len(rows))
    estimator = xgboost.XGBRegressor(n_estimators=60, early_stopping_rounds=4, learning_rate=0.6, n_jobs=1)
    estimator.fit(rows[:200], noise[:200], eval_set=[(rows[200:], noise[200:])], verbose=False)
    booster, best = estimator.get_booster(), estimator.best_iteration
    assert best + 1 < booster.num_boosted_rounds()
    model = scoreline.convert(estimator)
    assert model.info.n_trees == best + 1
    same_bits(model.predict(rows), estimator.predict(rows))
    assert scoreline.convert(booster).info.n_trees == booster.num_boosted_rounds()


LIGHTGBM_PARAMETERS = {
    "regression": {"objective": "regression"},
    "binary": {"objective": "binary"},
    "multiclass": {"objective": "multiclass", "num_class": 3},
    "poisson": {"objective": "poisson"},
    "zero is missing": {"objective": "regression", "zero_as_missing": True},
    "forest": {"objective": "regression", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.7},
    "categories": {"objective": "regression", "min_data_per_group": 5},
}


@pytest.mark.parametrize("name", LIGHTGBM_PARAMETERS)
def test_lightgbm_booster(name, rows):
    parameters = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **LIGHTGBM_PARAMETERS[name]}
    y = labels(
        rows,
        {
            "objective": {"binary": "binary", "multiclass": "multi", "poisson": "poisson"}.get(
                parameters["objective"], ""
            )
        },
    )
    categorical = [3] if name == "categories" else []
    data = lightgbm.Dataset(rows.astype(np.float64), y, categorical_feature=categorical)
    booster = lightgbm.train(parameters, data, 8)
    model = scoreline.convert(booster)
    new = make_rows(seed=2).astype(np.float64)
    new[::7, 0] = 0
    same_bits(model.predict(new, "margin"), booster.predict(new, raw_score=True))
    np.testing.assert_allclose(model.predict(new), booster.predict(new), rtol=1e-12)
    assert np.array_equal(model.predict(new, "leaf"), booster.predict(new, pred_leaf=True).reshape(len(new), -1))
    assert model.verify() > 0
    assert model.feature_types == ["category" if i in categorical else "numeric" for i in range(5)]


def test_lightgbm_files(tmp_path, rows):
    booster = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(rows, target(rows)), 5)
    booster.save_model(tmp_path / "model.txt")
    expected = booster.predict(rows, raw_score=True)
    same_bits(scoreline.convert(tmp_path / "model.txt").predict(rows, "margin"), expected)
    same_bits(scoreline.convert((tmp_path / "model.txt").read_bytes()).predict(rows, "margin"), expected)


@pytest.mark.parametrize("make", [lightgbm.LGBMClassifier, lightgbm.LGBMRegressor, lightgbm.LGBMRanker])
def test_lightgbm_estimators(make, rows):
    y = target(rows) > 0 if make is lightgbm.LGBMClassifier else np.clip(target(rows), 0, 4).round()
    fit = {"group": [20] * (len(rows) // 20)} if make is lightgbm.LGBMRanker else {}
    estimator = make(n_estimators=9, n_jobs=1, verbose=-1).fit(rows, y.astype(int), **fit)
    model = scoreline.convert(estimator)
    same_bits(model.predict(rows, "margin"), estimator.booster_.predict(rows, raw_score=True))


def test_lightgbm_best_iteration(rows):
    """A booster that kept the trees beyond its best iteration is scored without them, as LightGBM does."""
    noise = np.random.default_rng(5).normal(size=len(rows))
    train = lightgbm.Dataset(rows[:200], noise[:200])
    booster = lightgbm.train(
        {"learning_rate": 0.6, "verbose": -1, "num_threads": 1},
        train,
        60,
        valid_sets=[lightgbm.Dataset(rows[200:], noise[200:], reference=train)],
        callbacks=[lightgbm.early_stopping(4, verbose=False)],
        keep_training_booster=True,
    )
    assert 0 < booster.best_iteration < booster.num_trees()
    model = scoreline.convert(booster)
    assert model.info.n_trees == booster.best_iteration
    same_bits(model.predict(rows), booster.predict(rows))


def test_golden_margins_must_be_the_sources_own(booster, monkeypatch):
    """A source that answers one float away is noticed, and the message says which row."""

    class Liar:
        """A booster whose second golden row is off by one float."""

        def inplace_predict(self, X, **more):
            answer = booster.inplace_predict(X, **more)
            answer[1] = np.nextafter(answer[1], np.float32(np.inf))
            return answer

        def __getattr__(self, name):
            return getattr(booster, name)

    monkeypatch.setitem(_convert._CONVERTERS, (__name__.partition(".")[0], "Liar"), _convert._of_xgboost)
    with pytest.raises(scoreline.VerifyError, match="1 of .* golden rows differ .* golden row 1"):
        scoreline.convert(Liar())
    assert scoreline.convert(Liar(), golden=False).info.n_golden_rows > 0


@pytest.mark.parametrize("thing", [3, None, object(), {"a": 1}])
def test_other_objects(thing):
    with pytest.raises(scoreline.UnsupportedError, match="cannot convert .*XGBoost, LightGBM or CatBoost"):
        scoreline.convert(thing)


def test_unsupported_estimator(rows):
    from sklearn.neighbors import KNeighborsRegressor

    with pytest.raises(scoreline.UnsupportedError, match="KNeighborsRegressor"):
        scoreline.convert(KNeighborsRegressor().fit(np.nan_to_num(rows), target(rows)))


def test_unsupported_model_names_the_thing(rows):
    """The library's own message comes through."""
    booster = lightgbm.train(
        {"verbose": -1, "objective": "huber", "num_threads": 1}, lightgbm.Dataset(rows, target(rows)), 3
    )
    text = booster.model_to_string().replace("objective=huber", "objective=from_another_planet")
    with pytest.raises(scoreline.UnsupportedError, match="from_another_planet"):
        scoreline.convert(text.encode())


def test_files_that_are_no_models(tmp_path):
    with pytest.raises(scoreline.FileError, match="absent.json") as caught:
        scoreline.convert(tmp_path / "absent.json")
    assert caught.value.status == 3 and isinstance(caught.value, OSError)
    for content in (b"", b"hello", b"{}", b'{"learner": 3}', bytes(range(256))):
        with pytest.raises(scoreline.ScorelineError) as caught:
            scoreline.convert(content)
        assert caught.value.status in (1, 4, 6) and str(caught.value)


def test_error_position(booster):
    """A broken file says where."""
    raw = bytes(booster.save_raw("json"))
    with pytest.raises(scoreline.CorruptError) as caught:
        scoreline.convert(raw[: len(raw) // 2])
    assert caught.value.offset is not None or caught.value.line is not None


@pytest.mark.parametrize("labels", [None, ["yes", 'n"o']])
def test_catboost_objects_answer_their_own_golden_rows(labels):
    catboost = pytest.importorskip("catboost")
    rng = np.random.default_rng(5)
    x = rng.standard_normal((300, 4))
    x[::5, 1] = np.nan
    kind = catboost.CatBoostRegressor if labels is None else catboost.CatBoostClassifier
    y = x[:, 0] if labels is None else np.where(x[:, 0] > 0, *labels)
    source = kind(iterations=20, depth=4, verbose=0, allow_writing_files=False).fit(x, y)
    model = scoreline.convert(source)
    assert model.metadata["source.library"] == "catboost"
    assert np.array_equal(model.predict(x, "margin").ravel(), source.predict(x, prediction_type="RawFormulaVal"))
    if labels is None:
        assert "class_labels" not in model.metadata
    else:
        assert json.loads(model.metadata["class_labels"]) == source.classes_.tolist()
        assert np.array_equal(model.predict(x).ravel(), source.predict_proba(x)[:, 1])


def test_xgboost_estimators_that_count_a_value_as_missing(rows):
    holes = np.where(np.isnan(rows), -999, rows).astype(np.float32)
    source = xgboost.XGBRegressor(n_estimators=4, missing=-999).fit(holes, target(rows))
    model = scoreline.convert(source)
    same_bits(model.predict(holes), source.predict(holes))
    same_bits(model.predict(rows), source.predict(holes))
    assert (scoreline.convert(source, missing=np.nan).predict(holes) != source.predict(holes)).any()


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_xgboost_boosters_and_files_with_a_missing_value(rows, booster, tmp_path):
    """0.1 is missing as float, so that the double 0.1 is too; a booster and a file are told so."""
    holes = np.where(np.isnan(rows), 0.1, rows)
    matrix = xgboost.DMatrix(holes, target(rows), missing=0.1)
    source = xgboost.train({"booster": booster, "nthread": 1}, matrix, 4)
    path, out = tmp_path / "model.json", tmp_path / "model.slm"
    source.save_model(path)
    subprocess.run([COMMAND, "convert", path, "-o", out, "--missing", "0.1"], check=True, capture_output=True)
    expected = source.predict(matrix, output_margin=True)
    for model in (scoreline.convert(source, missing=0.1), scoreline.convert(path, missing=0.1), scoreline.load(out)):
        same_bits(model.predict(holes, "margin"), expected)
        same_bits(model.predict(rows, "margin"), expected)
    assert (scoreline.convert(path).predict(holes, "margin") != expected).any()
    scoreline.load(out).verify()


def test_a_missing_value_is_for_xgboost(rows, tmp_path):
    source = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(rows, target(rows)), 2)
    path = tmp_path / "model.txt"
    source.save_model(path)
    with pytest.raises(ValueError, match="missing= is for models of XGBoost, not for Booster"):
        scoreline.convert(source, missing=0)
    with pytest.raises(scoreline.ArgumentError, match="missing is for XGBoost models, the file is LightGBM text"):
        scoreline.convert(path, missing=0)
    for value, message in (("0", "missing is for XGBoost"), ("none", '--missing: expected a number, found "none"')):
        done = subprocess.run([COMMAND, "convert", path, "-o", tmp_path / "out.slm", "--missing", value], capture_output=True)
        assert done.returncode in (1, 2) and message in done.stderr.decode()


@pytest.mark.parametrize("kind, lacks", [("gbtree", "trees"), ("dart", "trees"), ("gblinear", "weights")])
def test_untrained_models_are_named(rows, kind, lacks):
    booster = xgboost.train({"booster": kind, "nthread": 1}, xgboost.DMatrix(rows, rows[:, 3] > 2), 0)
    for form in ("json", "ubj"):
        with pytest.raises(scoreline.UnsupportedError, match=f"the model was not trained: it has no {lacks}"):
            scoreline.convert(bytes(booster.save_raw(form)))
