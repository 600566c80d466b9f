"""Live CatBoost models with categories: what they answer for a table, Scoreline answers for the same table."""

import numpy as np
import pytest
from conftest import same_bits

import scoreline

catboost = pytest.importorskip("catboost")
pandas = pytest.importorskip("pandas")

COMMON = {"iterations": 20, "depth": 4, "verbose": 0, "allow_writing_files": False, "thread_count": 1, "random_seed": 3}
WORDS = ["a", "ü€𝄞", "c", "", "-7", "0123456789" * 3, "nan"]
CATEGORIES = ["word", "number", "pair", "flag", "big", "labels", "codes"]


def table(n=400, seed=1):
    rng = np.random.default_rng(seed)
    frame = pandas.DataFrame({
        "x": rng.standard_normal(n), "word": np.array(WORDS, object)[rng.integers(0, len(WORDS), n)],
        "number": rng.integers(-5, 40, n), "pair": rng.choice(["p", "q"], n),
        "flag": rng.integers(0, 2, n).astype(bool), "big": rng.integers(0, 5, n) + 2**60 + 1,
    })
    frame["labels"] = pandas.Categorical(frame["word"])
    frame["codes"] = pandas.Categorical(frame["number"])
    frame.loc[::7, "x"] = np.nan
    y = frame["number"] % 3 + (frame["word"] == "a") * 2.0 + np.nan_to_num(frame["x"]) + frame["flag"]
    return frame, (y + frame["big"] % 3 + rng.normal(0, 0.1, n)).to_numpy()


def unseen(frame):
    """The same rows in another order, with categories that training did not see, and the columns turned round."""
    other = frame.sample(frac=1.0, random_state=5).reset_index(drop=True)
    other["word"] = other["word"].where(other.index % 5 > 0, "not seen")
    other["number"] = other["number"].where(other.index % 4 > 0, 123456)
    other["big"] = other["big"].where(other.index % 3 > 0, -(2**62))
    other["labels"] = pandas.Categorical(other["word"])
    return other[other.columns[::-1]]


def trained(kind, frame, y, **params):
    source = kind({**COMMON, **params}) if kind is catboost.CatBoost else kind(**COMMON, **params)
    group = np.arange(len(y)) // 10 if kind is catboost.CatBoostRanker else None
    return source.fit(catboost.Pool(frame, y, cat_features=CATEGORIES, group_id=group))


def margins_of(source, frame):
    return catboost.CatBoost.predict(source, frame[source.feature_names_], prediction_type="RawFormulaVal")


@pytest.mark.parametrize("params", [{}, {"one_hot_max_size": 255}, {"max_ctr_complexity": 1, "one_hot_max_size": 1}])
@pytest.mark.parametrize("kind", ["CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"])
def test_frames_with_categories(kind, params):
    frame, y = table()
    y = y if kind in ("CatBoost", "CatBoostRegressor") else np.digitize(y, [1, 3])
    source = trained(getattr(catboost, kind), frame, y, **params)
    model = scoreline.convert(source)
    assert model.verify() > 0
    for rows in (frame, unseen(frame)):
        wanted = margins_of(source, rows)
        same_bits(model.predict(rows, "margin").reshape(wanted.shape), wanted)
    if kind == "CatBoostClassifier":
        assert np.array_equal(model.predict_class(unseen(frame)), source.predict(unseen(frame)[frame.columns]).ravel())


def test_golden_rows_hold_known_categories():
    frame, y = table()
    model = scoreline.convert(trained(catboost.CatBoostRegressor, frame, y))
    rows, margins = model.golden()
    known = {1121341681.5, 2015104637.5, 3014803941.5, 2957118694.5, 2856682258.5}  # hashes of 1, -2, 5, 10, 0
    assert known & set(rows[:, [model.features.index(name) for name in ("number", "codes")]].ravel().tolist())
    assert len(np.unique(margins)) > 8


@pytest.mark.parametrize("loss", ["Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll", "MultiLogloss"])
@pytest.mark.parametrize("threshold", [None, 0.3, 0.0, 1.0])
def test_classes(loss, threshold):
    frame, y = table()
    if loss.startswith("MultiClass"):
        labels = np.array(["lo\"w", "m", "high"])[np.digitize(y, [1, 3])]
    elif loss == "MultiLogloss":
        labels = np.column_stack([y > 2, frame["flag"]]).astype(int)
    else:
        labels = (y > 2).astype(int)
    more = {"one_hot_max_size": 255} if loss == "MultiLogloss" else {}
    source = trained(catboost.CatBoostClassifier, frame, labels, loss_function=loss, **more)
    if threshold is not None:
        source.set_probability_threshold(threshold)
    model = scoreline.convert(source)
    wanted = np.asarray(source.predict(frame))
    assert np.array_equal(model.predict_class(frame).reshape(wanted.shape), wanted)
    assert model.predict_class(frame).dtype.kind == wanted.dtype.kind or wanted.dtype == object


def test_text_and_embedding_features_are_named():
    rng = np.random.default_rng(1)
    x = np.empty((100, 2), object)
    x[:, 0] = rng.standard_normal(100)
    for kind, values in (("text", [" ".join(rng.choice(["red", "green"], 4)) for _ in x]),
                         ("embedding", [rng.standard_normal(3) for _ in x])):
        for row, value in zip(x, values):
            row[1] = value
        pool = catboost.Pool(x, rng.integers(0, 2, 100), **{f"{kind}_features": [1]})
        source = catboost.CatBoostClassifier(**COMMON).fit(pool)
        with pytest.raises(scoreline.UnsupportedError, match=f"{kind} features"):
            scoreline.convert(source)


def test_tables_of_several_targets_are_named():
    """CatBoost's JSON has one table where there should be one per target."""
    frame, y = table()
    pair = np.column_stack([y, -y])
    for params in ({"loss_function": "MultiRMSE"}, {"simple_ctr": [f"Borders:TargetBorderCount={n}" for n in (1, 4)]}):
        source = trained(catboost.CatBoostRegressor, frame, pair if "loss_function" in params else y, **params)
        with pytest.raises(scoreline.UnsupportedError, match="CTRs of several targets"):
            scoreline.convert(source)


def test_binary_files_are_named(tmp_path):
    frame, y = table()
    trained(catboost.CatBoostRegressor, frame, y).save_model(str(tmp_path / "model.cbm"))
    with pytest.raises(scoreline.UnsupportedError, match='save_model."model.json", format="json"'):
        scoreline.convert(tmp_path / "model.cbm")


def test_a_missing_category_is_an_unknown_one():
    frame, y = table()
    source = trained(catboost.CatBoostRegressor, frame, y)
    model = scoreline.convert(source)
    rows = frame.copy()
    rows["word"] = rows["word"].where(rows.index % 2 > 0, None)
    told = frame.copy()
    told["word"] = told["word"].where(told.index % 2 > 0, "a category that no model has seen")
    same_bits(model.predict(rows, "margin"), margins_of(source, told))


def test_names_of_features_do_not_name_the_source():
    """XGBoost's files are known by the key "learner"."""
    frame, y = table()
    source = trained(catboost.CatBoostRegressor, frame.rename(columns={"x": "learner"}), y)
    assert scoreline.convert(source).features[0] == "learner"


def test_classes_of_whole_and_other_numbers():
    """The file says 0 and 1.5: both are the numbers that training had."""
    frame, y = table()
    source = trained(catboost.CatBoostClassifier, frame, np.digitize(y, [1, 3]) * 1.5, loss_function="MultiClass")
    model = scoreline.convert(source)
    assert model.classes.dtype == np.float64 and model.classes.tolist() == [0.0, 1.5, 3.0]
    np.testing.assert_array_equal(model.predict_class(frame), source.predict(frame).ravel())


WIDE = [2**53 + 1, 2**53 + 3, 2**60 + 1, -(2**61) - 1, 7]


@pytest.mark.parametrize("dtype", ["int64", "Int64", "int64[pyarrow]", object, "category", "bool", "boolean"])
def test_wide_integers_and_booleans_count_by_their_text(dtype):
    """A category of integers beyond 2^53 is no double's, and one of booleans is 0 or 1, in whatever column they stand."""
    rng = np.random.default_rng(4)
    which = rng.integers(0, len(WIDE), 300)
    column = pandas.Series(np.array(WIDE)[which] if "bool" not in str(dtype) else which > 1)
    frame = pandas.DataFrame({"id": column.astype(dtype), "x": rng.normal(size=300)})
    source = catboost.CatBoostRegressor(**COMMON, cat_features=["id"]).fit(frame, (which > 1) * 3 + (which == 3) + frame["x"])
    model = scoreline.convert(source)
    wanted = source.predict(frame)
    same_bits(model.predict(frame), wanted)
    same_bits(model.predict(frame.to_dict("records")), wanted)
    same_bits(model.predict(frame.astype({"id": object})), wanted)
    same_bits(model.predict(frame.assign(id=column.astype("category"))), wanted)


def test_arrays_of_objects():
    """As CatBoost takes them: a category of any kind counts by its text."""
    frame, y = table()
    columns = ["x", "word", "number", "pair", "big"]
    rows = frame[columns].to_numpy(object)
    source = catboost.CatBoost(COMMON).fit(catboost.Pool(rows, y, cat_features=[1, 2, 3, 4]))
    wanted = catboost.CatBoost.predict(source, catboost.Pool(rows, cat_features=[1, 2, 3, 4]))
    model = scoreline.convert(source)
    same_bits(model.predict(rows, "margin"), wanted)
    same_bits(model.predict(rows.tolist(), "margin"), wanted)
    same_bits(model.predict(rows[7], "margin"), wanted[7:8])
    numbers = frame[["x", "number", "big"]].to_numpy(object)  # no text at all, and whole numbers that no double holds
    source = catboost.CatBoost(COMMON).fit(catboost.Pool(numbers, y, cat_features=[1, 2]))
    wanted = catboost.CatBoost.predict(source, catboost.Pool(numbers, cat_features=[1, 2]))
    same_bits(scoreline.convert(source).predict(numbers, "margin"), wanted)


def test_a_model_without_the_tables_of_its_ctrs(tmp_path):
    """CatBoost itself ends with a fault when it scores one."""
    frame, y = table()
    source = trained(catboost.CatBoost, frame, y, final_ctr_computation_mode="Skip")
    with pytest.raises(scoreline.UnsupportedError, match='final_ctr_computation_mode="Default"'):
        scoreline.convert(source)


@pytest.mark.parametrize("loss", ["MultiClass", "MultiClassOneVsAll"])
def test_classes_that_training_did_not_see(loss, tmp_path):
    """The model answers for every class it was told of, and the labels of the others keep their places."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 3))
    labels = np.array(["a", "c", "e"])[np.digitize(x[:, 0], [-0.5, 0.5])]
    source = catboost.CatBoostClassifier(loss_function=loss, class_names=list("edcba"), **COMMON).fit(x, labels)
    source.save_model(str(tmp_path / "model.json"), format="json")
    for model in (scoreline.convert(source), scoreline.convert(tmp_path / "model.json")):
        same_bits(model.predict(x, "margin"), source.predict(x, prediction_type="RawFormulaVal"))
        assert (model.predict_class(x) == source.predict(x).ravel()).all()
        assert model.predict(x).shape == (200, 5)
