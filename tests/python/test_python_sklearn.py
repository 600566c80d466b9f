"""Linear models of scikit-learn.

BLAS sums products in an order of its own (and with fused multiply-add where the processor has it), so these agree with
scikit-learn to rounding: relative 1e-12 of the sum of the products' magnitudes. Scoreline's own bits are fixed.
"""

import json
import warnings

import numpy as np
import pytest
from sklearn import linear_model

import scoreline
from conftest import NAMES, make_rows, target


@pytest.fixture(scope="module")
def X():
    return make_rows(missing=0.0).astype(np.float64)


def close(ours, theirs, scale=1.0):
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize("name", ["LinearRegression", "Ridge", "Lasso", "ElasticNet", "HuberRegressor", "LinearSVR"])
def test_regressors(name, X):
    from sklearn import svm

    kind = getattr(linear_model, name, None) or getattr(svm, name)
    estimator = kind().fit(X, target(X) + 1000.0)
    model = scoreline.convert(estimator)
    close(model.predict(X), estimator.predict(X), scale=1000.0)
    assert model.info.kind == "linear" and model.metadata["source.library"] == "scikit-learn"
    assert model.metadata["objective"] == name


def test_several_targets(X):
    estimator = linear_model.LinearRegression().fit(X, np.column_stack([target(X), -X[:, 0], X[:, 1] ** 2]))
    model = scoreline.convert(estimator)
    assert model.n_outputs == 3
    close(model.predict(X), estimator.predict(X))


def test_log_link(X):
    estimator = linear_model.PoissonRegressor().fit(X, np.exp(target(X) / 4))
    close(scoreline.convert(estimator).predict(X), estimator.predict(X))


def test_without_intercept(X):
    estimator = linear_model.LinearRegression(fit_intercept=False).fit(X, target(X))
    close(scoreline.convert(estimator).predict(X), estimator.predict(X))


def test_single_precision(X):
    estimator = linear_model.LinearRegression().fit(X.astype(np.float32), target(X).astype(np.float32))
    assert estimator.coef_.dtype == np.float32
    np.testing.assert_allclose(
        scoreline.convert(estimator).predict(X), estimator.predict(X.astype(np.float32)), rtol=1e-4, atol=1e-4
    )


def test_binary(X):
    estimator = linear_model.LogisticRegression().fit(X, np.where(target(X) > 0, "yes", "no"))
    model = scoreline.convert(estimator, name="yes or no")
    close(model.predict(X), estimator.predict_proba(X))
    close(model.predict(X, "margin"), estimator.decision_function(X))
    assert model.info.link == "binary_pair" and model.info.n_predictions == 2
    assert json.loads(model.metadata["class_labels"]) == ["no", "yes"] and model.metadata["name"] == "yes or no"


def test_multinomial(X):
    estimator = linear_model.LogisticRegression().fit(X, np.digitize(target(X), [-1, 0, 1]))
    model = scoreline.convert(estimator)
    close(model.predict(X), estimator.predict_proba(X))
    assert model.info.link == "softmax" and model.n_outputs == 4


def test_link_is_what_the_estimator_answers(X):
    """An estimator that normalises one-versus-rest is recognised by its answers, not by its parameters."""

    class LogisticRegression(linear_model.LogisticRegression):
        def predict_proba(self, X):
            return self._predict_proba_lr(X)

    estimator = LogisticRegression().fit(X, np.digitize(target(X), [-1, 0, 1]))
    model = scoreline.convert(estimator)
    assert model.info.link == "ovr_normalised"
    close(model.predict(X), estimator.predict_proba(X))


def test_answers_of_its_own_are_refused(X):
    class Ridge(linear_model.Ridge):
        def predict(self, X):
            return super().predict(X) ** 2

    with pytest.raises(scoreline.VerifyError, match="does not answer coef_ and intercept_"):
        scoreline.convert(Ridge().fit(X, target(X)))


def test_names_from_a_frame(X):
    import pandas

    frame = pandas.DataFrame(X, columns=NAMES)
    estimator = linear_model.LinearRegression().fit(frame, target(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = scoreline.convert(estimator)
    assert model.features == NAMES
    close(model.predict(frame[NAMES[::-1]]), estimator.predict(frame))


def test_missing_values_propagate(X):
    model = scoreline.convert(linear_model.LinearRegression().fit(X, target(X)))
    row = X[0].copy()
    row[2] = np.nan
    assert np.isnan(model.predict(row)[0])


def test_class_numbers_where_there_are_no_probabilities(X):
    from sklearn import svm

    labels = np.array(["high", "low", "middle"])[np.digitize(target(X), [-1, 1])]
    estimator = svm.LinearSVC().fit(X, labels)
    model = scoreline.convert(estimator)
    assert model.info.link == "argmax" and model.predict(X).max() == 2.0
    assert np.array_equal(model.predict_class(X), estimator.predict(X))
    close(model.predict(X, "margin"), estimator.decision_function(X))


def test_one_versus_rest_of_something_else_is_refused(X):
    from sklearn import multiclass, naive_bayes

    labels = np.digitize(target(X), [-1, 1])
    with pytest.raises(scoreline.UnsupportedError, match="GaussianNB is no linear model .* expected one of LinearReg"):
        scoreline.convert(multiclass.OneVsRestClassifier(naive_bayes.GaussianNB()).fit(X, labels))
    huber = linear_model.SGDClassifier(loss="modified_huber")
    with pytest.raises(scoreline.UnsupportedError, match="SGDClassifier alone does the same"):
        scoreline.convert(multiclass.OneVsRestClassifier(huber).fit(X, labels))


def test_one_versus_rest_with_a_constant_is_refused(X):
    from sklearn import multiclass

    several = np.column_stack([target(X) > 0, np.ones(len(X), bool)]).astype(int)
    with pytest.warns(UserWarning, match="present in all"):
        estimator = multiclass.OneVsRestClassifier(linear_model.LogisticRegression()).fit(X, several)
    with pytest.raises(scoreline.UnsupportedError, match="class 1 is absent from, or alone in"):
        scoreline.convert(estimator)


@pytest.mark.parametrize("kind", ["RidgeClassifier", "RidgeClassifierCV"])
def test_one_class_is_refused(kind, X):
    with pytest.raises(scoreline.UnsupportedError, match=f"{kind} of a single class"):
        scoreline.convert(getattr(linear_model, kind)().fit(X, np.zeros(len(X))))


def test_not_fitted():
    with pytest.raises(ValueError, match="not fitted"):
        scoreline.convert(linear_model.LinearRegression())
