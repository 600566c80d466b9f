"""Trees and forests of scikit-learn: the estimator's own bits, its names, its labels, and what is refused by name."""

import json
import warnings

import numpy as np
import pandas
import pytest
from sklearn import ensemble, neighbors, svm, tree

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
    votes = ensemble.VotingClassifier([("a", estimator), ("b", tree.ExtraTreeClassifier())], voting="soft").fit(X, ["x"] * len(X))
    assert scoreline.convert(votes).predict_class(X).tolist() == ["x"] * len(X)


@pytest.mark.parametrize("combine", [
    lambda: ensemble.VotingClassifier([("a", ensemble.RandomForestClassifier(2))], voting="soft"),
    lambda: ensemble.VotingClassifier([("a", ensemble.RandomForestClassifier(2))], voting="hard"),
    lambda: ensemble.BaggingClassifier(ensemble.HistGradientBoostingClassifier(max_iter=2), n_estimators=2),
])
def test_one_class_of_several_parts_is_refused(X, combine):
    with pytest.raises(scoreline.UnsupportedError, match="single class"):
        scoreline.convert(combine().fit(X, np.zeros(len(X))))


def test_frames_with_categories_of_numbers(X):
    """scikit-learn takes the categories of a numeric column as what they are."""
    frame = pandas.DataFrame(X, columns=NAMES)
    days = np.random.default_rng(2).choice([10, 20, 35], len(X))
    frame["weekday"] = pandas.Categorical(days)
    estimator = ensemble.RandomForestRegressor(4, random_state=3).fit(frame, days * np.nan_to_num(X[:, 0]))
    model = scoreline.convert(estimator)
    assert model.info.n_splits > 50
    other = frame.assign(weekday=pandas.Categorical(days, categories=[35, 99, 10, 20]))
    same_bits(model.predict(other), estimator.predict(frame))


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


@pytest.fixture(scope="module")
def frame():
    """Columns of numbers, of strings as a category, of numbers as a category, and of plain strings, some missing."""
    import pandas

    rng = np.random.default_rng(4)
    n = 500
    table = pandas.DataFrame(
        {
            "number": rng.normal(size=n),
            "letter": pandas.Categorical(rng.choice(["x", "ä", "zz"], n), categories=["zz", "x", "ä"]),
            "code": pandas.Categorical(rng.choice([3, 1, 700], n), categories=[700, 3, 1]),
            "word": rng.choice(["u", "v", None], n),
        }
    )
    for i, name in enumerate(table.columns[:3]):
        table.loc[i :: 7 + i, name] = np.nan
    return table


def histogram(frame, columns):
    y = frame.number.fillna(0.3) + (frame.letter == "ä") * 2 + (frame.code == 700) * 3 + (frame.word == "u")
    estimator = ensemble.HistGradientBoostingRegressor(
        categorical_features=columns, max_iter=20, min_samples_leaf=2, learning_rate=0.3
    )
    return estimator.fit(frame, y)


def test_categories_by_their_labels(frame):
    estimator = histogram(frame, ["letter", "code", "word"])
    model = scoreline.convert(estimator)
    assert model.feature_types == ["numeric", "category", "category", "category"]
    same_bits(model.predict(frame), estimator.predict(frame))
    other = frame[::-1].copy()
    rng = np.random.default_rng(5)
    other["letter"] = rng.choice(["x", "ä", "unknown"], len(other))  # plain strings
    other["code"] = rng.choice([1.0, 3.0, 700.0, 4.0, 3.5], len(other))  # plain numbers
    for one in (model, scoreline.load(model.to_bytes())):
        same_bits(one.predict(other[other.columns[::-1]]), estimator.predict(other))
    assert model.verify() > 0


def test_categories_from_the_type_of_a_column(frame):
    known = frame.drop(columns="word")
    estimator = ensemble.HistGradientBoostingClassifier(max_iter=5).fit(known, frame.word.fillna("none"))
    model = scoreline.convert(estimator)
    same_bits(model.predict(known, "margin"), estimator.decision_function(known))


def test_mixed_categories_are_refused(X):
    rows = np.column_stack([X[:, 0].astype(object), np.array(["a", None])[np.arange(len(X)) % 2]])
    estimator = ensemble.HistGradientBoostingRegressor(categorical_features=[1], max_iter=2).fit(rows, target(X))
    with pytest.raises(scoreline.UnsupportedError, match="categories .* of column 1"):
        scoreline.convert(estimator)


def test_isolation_forest(with_missing):
    estimator = ensemble.IsolationForest(n_estimators=20, contamination=0.1, random_state=2).fit(with_missing)
    model = scoreline.convert(estimator)
    scores = model.predict(with_missing)
    np.testing.assert_array_max_ulp(-scores, -estimator.score_samples(with_missing), 1)
    assert float(model.metadata["offset"]) == estimator.offset_
    labels = np.array(json.loads(model.metadata["class_labels"]))
    assert (labels[model.predict(with_missing, "class").astype(int)] == estimator.predict(with_missing)).all()


REFUSED = {
    "SVR as a part": lambda: ensemble.VotingRegressor([("a", tree.DecisionTreeRegressor()), ("b", svm.SVR())]),
    "KNeighborsRegressor as a part": lambda: ensemble.BaggingRegressor(neighbors.KNeighborsRegressor(), n_estimators=2),
    "65 parts of 65 outputs together": lambda: ensemble.AdaBoostRegressor(n_estimators=65, loss="exponential", random_state=1),
    "VotingRegressor as a part": lambda: ensemble.BaggingRegressor(
        ensemble.VotingRegressor([("a", tree.DecisionTreeRegressor()), ("b", ensemble.RandomForestRegressor(2))]), n_estimators=2
    ),
    "a model over the answers": lambda: ensemble.StackingRegressor([("tree", tree.DecisionTreeRegressor())], cv=2),
    "leaves as its answer": lambda: ensemble.RandomTreesEmbedding(n_estimators=2),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused_by_name(what, X):
    estimator = REFUSED[what]().fit(X, target(X))
    with pytest.raises(scoreline.UnsupportedError, match=f"{type(estimator).__name__}.*{what}"):
        scoreline.convert(estimator)


def test_forests_of_other_libraries_are_refused(X):
    class QuantileForest(ensemble._forest.ForestRegressor):
        def __init__(self):
            super().__init__(tree.DecisionTreeRegressor(), 3)
            self.criterion = "squared_error"

    QuantileForest.__module__ = "quantile_forest"
    estimator = QuantileForest().fit(X, target(X))
    with pytest.raises(scoreline.UnsupportedError, match="QuantileForest.*an answer of its own"):
        scoreline.convert(estimator)


LABELS = {
    "text": np.array(["no", "yes"]),
    "numbers": np.array([7, -3]),
    "booleans": np.array([False, True]),
    "reals": np.array([2.0, 5.0]),
}
CLASSIFIERS = [
    tree.DecisionTreeClassifier(max_depth=3),
    ensemble.ExtraTreesClassifier(4, max_depth=3),
    ensemble.GradientBoostingClassifier(n_estimators=3),
    ensemble.GradientBoostingClassifier(n_estimators=3, loss="exponential"),
    ensemble.HistGradientBoostingClassifier(max_iter=3),
    ensemble.BaggingClassifier(n_estimators=3),
    ensemble.AdaBoostClassifier(n_estimators=3),
    ensemble.VotingClassifier([("a", tree.DecisionTreeClassifier(max_depth=2))], voting="soft"),
]


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("estimator", CLASSIFIERS, ids=lambda one: type(one).__name__)
def test_classes_in_their_own_type(estimator, kind, X):
    """Fitted on a frame: its names are the features', and scikit-learn is never asked with an array."""
    import pandas
    from sklearn.base import clone

    frame = pandas.DataFrame(X, columns=NAMES)
    estimator = clone(estimator).fit(frame, LABELS[kind][(target(X) > 0).astype(int)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = scoreline.convert(estimator)
    assert model.features == NAMES
    answered = model.predict_class(frame[NAMES[::-1]])
    wanted = estimator.predict(frame)
    assert answered.tolist() == wanted.tolist() and answered.dtype.kind == wanted.dtype.kind


REGRESSORS = [
    ensemble.BaggingRegressor(n_estimators=3),
    ensemble.GradientBoostingRegressor(n_estimators=3),
    ensemble.HistGradientBoostingRegressor(max_iter=3),
    ensemble.VotingRegressor([("a", tree.DecisionTreeRegressor()), ("b", tree.ExtraTreeRegressor())], weights=[1, 0.3]),
]


@pytest.mark.parametrize("estimator", REGRESSORS, ids=lambda one: type(one).__name__)
def test_regressors_from_a_frame(estimator, X):
    import pandas

    frame = pandas.DataFrame(X, columns=NAMES)
    estimator.fit(frame, target(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = scoreline.convert(estimator)
    same_bits(model.predict(frame[NAMES[::-1]]), estimator.predict(frame))


def test_as_the_last_step_over_other_columns(X):
    """What a pipeline does: the estimator's features are columns of a builder that has more, in another order."""
    from scoreline._sklearn import ensemble_of

    codes = np.column_stack([X[:, 3], X[:, 0]]).astype(np.float64)
    estimator = ensemble.HistGradientBoostingRegressor(categorical_features=[0], max_iter=5).fit(codes, target(X))
    trees = ensemble_of(estimator)
    builder = scoreline.Builder(5, trees.n_outputs, metadata=trees.metadata, **trees.contract)
    trees.add_to(builder, [3, 0])
    same_bits(builder.finish().predict(X.astype(np.float64)), estimator.predict(codes))


def test_old_releases_are_refused(X, monkeypatch):
    import sklearn

    estimator = tree.DecisionTreeRegressor(max_depth=2).fit(X, target(X))
    monkeypatch.setattr(sklearn, "__version__", "1.2.1")
    with pytest.raises(scoreline.UnsupportedError, match="DecisionTreeRegressor of scikit-learn 1.2.1.*later release"):
        scoreline.convert(estimator)


def test_what_is_recognised_to_be_refused_is_not_offered():
    with pytest.raises(scoreline.UnsupportedError, match="RandomForestRegressor") as refused:
        scoreline.convert(object())
    assert "Stacking" not in str(refused.value) and "RandomTreesEmbedding" not in str(refused.value)
