"""Pipelines of scikit-learn with random steps, converted from the live object.

Where a pipeline ends in trees, margins equal the pipeline's own bit for bit. Where it ends in a linear model, they equal
bit for bit the sum in order of what the pipeline's own steps hand to it, and the pipeline's answer to rounding, because
a BLAS makes it (see test_sklearn_linear_models.py). Norms l1 and l2 are sums too, so those are compared to rounding.
"""
import warnings

import numpy as np
import pytest
from sklearn import calibration, ensemble, linear_model, model_selection, pipeline, preprocessing, svm, tree

import bit_check
import scoreline
import sklearn_pipelines as random_pipelines
from conftest import MODE
from sklearn_pipelines import LABELS, N_SEEN, fitted

N_TREES = {"quick": 12, "default": 155, "long": 700}[MODE]
N_LINEAR = {"quick": 10, "default": 105, "long": 500}[MODE]

TREES = {
    "DecisionTree": (lambda r: tree.DecisionTreeRegressor(max_depth=6), lambda r: tree.DecisionTreeClassifier(max_depth=4)),
    "RandomForest": (lambda r: ensemble.RandomForestRegressor(7, max_depth=5),
                     lambda r: ensemble.RandomForestClassifier(7, max_depth=5)),
    "GradientBoosting": (lambda r: ensemble.GradientBoostingRegressor(n_estimators=9),
                         lambda r: ensemble.GradientBoostingClassifier(n_estimators=5)),
    "HistGradientBoosting": (lambda r: ensemble.HistGradientBoostingRegressor(max_iter=8, min_samples_leaf=3),
                             lambda r: ensemble.HistGradientBoostingClassifier(max_iter=6, min_samples_leaf=3)),
}
TAKES_MISSING = ("DecisionTree", "RandomForest", "HistGradientBoosting")
LINEAR = {
    "Ridge": lambda r: linear_model.Ridge(0.3),
    "LinearRegression": lambda r: linear_model.LinearRegression(),
    "PoissonRegressor": lambda r: linear_model.PoissonRegressor(),
    "LogisticRegression": lambda r: linear_model.LogisticRegression(C=0.3),
    "SGDClassifier": lambda r: linear_model.SGDClassifier(loss=r.choice(["log_loss", "modified_huber"]), random_state=1),
    "LinearSVC": lambda r: svm.LinearSVC(max_iter=100),
    "CalibratedClassifierCV": lambda r: calibration.CalibratedClassifierCV(
        linear_model.LogisticRegression(), ensemble=False, cv=3),
}


def matrix_of(model, data, x):
    """Rows for the model, in the order of its features, with its own codes of the strings."""
    made = np.empty((len(x), len(model.features)))
    for place, name in enumerate(model.features):
        j = int(name[1:])
        made[:, place] = x[:, j]
        if any(group.kind == "strings" and j in group.places for group in data.groups):
            codes = np.array([model._labels.code(place, label) for label in LABELS] + [np.nan])
            codes[np.isinf(codes)] = np.nan
            made[:, place] = codes[np.where(np.isnan(x[:, j]), len(LABELS), x[:, j]).astype(int)]
    return made


class Asked:
    """The pipeline as a function of the model's rows: `x` are the rows as the generator made them."""

    def __init__(self, pipe, data, model, x):
        self.pipe, self.data, self.model, self.x = pipe, data, model, x

    def table(self, values):
        """The rows in the width in which the model gets them; strings stay what they are."""
        x = self.x.copy()
        for place, name in enumerate(self.model.features):
            j = int(name[1:])
            if not any(group.kind == "strings" and j in group.places for group in self.data.groups):
                x[:, j] = values[:, place]
        return self.data.table_of(x)

    def __call__(self, method, values):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return getattr(self.pipe, method)(self.table(values))


def compared(tally, kind, name, pipe, data, rng, margin, n=500):
    model = scoreline.convert(pipe)
    x = data.rows(rng, n)
    with np.errstate(over="ignore"):
        x = x.astype(np.float32).astype(np.float64) if rng.random() < 0.2 else x
    asked = Asked(pipe, data, model, x)
    rows = matrix_of(model, data, x)
    oracle = bit_check.Oracle(margin=lambda values: margin(asked, values))
    bit_check.Checker(name, model.to_bytes(), oracle, rows, tally("scikit-learn", kind)).run()
    by_name = model.predict(data.table_of(x), "margin") if data.is_named else model.predict(rows, "margin")
    assert len(bit_check.differing(bit_check.as_doubles(by_name), bit_check.as_doubles(model.predict(rows, "margin")))) == 0
    return model, asked, rows


def seeded(*parts):
    return np.random.default_rng([sum(map(ord, str(part))) for part in parts])


@pytest.mark.parametrize("seed", range(N_TREES))
def test_pipelines_that_end_in_trees(tally, seed):
    rng = seeded("trees", seed)
    name = list(TREES)[seed % len(TREES)]
    n_classes = [0, 0, 2, 3][seed // len(TREES) % 4]
    data = random_pipelines.make_data(rng, n_classes, True)
    last = TREES[name][n_classes > 0](rng).set_params(random_state=seed)
    before = random_pipelines.column_transformer(rng, data, name in TAKES_MISSING, bit_exact=True)
    if name in TAKES_MISSING or not data.is_named:  # a sparse matrix must have no missing values, and no objects
        before.set_params(sparse_threshold=0.0)
    steps = [before] + ([preprocessing.StandardScaler()] if before.sparse_threshold == 0 and rng.random() < 0.2 else [])
    if name == "HistGradientBoosting":  # which alone takes missing values that training did not have
        for one in encoders_of(before):
            one.set_params(unknown_value=np.nan if rng.random() < 0.3 else one.unknown_value)
    pipe = fitted(pipeline.make_pipeline(*steps, last), data.table_of(data.x), data.y)
    method = "predict" if not n_classes else "decision_function" if "Boosting" in name else "predict_proba"
    model, asked, rows = compared(tally, f"pipeline, {name}", f"pipeline {seed}", pipe, data, rng,
                                  lambda asked, values: asked(method, values))
    assert len(model.golden()[0]) >= 16
    if n_classes:
        assert np.array_equal(model.predict_class(rows), asked("predict", rows))
        np.testing.assert_allclose(model.predict(rows), asked("predict_proba", rows), rtol=1e-12, atol=1e-15)


def encoders_of(transformer):
    """Ordinal encoders with a number for unknown categories."""
    for _, one, _ in transformer.transformers:
        for part in getattr(one, "named_steps", {"": one}).values():
            if isinstance(part, preprocessing.OrdinalEncoder) and part.unknown_value is not None:
                yield part


def ordered_sum(asked, values, weights, bias):
    made = asked.pipe[:-1].transform(asked.table(values))
    made = np.asarray(made.toarray() if hasattr(made, "toarray") else made, np.float64)
    sums = np.zeros((len(made), len(weights)))
    for j in range(made.shape[1]):
        sums += made[:, j, None] * weights[:, j]
    return sums + bias


def coefficients(last):
    if isinstance(last, calibration.CalibratedClassifierCV):
        one = last.calibrated_classifiers_[0]
        slopes = np.array([-part.a_ for part in one.calibrators])
        places = np.array([-part.b_ for part in one.calibrators])
        return one.estimator.coef_ * slopes[:, None], one.estimator.intercept_ * slopes + places
    return np.atleast_2d(last.coef_), np.broadcast_to(np.atleast_1d(last.intercept_), len(np.atleast_2d(last.coef_)))


@pytest.mark.parametrize("seed", range(N_LINEAR))
def test_pipelines_that_end_in_a_linear_model(tally, seed):
    rng = seeded("linear", seed)
    name = list(LINEAR)[seed % len(LINEAR)]
    is_classifier = not name.endswith(("Ridge", "Regression", "Regressor")) or name == "LogisticRegression"
    n_classes = 2 + seed // len(LINEAR) % 2 if is_classifier else 0
    data = random_pipelines.make_data(rng, n_classes, False)
    y = np.exp(data.y / (1 + np.abs(data.y).max())) if name == "PoissonRegressor" else data.y
    before = random_pipelines.column_transformer(rng, data, False, bit_exact=True)
    if not data.is_named:
        before.set_params(sparse_threshold=0.0)
    pipe = fitted(pipeline.make_pipeline(before, LINEAR[name](rng)), data.table_of(data.x), y)
    weights, bias = coefficients(pipe[-1])
    model, asked, rows = compared(tally, f"pipeline, {name}", f"linear pipeline {seed}", pipe, data, rng,
                                  lambda asked, values: ordered_sum(asked, values, weights, bias))
    assert model.info.kind == "linear"
    made = asked.pipe[:-1].transform(asked.table(rows))
    made = np.abs(made.toarray() if hasattr(made, "toarray") else made)
    allowed = 1e-12 * (made @ np.abs(weights).T + np.abs(bias) + 1e-2).max(axis=1)[:, None]
    if not is_classifier:
        theirs = bit_check.as_doubles(asked("predict", rows))
        allowed = allowed * (1 + theirs if name == "PoissonRegressor" else 1)
        ours = bit_check.as_doubles(model.predict(rows))
        assert ((ours == theirs) | (np.abs(ours - theirs) <= allowed)).all()
    elif hasattr(pipe, "predict_proba"):
        assert (np.abs(model.predict(rows) - asked("predict_proba", rows)) <= allowed + 1e-14).all()
    else:
        theirs = bit_check.as_doubles(asked("decision_function", rows))
        assert (np.abs(bit_check.as_doubles(model.predict(rows, "margin")) - theirs) <= allowed).all()


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
@pytest.mark.parametrize("width", [3, 20])
def test_norms(norm, width):
    rng = np.random.default_rng(width)
    x = rng.normal(size=(200, width))
    x[5] = 0.0
    x[6] = 1e-17
    pipe = pipeline.make_pipeline(preprocessing.StandardScaler(), preprocessing.Normalizer(norm), linear_model.Ridge())
    pipe = fitted(pipe, x, x[:, 0] * 3)
    model = scoreline.convert(pipe)
    np.testing.assert_allclose(model.predict(x), pipe.predict(x), rtol=1e-12, atol=1e-13)


def test_a_search_and_a_calibration_over_a_pipeline():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 4)) * [1, 10, 100, 1000]
    y = (x / [1, 10, 100, 1000]).sum(axis=1) > 0
    pipe = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    search = fitted(model_selection.GridSearchCV(pipe, {"logisticregression__C": [0.1, 1.0]}, cv=3), x, y)
    np.testing.assert_allclose(scoreline.convert(search).predict(x), search.predict_proba(x), rtol=1e-12, atol=1e-14)
    classifier = fitted(calibration.CalibratedClassifierCV(pipe, ensemble=False, cv=3), x, y)
    model = scoreline.convert(classifier)
    np.testing.assert_allclose(model.predict(x), classifier.predict_proba(x), rtol=1e-11, atol=1e-14)
    assert np.array_equal(model.predict_class(x), classifier.predict(x))
