"""Class labels: what predict() of the source libraries' classifiers answers, in the labels' own types."""

import json

import lightgbm
import numpy as np
import pytest
import sklearn.linear_model
import xgboost

import scoreline
from conftest import make_rows, target

TRUE_LABELS = {
    "two numbers": np.array([0, 1]),
    "two texts": np.array(["yes, \"or\" no", "nö"]),
    "two booleans": np.array([False, True]),
    "two fractions": np.array([-1.0, 2.0]),
    "three numbers": np.array([3, 5, 11]),
    "three texts": np.array(["a", "b", "c"]),
}


def classes_of(X, n):
    return np.digitize(target(X), [0.0] if n == 2 else [-1.0, 1.0])


def same_answers(model, estimator, X, labels):
    ours, theirs = model.predict_class(X), estimator.predict(X)
    assert ours.dtype.kind == labels.dtype.kind and ours.shape == theirs.shape
    assert np.array_equal(ours, theirs) and len(np.unique(theirs)) == len(labels)
    numbers = model.predict(X, "class")
    assert numbers.dtype == np.int32 and np.array_equal(labels[numbers], theirs)
    for i in range(5):
        assert model.predict_class(X[i]) == theirs[i] and model.predict(X[i], "class") == numbers[i]
    out = np.empty(len(X), np.int32)
    assert model.predict(X, "class", out=out) is out and np.array_equal(out, numbers)


@pytest.mark.parametrize("name", TRUE_LABELS)
@pytest.mark.parametrize("boosting", ["gbdt", "rf"])
def test_lightgbm(name, boosting, rows):
    labels = TRUE_LABELS[name]
    more = {"subsample": 0.5, "subsample_freq": 1} if boosting == "rf" else {}
    estimator = lightgbm.LGBMClassifier(n_estimators=6, num_leaves=5, boosting_type=boosting, verbosity=-1, **more)
    estimator.fit(rows, labels[classes_of(rows, len(labels))])
    model = scoreline.convert(estimator)
    assert model.classes.tolist() == sorted(labels.tolist())
    same_answers(model, estimator, make_rows(seed=4), np.sort(labels))
    again = scoreline.load(model.to_bytes())
    assert again.classes.tolist() == model.classes.tolist()


def test_sparse_rows():
    from scipy import sparse

    X = sparse.random(300, 6, density=0.4, format="csr", random_state=1)
    estimator = lightgbm.LGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1).fit(X, np.where(X.sum(axis=1).A1 > 1, "a", "b"))
    model = scoreline.convert(estimator)
    assert np.array_equal(model.predict_class(X, absent="zero"), estimator.predict(X))
    assert len(np.unique(estimator.predict(X))) == 2


def test_lightgbm_one_versus_all(rows):
    labels = TRUE_LABELS["three texts"]
    estimator = lightgbm.LGBMClassifier(n_estimators=5, objective="multiclassova", verbosity=-1)
    estimator.fit(rows, labels[classes_of(rows, 3)])
    same_answers(scoreline.convert(estimator), estimator, make_rows(seed=4), labels)


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
@pytest.mark.parametrize("objective", ["softprob", "softmax"])
def test_xgboost(n, booster, objective, rows):
    objective = "binary:logistic" if n == 2 else "multi:" + objective
    estimator = xgboost.XGBClassifier(n_estimators=5, booster=booster, objective=objective, n_jobs=1)
    finite = np.nan_to_num(rows)
    estimator.fit(finite, classes_of(finite, n))
    same_answers(scoreline.convert(estimator), estimator, np.nan_to_num(make_rows(seed=4)), np.arange(n))


def test_xgboost_hinge(rows):
    estimator = xgboost.XGBClassifier(n_estimators=5, objective="binary:hinge").fit(rows, classes_of(rows, 2))
    same_answers(scoreline.convert(estimator), estimator, make_rows(seed=4), np.arange(2))


def test_xgboost_raw_scores(rows):
    """XGBClassifier compares the margin itself with a half."""
    estimator = xgboost.XGBClassifier(n_estimators=5, objective="binary:logitraw").fit(rows, classes_of(rows, 2))
    model, new = scoreline.convert(estimator), make_rows(seed=4)
    between = (model.predict(new) > 0) & (model.predict(new) <= 0.5)
    assert between.any() and not model.predict(new, "class")[between].any()
    same_answers(model, estimator, new, np.arange(2))


def test_several_labels_per_row(rows):
    y = np.column_stack([classes_of(rows, 2), rows[:, 0] > 0.3, np.nan_to_num(rows[:, 3]) > 3]).astype(int)
    estimator = xgboost.XGBClassifier(n_estimators=5).fit(rows, y)
    model, new = scoreline.convert(estimator), make_rows(seed=4)
    assert model.predict(new, "class").shape == (len(new), 3)
    assert np.array_equal(model.predict_class(new), estimator.predict(new))


@pytest.mark.parametrize("name", TRUE_LABELS)
def test_logistic_regression(name, rows):
    labels, finite = TRUE_LABELS[name], np.nan_to_num(rows).astype(float)
    estimator = sklearn.linear_model.LogisticRegression().fit(finite, labels[classes_of(rows, len(labels))])
    model, new = scoreline.convert(estimator), np.nan_to_num(make_rows(seed=4)).astype(float)
    same_answers(model, estimator, new, np.sort(labels))


def test_models_without_labels_give_numbers(rows):
    booster = lightgbm.train({"objective": "multiclass", "num_class": 3, "verbosity": -1},
                             lightgbm.Dataset(rows, classes_of(rows, 3)), 4)
    model = scoreline.convert(booster)
    assert model.classes is None
    assert np.array_equal(model.predict_class(rows), booster.predict(rows).argmax(axis=1))


def test_what_is_no_classifier(model, rows):
    for ask in (lambda: model.predict(rows, "class"), lambda: model.predict_class(rows[0].astype(np.float64))):
        with pytest.raises(scoreline.ArgumentError, match="identity.*class_rule"):
            ask()
    unknown = model._with({"class_rule": "the best"}, None)
    with pytest.raises(scoreline.UnsupportedError, match="the best"):
        unknown.predict_class(rows)
    short = model._with({"class_rule": "margin > 0", "class_labels": json.dumps(["only"])}, None)
    with pytest.raises(ValueError, match="names 1 class labels"):
        short.predict_class(rows)


def test_mixed_labels(model, rows):
    mixed = model._with({"class_rule": "margin > 0", "class_labels": '["no", 1]'}, None)
    assert mixed.classes.dtype == object and set(mixed.predict_class(rows).tolist()) == {"no", 1}


@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_labels_that_no_file_holds(rows, unit):
    """A model that names no classes is better than one whose labels are nanoseconds."""
    import sklearn.tree

    days = np.array(["2026-01-01", "2026-01-02"], f"datetime64[{unit}]")
    X = np.nan_to_num(rows)
    number = classes_of(X, 2)
    estimator = sklearn.tree.DecisionTreeClassifier(max_depth=3).fit(X, days[number])
    model = scoreline.convert(estimator)
    assert model.classes is None
    with pytest.raises(scoreline.ArgumentError, match="no class numbers"):
        model.predict_class(X)
