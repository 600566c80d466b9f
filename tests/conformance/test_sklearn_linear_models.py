"""Linear models of scikit-learn, trained with random parameters, converted from the live estimator.

scikit-learn multiplies by a BLAS, which chooses the order of a sum, and fuses multiply and add, as the processor likes:
its margins are not reproducible, and ours are compared with them within 1e-12 of the sum of the products' magnitudes.
The bits that Scoreline promises instead (features in ascending order, each product and each sum rounded, the bias last)
are compared with the same sum in NumPy, on every instruction set, layout and batch size.
"""
import warnings

import numpy as np
import pytest
from sklearn import discriminant_analysis, linear_model, multiclass, svm

import bit_check
import scoreline
from conftest import MODE

N_SEEDS = {"quick": 1, "default": 4, "long": 16}[MODE]
ODD = np.array([0.0, -0.0, 5e-324, -1e-310, 1e-40, 1e300, -1e300, 3.5e38, np.inf, -np.inf, np.nan])


# ---- estimators with random parameters -------------------------------------------------------------------------------

def random(rng):
    return {"random_state": int(rng.integers(1 << 30))}


def strength(rng):
    return float(rng.choice([1e-6, 1e-3, 0.1, 1.0, 30.0]))


def intercept(rng):
    return {"fit_intercept": bool(rng.random() < 0.8)}


REGRESSORS = {
    "LinearRegression": lambda r: linear_model.LinearRegression(**intercept(r), positive=bool(r.random() < 0.2)),
    "Ridge": lambda r: linear_model.Ridge(strength(r), **intercept(r)),
    "RidgeCV": lambda r: linear_model.RidgeCV((0.1, 1.0, 10.0), **intercept(r)),
    "Lasso": lambda r: linear_model.Lasso(strength(r), **intercept(r)),
    "LassoCV": lambda r: linear_model.LassoCV(cv=3, alphas=5, **intercept(r)),
    "ElasticNet": lambda r: linear_model.ElasticNet(strength(r), l1_ratio=r.random(), **intercept(r)),
    "ElasticNetCV": lambda r: linear_model.ElasticNetCV(cv=3, alphas=5, **intercept(r)),
    "Lars": lambda r: linear_model.Lars(**intercept(r)),
    "LarsCV": lambda r: linear_model.LarsCV(cv=3),
    "LassoLars": lambda r: linear_model.LassoLars(strength(r), **intercept(r)),
    "LassoLarsCV": lambda r: linear_model.LassoLarsCV(cv=3),
    "LassoLarsIC": lambda r: linear_model.LassoLarsIC(r.choice(["aic", "bic"])),
    "OrthogonalMatchingPursuit": lambda r: linear_model.OrthogonalMatchingPursuit(n_nonzero_coefs=2),
    "BayesianRidge": lambda r: linear_model.BayesianRidge(**intercept(r)),
    "ARDRegression": lambda r: linear_model.ARDRegression(**intercept(r)),
    "HuberRegressor": lambda r: linear_model.HuberRegressor(epsilon=1 + r.random(), **intercept(r)),
    "TheilSenRegressor": lambda r: linear_model.TheilSenRegressor(max_subpopulation=50, **random(r)),
    "SGDRegressor": lambda r: linear_model.SGDRegressor(
        loss=r.choice(["squared_error", "huber", "epsilon_insensitive"]), average=bool(r.random() < 0.3), **random(r)),
    "LinearSVR": lambda r: svm.LinearSVR(C=strength(r), max_iter=200, **intercept(r), **random(r)),
    "QuantileRegressor": lambda r: linear_model.QuantileRegressor(quantile=0.1 + 0.8 * r.random(), alpha=0.01),
    "PoissonRegressor": lambda r: linear_model.PoissonRegressor(alpha=strength(r), **intercept(r)),
    "GammaRegressor": lambda r: linear_model.GammaRegressor(alpha=strength(r), **intercept(r)),
    "TweedieRegressor": lambda r: linear_model.TweedieRegressor(power=r.choice([0, 1, 1.5, 2, 3]), link="auto"),
    "TweedieRegressor, link log": lambda r: linear_model.TweedieRegressor(power=0, link="log", alpha=0.1),
}
TARGETS = {
    "LinearRegression": lambda r: linear_model.LinearRegression(**intercept(r)),
    "Ridge": lambda r: linear_model.Ridge(strength(r), **intercept(r)),
    "MultiTaskLasso": lambda r: linear_model.MultiTaskLasso(0.01),
    "MultiTaskElasticNetCV": lambda r: linear_model.MultiTaskElasticNetCV(cv=3, alphas=4),
}
SGD = ("log_loss", "modified_huber", "hinge", "squared_hinge", "perceptron", "squared_error")
CLASSIFIERS = {
    "LogisticRegression": lambda r: linear_model.LogisticRegression(C=strength(r), **intercept(r)),
    "LogisticRegressionCV": lambda r: linear_model.LogisticRegressionCV(
        Cs=3, cv=3, l1_ratios=(0.0,), use_legacy_attributes=False, scoring="neg_log_loss"),
    **{f"SGDClassifier, {loss}": lambda r, loss=loss: linear_model.SGDClassifier(
        loss=loss, alpha=strength(r) / 100, **random(r)) for loss in SGD},
    "LinearSVC": lambda r: svm.LinearSVC(C=strength(r), max_iter=200, **random(r)),
    "Perceptron": lambda r: linear_model.Perceptron(**random(r)),
    "PassiveAggressiveClassifier": lambda r: linear_model.PassiveAggressiveClassifier(**random(r)),
    "RidgeClassifier": lambda r: linear_model.RidgeClassifier(strength(r), **intercept(r)),
    "RidgeClassifierCV": lambda r: linear_model.RidgeClassifierCV(),
    "LinearDiscriminantAnalysis": lambda r: discriminant_analysis.LinearDiscriminantAnalysis(
        solver=r.choice(["svd", "lsqr", "eigen"])),
    "OneVsRest of LogisticRegression": lambda r: multiclass.OneVsRestClassifier(
        linear_model.LogisticRegression(C=strength(r))),
    "OneVsRest of LinearSVC": lambda r: multiclass.OneVsRestClassifier(svm.LinearSVC(max_iter=200, **random(r))),
}
LABELS = {
    "RidgeClassifier": lambda r: linear_model.RidgeClassifier(strength(r)),
    "OneVsRest of LogisticRegression": CLASSIFIERS["OneVsRest of LogisticRegression"],
    "OneVsRest of LinearSVC": CLASSIFIERS["OneVsRest of LinearSVC"],
}


def training_rows(rng):
    n_features = int(rng.choice([1, 2, 3, 5, 8, 17, 40]))
    x = rng.normal(size=(150, n_features)) * 10.0 ** rng.integers(-2, 2, n_features)
    return x, x @ (rng.normal(size=n_features) / np.abs(x).mean(axis=0)) + rng.normal(size=150)


def fitted(estimator, x, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some do not converge, some names are to be removed: their answers count
        return estimator.fit(x, y)


# ---- what they answer ------------------------------------------------------------------------------------------------

def coefficients(estimator):
    """Weights [n_outputs, n_features] and bias [n_outputs], read apart from the converter."""
    parts = getattr(estimator, "estimators_", [estimator])
    weights = np.vstack([np.atleast_2d(one.coef_) for one in parts]).astype(np.float64)
    bias = np.concatenate([np.atleast_1d(one.intercept_) for one in parts])
    return weights, np.broadcast_to(bias, len(weights))


def sum_in_order(estimator, x):
    weights, bias = coefficients(estimator)
    sums = np.zeros((len(x), len(weights)))
    with np.errstate(all="ignore"):
        for j in range(x.shape[1]):
            sums += x[:, j, None].astype(np.float64) * weights[:, j]
        return sums + bias


def probe(rng, x, n=1100):
    rows = x[rng.integers(0, len(x), n)] * (1 + rng.normal(0, 1e-3, (n, 1)))
    odd = rng.random(rows.shape) < 0.02
    rows[odd] = rng.choice(ODD, odd.sum())
    return rows


def close(ours, theirs, allowed):
    ours, theirs = bit_check.as_doubles(ours), bit_check.as_doubles(theirs)
    wrong = np.flatnonzero(~(np.abs(ours - theirs) <= allowed).all(axis=1))
    assert len(wrong) == 0, f"{len(wrong)} rows differ; row {wrong[0]}: {ours[wrong[0]]} instead of {theirs[wrong[0]]}"


def check(tally, kind, name, estimator, x, rng):
    model = scoreline.convert(estimator)
    assert model.info.kind == "linear" and model.metadata["source.library"] == "scikit-learn"
    oracle = bit_check.Oracle(margin=lambda rows: sum_in_order(estimator, rows))
    bit_check.Checker(name, model.to_bytes(), oracle, probe(rng, x), tally("scikit-learn", kind)).run()
    rows = x * (1 + rng.normal(0, 1e-3, x.shape))
    weights, bias = coefficients(estimator)
    allowed = 1e-12 * (np.abs(rows) @ np.abs(weights).T + np.abs(bias) + 1e-300)
    return model, rows, allowed


def check_classes(estimator, model, rows, allowed, link):
    margins = estimator.decision_function(rows)
    close(model.predict(rows, "margin"), margins, allowed)
    assert model.info.link == link
    wide = bit_check.as_doubles(margins)
    if wide.shape[1] == 1:
        clear = (np.abs(wide) > allowed)[:, 0]
    else:
        largest = np.sort(wide, axis=1)
        clear = largest[:, -1] - largest[:, -2] > 2 * allowed.max(axis=1)
    assert clear.any() or not np.any(wide - wide[:1])
    assert np.array_equal(model.predict_class(rows)[clear], estimator.predict(rows)[clear])
    if hasattr(estimator, "predict_proba"):
        # p' <= 1 for every link: an error of the margin is no larger in the probability; their own rounding is more.
        close(model.predict(rows), estimator.predict_proba(rows), allowed.max(axis=1, keepdims=True) + 1e-14)
    else:
        numbers = np.searchsorted(estimator.classes_, estimator.predict(rows))
        assert np.array_equal(model.predict(rows)[clear], numbers[clear])


# ---- tests -----------------------------------------------------------------------------------------------------------

def seeds(*parts):
    return np.random.default_rng([sum(map(ord, str(part))) for part in parts])


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(tally, name, seed):
    rng = seeds("regressor", name, seed)
    x, y = training_rows(rng)
    if "Poisson" in name or "Gamma" in name or "Tweedie" in name:
        y = np.exp(y / (1 + np.abs(y).max() / 3))
    if name == "OrthogonalMatchingPursuit" and x.shape[1] < 2:
        x = np.column_stack([x, rng.normal(size=len(x))])
    estimator = fitted(REGRESSORS[name](rng), x, y)
    model, rows, allowed = check(tally, "linear regressor", f"{name} {seed}", estimator, x, rng)
    theirs = estimator.predict(rows)
    if model.info.link == "identity":
        close(model.predict(rows), theirs, allowed)
        assert np.array_equal(model.predict(rows), model.predict(rows, "margin"))
    else:
        assert model.info.link == "exp"
        close(model.predict(rows), theirs, 2 * (allowed + 1e-15) * bit_check.as_doubles(theirs))
        close(model.predict(rows, "margin"), np.log(theirs), allowed + 1e-14 * (1 + np.abs(np.log(theirs)))[:, None])


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("name", TARGETS)
def test_several_targets(tally, name, seed):
    rng = seeds("targets", name, seed)
    x, y = training_rows(rng)
    estimator = fitted(TARGETS[name](rng), x, np.column_stack([y, -x[:, 0], y * x[:, -1]][: int(rng.integers(2, 4))]))
    model, rows, allowed = check(tally, "linear, several targets", f"{name} {seed}", estimator, x, rng)
    close(model.predict(rows), estimator.predict(rows), allowed)


@pytest.mark.filterwarnings("ignore:Class PassiveAggressive")
@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers(tally, name, seed):
    rng = seeds("classifier", name, seed)
    x, y = training_rows(rng)
    n_classes = 2 + seed % 3
    labels = np.array([["no", "yes", "perhaps", "later"], [3, 1, 7, 20], [2.0, 5.0, -1.0, 9.0]][seed % 3], object)
    y = labels[np.argsort(np.argsort(y)) * n_classes // len(y)]
    estimator = fitted(CLASSIFIERS[name](rng), x, y.astype(type(y[0])))
    model, rows, allowed = check(tally, "linear classifier", f"{name} {seed}", estimator, x, rng)
    assert model.classes.tolist() == estimator.classes_.tolist()
    if "modified_huber" in name:
        link = "modified_huber"
    elif not hasattr(estimator, "predict_proba"):
        link = "hinge" if n_classes == 2 else "argmax"
    elif n_classes == 2:
        link = "binary_pair"
    else:
        link = "ovr_normalised" if "SGD" in name or "OneVsRest" in name else "softmax"
    check_classes(estimator, model, rows, allowed, link)


@pytest.mark.parametrize("seed", range(N_SEEDS))
@pytest.mark.parametrize("name", LABELS)
def test_several_labels_per_row(tally, name, seed):
    rng = seeds("labels", name, seed)
    x, y = training_rows(rng)
    y = np.column_stack([y > 0, x[:, 0] > np.median(x[:, 0]), rng.random(len(x)) < 0.4]).astype(int)
    estimator = fitted(LABELS[name](rng), x, y)
    model, rows, allowed = check(tally, "linear, several labels", f"{name} {seed}", estimator, x, rng)
    margins = estimator.decision_function(rows)
    close(model.predict(rows, "margin"), margins, allowed)
    clear = np.abs(margins) > allowed
    assert model.classes is None and np.array_equal(model.predict(rows, "class")[clear], estimator.predict(rows)[clear])
    if hasattr(estimator, "predict_proba"):
        close(model.predict(rows), estimator.predict_proba(rows), allowed + 1e-14)
    else:
        assert np.array_equal(model.predict(rows)[clear], estimator.predict(rows)[clear])


@pytest.mark.parametrize("loss", ["log_loss", "modified_huber"])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_probabilities_far_from_the_borders(loss, n_classes):
    """Sigmoids that underflow, and rows whose classes all have probability 0, which become uniform."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=(200, 3))
    estimator = linear_model.SGDClassifier(loss=loss, random_state=1).fit(x, rng.integers(0, n_classes, 200))
    estimator.intercept_ = estimator.intercept_ - (800 if loss == "log_loss" else 3)
    model = scoreline.convert(estimator)
    rows = x * np.repeat([0.0, 1.0, 10.0, 1e3, 1e5], 40)[:, None]
    theirs = estimator.predict_proba(rows)
    if n_classes > 2:
        assert (theirs == 0.25).all(axis=1).any()
    np.testing.assert_allclose(model.predict(rows), theirs, rtol=1e-9, atol=1e-14)
