"""Trees and forests of scikit-learn: the estimator's own bits, its names, its labels, and what is refused by name."""

import json
import warnings

import numpy as np
import pytest
from sklearn import ensemble, tree

import scoreline
from conftest import NAMES, make_rows, same_bits, target


@pytest.fixture(scope="module")
def X():
    return make_rows(missing=0.0)


@pytest.fixture(scope="module")
def with_missing():
    return make_rows(missing=0.1)


def test_forest(with_missing):
    estimator = ensemble.RandomForestRegressor(8, random_state=1).fit(with_missing, target(with_missing))
    model = scoreline.convert(estimator)
    same_bits(model.predict(with_missing), estimator.predict(with_missing))
    same_bits(model.predict(with_missing, "leaf"), estimator.apply(with_missing))
    assert model.metadata["source.library"] == "scikit-learn"
    assert model.metadata["objective"] == "RandomForestRegressor"


def test_labels(X):
    classes = np.array(["low", "middle", "high"])[np.digitize(target(X), [-1, 1])]
    model = scoreline.convert(ensemble.ExtraTreesClassifier(5, random_state=1).fit(X, classes))
    assert json.loads(model.metadata["class_labels"]) == ["high", "low", "middle"]
    assert model.metadata["class_rule"] == "largest margin"


def test_several_targets(X):
    y = np.column_stack([target(X) > 0, np.digitize(X[:, 0], [-1, 1])])
    estimator = tree.DecisionTreeClassifier(random_state=1).fit(X, y)
    model = scoreline.convert(estimator)
    same_bits(model.predict(X), np.concatenate(estimator.predict_proba(X), axis=1))
    assert json.loads(model.metadata["class_labels.by_target"]) == [[0, 1], [0, 1, 2]]
    assert "class_labels" not in model.metadata


def test_one_class(X):
    estimator = tree.DecisionTreeClassifier().fit(X, np.zeros(len(X)))
    same_bits(scoreline.convert(estimator).predict(X), np.ones(len(X)))


def test_negative_zero(X):
    """A lone tree answers -0.0 where its leaf is -0.0."""
    estimator = tree.DecisionTreeRegressor(criterion="absolute_error", max_depth=1).fit(X, np.full(len(X), -0.0))
    same_bits(scoreline.convert(estimator).predict(X), estimator.predict(X))


def test_trained_on_sparse_rows(X):
    import scipy.sparse

    rows = np.where(X > 0.5, X, 0).astype(np.float64)
    estimator = ensemble.RandomForestRegressor(4, random_state=1).fit(scipy.sparse.csr_matrix(rows), target(X))
    same_bits(scoreline.convert(estimator).predict(rows), estimator.predict(scipy.sparse.csr_matrix(rows)))


def test_names_from_a_frame(X):
    import pandas

    frame = pandas.DataFrame(X, columns=NAMES)
    estimator = ensemble.RandomForestRegressor(4, random_state=1).fit(frame, target(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = scoreline.convert(estimator)
    assert model.features == NAMES
    same_bits(model.predict(frame[NAMES[::-1]]), estimator.predict(frame))


def test_thresholds_between_floats():
    """Thresholds are doubles between two floats; rounding one up would send a value the other way."""
    above = np.nextafter(np.float32(4.0), np.float32(5.0))
    x = np.array([[above], [np.nextafter(above, np.float32(5.0))]])
    estimator = tree.DecisionTreeRegressor().fit(x, [0.0, 1.0])
    assert np.float32(estimator.tree_.threshold[0]) != estimator.tree_.threshold[0]
    rows = np.array([[x[0, 0]], [estimator.tree_.threshold[0]], [x[1, 0]], [np.nextafter(x[1, 0], 0)]])
    same_bits(scoreline.convert(estimator).predict(rows), estimator.predict(rows))


def test_gradient_boosting_from_a_dummy_or_zero(X):
    from sklearn.dummy import DummyRegressor

    for init in ("zero", None, DummyRegressor(strategy="constant", constant=7.5)):
        estimator = ensemble.GradientBoostingRegressor(n_estimators=5, init=init).fit(X, target(X))
        same_bits(scoreline.convert(estimator).predict(X), estimator.predict(X))


def test_gradient_boosting_from_another_model_is_refused(X):
    from sklearn.linear_model import LinearRegression

    estimator = ensemble.GradientBoostingRegressor(n_estimators=3, init=LinearRegression()).fit(X, target(X))
    with pytest.raises(scoreline.UnsupportedError, match=r"GradientBoostingRegressor.*init=LinearRegression.*init=None"):
        scoreline.convert(estimator)


def test_answers_of_its_own_are_refused(X):
    class RandomForestRegressor(ensemble.RandomForestRegressor):
        def predict(self, X):
            return super().predict(X) + 1

    with pytest.raises(scoreline.VerifyError, match="differ from the source library"):
        scoreline.convert(RandomForestRegressor(3).fit(X, target(X)))


@pytest.mark.parametrize("kind", [tree.DecisionTreeRegressor, ensemble.RandomForestClassifier])
def test_not_fitted(kind):
    with pytest.raises(ValueError, match=f"{kind.__name__} is not fitted"):
        scoreline.convert(kind())


def test_histogram_gradient_boosting(with_missing):
    X = with_missing.astype(np.float64)
    X[::17, 1] = np.inf
    estimator = ensemble.HistGradientBoostingClassifier(max_iter=8).fit(X, target(X) > 0)
    model = scoreline.convert(estimator)
    same_bits(model.predict(X, "margin"), estimator.decision_function(X))
    same_bits(model.predict(X), estimator.predict_proba(X))
    assert json.loads(model.metadata["class_labels"]) == [False, True]
    assert model.metadata["class_rule"] == "margin > 0"
