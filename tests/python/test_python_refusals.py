"""What convert() says of Python models that it cannot convert: the construct, and what to do instead. A model per message, and no
message of the converters without one (those of files are in tests/cli/test_cli_refusals.py).
"""
import ast
import functools
import pathlib
import re
import traceback
import warnings

import numpy as np
import pandas
import pytest

import scoreline

sklearn = pytest.importorskip("sklearn")
from sklearn import calibration, cluster, compose, ensemble, impute, linear_model, multiclass  # noqa: E402
from sklearn import naive_bayes, pipeline, preprocessing, svm, tree  # noqa: E402

SOURCES = pathlib.Path(scoreline.__file__).parent
FILES = [*sorted(SOURCES.glob("_sklearn*.py")), SOURCES / "_catboost.py", SOURCES / "_convert.py"]
rng = np.random.default_rng(3)
X = rng.normal(size=(90, 3))
Y = X[:, 0] - X[:, 1] ** 2
C = np.digitize(Y, [-0.6, 0.2])
TEXT = pandas.DataFrame({"city": rng.choice(["Bern", "Oslo", "Rome"], 90), "age": X[:, 0], "size": X[:, 1]})
TREE, BOOSTED, RIDGE = tree.DecisionTreeRegressor(max_depth=2), ensemble.GradientBoostingClassifier(n_estimators=2), linear_model.Ridge()
HIST = ensemble.HistGradientBoostingRegressor(max_iter=2)


def chain(*steps):
    return pipeline.make_pipeline(*steps, RIDGE)


def columns(*parts, **options):
    return compose.ColumnTransformer([(str(i), *part) for i, part in enumerate(parts)], **options)


def fitted(estimator, x=X, y=Y, change=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(x, y)
    if change:
        change(estimator)
    return estimator


def set_to(path, value):
    """A function that sets what stands at `path` of an estimator, which training itself does not bring about."""
    def change(estimator):
        at = estimator
        for name in path.split(".")[:-1]:
            at = at[int(name)] if name.isdigit() else getattr(at, name)
        setattr(at, path.split(".")[-1], value)
    return change


def one_class(estimator):
    estimator.classes_ = estimator.classes_[:1]


def of_one_class(estimator):
    """The first classifier behind a calibration knows fewer classes."""
    inner = estimator.calibrated_classifiers_[0].estimator
    inner.classes_ = inner.classes_[:-1]


class Link:
    """None that scikit-learn has."""


class Silent(ensemble.GradientBoostingClassifier):
    """Boosting that keeps its margins to itself."""

    @property
    def decision_function(self):
        raise AttributeError("decision_function")

    def predict_proba(self, rows):
        p = 1 / (1 + np.exp(-self._raw_predict(np.ascontiguousarray(rows, np.float32)).ravel()))
        return np.column_stack([1 - p, p])


def catboost_text():
    catboost = pytest.importorskip("catboost")
    rows = [[float(x), " ".join(rng.choice(["red", "green"], 4))] for x in X[:, 0]]
    return catboost.CatBoostClassifier(iterations=2, verbose=0, thread_count=1, allow_writing_files=False).fit(
        catboost.Pool(rows, (Y > 0).astype(int), text_features=[1]))


def catboost_infinite():
    """Some training rows at minus infinity, as logarithms of zero are: CatBoost puts a border there."""
    catboost = pytest.importorskip("catboost")
    x = np.linspace(-2, 2, 100, dtype=np.float32).reshape(-1, 1)
    x[:10] = -np.inf
    source = catboost.CatBoostRegressor(iterations=20, depth=4, border_count=100, verbose=0, thread_count=1, random_seed=3,
                                        allow_writing_files=False).fit(x, np.where(np.isinf(x[:, 0]), -10, x[:, 0]))
    assert source.get_borders()[0][0] == -np.inf
    return source


def quantile_forest():
    class QuantileForest(ensemble._forest.ForestRegressor):
        def __init__(self):
            super().__init__(tree.DecisionTreeRegressor(), 3)
            self.criterion = "squared_error"

    QuantileForest.__module__ = "quantile_forest"
    return fitted(QuantileForest())


def text_as_numbers():
    """An encoder that has become an imputer, so that strings reach the trees."""
    one = fitted(pipeline.make_pipeline(columns((preprocessing.OrdinalEncoder(), ["city"]), ("passthrough", ["age"])), HIST), TEXT)
    one[0].transformers_[0] = ("0", impute.SimpleImputer(strategy="constant", fill_value="?").fit(TEXT[["city"]]), ["city"])
    return one


def hist_behind_a_step():
    """Trees that ask for strings, behind a step that hands them on."""
    hist = ensemble.HistGradientBoostingRegressor(max_iter=2, categorical_features=[0])
    return fitted(pipeline.make_pipeline(columns(("passthrough", ["city", "age"])), hist), TEXT)


def text_in_parts():
    hist = ensemble.HistGradientBoostingRegressor(max_iter=2, categorical_features=["city"])
    return fitted(ensemble.VotingRegressor([("a", hist), ("b", hist)]), TEXT)


def strange_categories(found, column="city", encoder=None):
    """An encoder whose categories are what no training makes."""
    one = encoder or preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    pipe = fitted(chain(columns((one, [column]), ("passthrough", ["age"]))), TEXT)
    pipe[0].transformers_[0][1].categories_ = [np.array(found, dtype=object)]
    return pipe


MANY = ensemble.VotingClassifier([(str(i), ensemble.GradientBoostingClassifier(n_estimators=1)) for i in range(30)], voting="soft")
HUBER = linear_model.SGDClassifier(loss="modified_huber")
SEVERAL = np.column_stack([C > 0, np.ones(len(C), bool)]).astype(int)
ONE_HOT = preprocessing.OneHotEncoder()
STRINGS = np.array([["a"], ["b"], [None]], dtype=object)[np.arange(90) % 3]

# How the model is made, then words of the message: the construct first, what to do last.
CASES = {
    "another object": (lambda: {"a": 1}, ["cannot convert builtins.dict", "expected a path, bytes, a model of XGBoost"]),
    "infinities of CatBoost": (catboost_infinite, ["CatBoost cannot write this model as JSON",
                                                   "a border or leaf of it is infinite", "train without infinite values"]),
    "text of CatBoost": (catboost_text, ["text features of CatBoost", "numeric and categorical features only"]),
    "stacking": (lambda: fitted(ensemble.StackingRegressor([("a", TREE)])), ["StackingRegressor", "convert the parts one by one"]),
    "another forest": (quantile_forest, ["QuantileForest", "scikit-learn's own forests are supported"]),
    "boosting from a model": (lambda: fitted(ensemble.GradientBoostingRegressor(n_estimators=2, init=RIDGE)),
                              ["init=Ridge", "Train with init=None"]),
    "mixed categories": (lambda: fitted(ensemble.HistGradientBoostingRegressor(max_iter=2, categorical_features=[0]),
                                        np.column_stack([STRINGS[:, 0], X[:, 0].astype(object)])),
                         ["categories", "column 0", "all strings or all numbers"]),
    "another link": (lambda: fitted(ensemble.HistGradientBoostingRegressor(max_iter=2), change=set_to("_loss.link", Link())),
                     ["the link Link", "train with another loss"]),
    "votes of a linear model": (lambda: fitted(ensemble.VotingRegressor([("a", TREE), ("b", RIDGE)])),
                                ["Ridge as a part", "parts must be ensembles of trees"]),
    "votes of votes": (lambda: fitted(ensemble.VotingRegressor([("a", TREE), ("b", ensemble.AdaBoostRegressor(TREE, n_estimators=2))])),
                       ["AdaBoostRegressor as a part", "convert the parts one by one"]),
    "too many parts": (lambda: fitted(MANY, X, C), ["30 parts of 90 outputs", "Train fewer"]),
    "boosted linear models": (lambda: fitted(ensemble.AdaBoostClassifier(linear_model.LogisticRegression(), n_estimators=2), X, C),
                              ["LogisticRegression as its estimator", "convert the parts one by one"]),
    "one class": (lambda: fitted(ensemble.AdaBoostClassifier(n_estimators=2), X, C, one_class), ["a single class", "its answer is that class"]),
    "linear model of one class": (lambda: fitted(linear_model.RidgeClassifier(), X, np.zeros(len(C))), ["of a single class is not supported"]),
    "votes of numbers": (lambda: fitted(ensemble.VotingClassifier([("a", BOOSTED), ("b", BOOSTED)]), X, C,
                                        change=lambda v: v.estimators_.__setitem__(1, fitted(TREE))),
                         ["DecisionTreeRegressor as a part", "none that a vote can count"]),
    "calibrated by temperature": (lambda: fitted(calibration.CalibratedClassifierCV(BOOSTED, cv=2, method="temperature"), X, C),
                                  ["method='temperature'", "'sigmoid' or 'isotonic'"]),
    "calibrated with fewer classes": (lambda: fitted(calibration.CalibratedClassifierCV(BOOSTED, cv=2), X, C, of_one_class),
                                      ["some of the classes", "train with rows of every class"]),
    "calibrated probabilities": (lambda: fitted(calibration.CalibratedClassifierCV(Silent(n_estimators=2), cv=2), X, C > 0),
                                 ["Silent inside", "its probabilities are no sums of trees"]),
    "calibrated linear model of one class": (lambda: fitted(calibration.CalibratedClassifierCV(
        linear_model.LogisticRegression(), cv=3, ensemble=False), X, C, of_one_class),
        ["CalibratedClassifierCV over LogisticRegression", "trained on all classes"]),
    "calibrated linear models of one class": (lambda: fitted(calibration.CalibratedClassifierCV(
        linear_model.LogisticRegression(), cv=2, method="isotonic"), X, C, of_one_class),
        ["CalibratedClassifierCV over LogisticRegression", "trained on all classes"]),
    "calibrated pipelines": (lambda: fitted(calibration.CalibratedClassifierCV(pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression()), cv=2), X, C), ["CalibratedClassifierCV over 2 pipelines", "ensemble=False"]),
    "no linear model": (lambda: fitted(multiclass.OneVsRestClassifier(naive_bayes.GaussianNB()), X, C),
                        ["GaussianNB is no linear model", "expected one of"]),
    "constant class": (lambda: fitted(multiclass.OneVsRestClassifier(linear_model.LogisticRegression()), X, SEVERAL),
                       ["class 1 is absent from, or alone in", "train with rows of every class"]),
    "huber against the rest": (lambda: fitted(multiclass.OneVsRestClassifier(HUBER), X, C), ["modified_huber", "SGDClassifier alone does"]),
    "pipeline to a kernel": (lambda: fitted(pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVR())),
                             ["sklearn's SVR", "convert the last step alone"]),
    "pipeline without a model": (lambda: pipeline.make_pipeline("passthrough", None), ["pipeline without a model", "its last step must be one"]),
    "pipeline without columns": (lambda: fitted(chain(columns(("passthrough", [0]), remainder="drop")), change=lambda p: p[0].transformers_.__setitem__(
        0, ("0", "drop", [0]))), ["hands no column to its last step", "let it keep one"]),
    "rounded norms": (lambda: fitted(pipeline.make_pipeline(preprocessing.Normalizer(), TREE)), ["Normalizer with norm='l2'", "norm='max'"]),
    "another transformer": (lambda: fitted(chain(preprocessing.PolynomialFeatures())), ["PolynomialFeatures in a pipeline", "Take this step out"]),
    "sparse norms": (lambda: fitted(chain(ONE_HOT, preprocessing.Normalizer()), np.round(X)), ["Normalizer behind a sparse matrix", "sparse_output=False"]),
    "two norms": (lambda: fitted(chain(preprocessing.Normalizer(), preprocessing.Normalizer())), ["Normalizer behind another", "take one of them out"]),
    "strange marker": (lambda: fitted(chain(impute.SimpleImputer()), change=set_to("0.missing_values", (1, 2))),
                       ["SimpleImputer with missing_values=(1, 2)", "train with NaN"]),
    "number among strings": (lambda: fitted(chain(impute.SimpleImputer(strategy="constant", fill_value="?", missing_values=None),
                                                  impute.SimpleImputer(strategy="most_frequent", missing_values="a"), ONE_HOT), STRINGS,
                                            change=lambda p: p[1].statistics_.__setitem__(0, 7)),
                             ["fills a column of strings with 7", "fill it with a string"]),
    "sparse indicator": (lambda: fitted(chain(impute.MissingIndicator(sparse=True, features="all"))), ["MissingIndicator with sparse=True", "sparse=False"]),
    "floats of bins": (lambda: fitted(chain(preprocessing.KBinsDiscretizer(3, dtype=np.float32, encode="ordinal"))), ["KBinsDiscretizer with dtype", "dtype=np.float64"]),
    "many bins": (lambda: fitted(chain(preprocessing.KBinsDiscretizer(150, strategy="uniform", encode="ordinal"))), ["more than 101 bins", "fewer bins"]),
    "a function": (lambda: fitted(chain(preprocessing.FunctionTransformer(np.abs))), ["FunctionTransformer with func", "apply the function before"]),
    "floats of categories": (lambda: fitted(chain(preprocessing.OrdinalEncoder(dtype=np.float32)), np.round(X)), ["OrdinalEncoder with dtype", "dtype=np.float64"]),
    "sparse categories": (lambda: sparse_encoder(), ["OneHotEncoder behind a sparse matrix", "sparse_output=False"]),
    "None and NaN": (lambda: strange_categories(["Bern", None, np.nan]), ["None and NaN as two categories", "Train with one of them"]),
    "strings and numbers": (lambda: strange_categories(["Bern", 3]), ["strings and int among the categories", "train with strings alone"]),
    "a category that is none": (lambda: strange_categories([1.0, (1, 2)], "size"), ["category (1, 2)", "train with one of those"]),
    "a large category": (lambda: strange_categories([1.0, 2**53 + 1], "size"), ["category 9007199254740993", "numbers up to 2**53"]),
    "strings behind numbers": (lambda: scaled_text(), ["takes strings, but the steps before it make numbers", "put it first"]),
    "strings to trees": (text_as_numbers, ["takes numbers, but column 'city' holds strings", "encode it first"]),
    "strings and number at once": (lambda: text_and_number(), ["column 'city' is taken as strings by", "leave one of them out"]),
    "strings in trees behind a step": (hist_behind_a_step, ["column 0 holds categories that are strings", "OrdinalEncoder first"]),
    "strings in trees of parts": (text_in_parts, ["column 0 holds categories that are strings", "OrdinalEncoder first"]),
    "no ensemble": (lambda: cluster.KMeans(2), ["KMeans", "expected one of"]),
}


def sparse_encoder():
    one = fitted(chain(ONE_HOT, preprocessing.MaxAbsScaler()), np.round(X))
    one.steps[1] = ("again", preprocessing.OneHotEncoder().fit(one[0].transform(np.round(X)).toarray()))
    return one


def scaled_text():
    one = fitted(chain(preprocessing.StandardScaler(), preprocessing.OrdinalEncoder()))
    one[1].categories_ = [np.array(["a", "b"], dtype=object)] * 3
    return one


def text_and_number():
    one = fitted(chain(columns((preprocessing.OrdinalEncoder(), ["city"]), (preprocessing.StandardScaler(), ["city"]))),
                 TEXT.assign(city=C))
    one[0].transformers_[0][1].categories_ = [np.array(["a", "b", "c"], dtype=object)]
    return one


@functools.cache
def refusal(name):
    """The message, and the last place in the package that it went through."""
    made = CASES[name][0]()
    with pytest.raises(scoreline.UnsupportedError) as caught:
        if name == "no ensemble":  # convert() knows the names of those that it asks
            from scoreline._sklearn import ensemble_of
            ensemble_of(made)
        scoreline.convert(made)
    frames = [frame for frame in traceback.extract_tb(caught.tb) if frame.filename.startswith(str(SOURCES))]
    return str(caught.value), (pathlib.Path(frames[-1].filename).name, frames[-1].lineno)


@pytest.mark.parametrize("name", CASES)
def test_refusal(name):
    message, _ = refusal(name)
    for words in CASES[name][1]:
        assert words in message


def test_old_releases(monkeypatch):
    monkeypatch.setattr(sklearn, "__version__", "1.2.1")
    with pytest.raises(scoreline.UnsupportedError, match="releases before 1.4 .*Train with a later release"):
        scoreline.convert(fitted(TREE))


def sites():
    """(file, first line, last line) of every statement that refuses."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            call = node.exc if isinstance(node, ast.Raise) else None
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("UnsupportedError", "unsupported", "_refused"):
                yield path.name, node.lineno, node.end_lineno


# What no test here can bring about: another release of scikit-learn (test_old_releases), a build without importers.
ELSEWHERE = ["releases before 1.4", "built without importers"]


def test_no_message_without_a_model():
    reached = [refusal(name)[1] for name in CASES]
    without = []
    for name, first, last in sites():
        text = "".join((SOURCES / name).read_text().splitlines()[first - 1:last])
        if not any(at == name and first <= line <= last for at, line in reached) and not any(words in text for words in ELSEWHERE):
            without.append((name, first, re.sub(r"\s+", " ", text)[:120]))
    assert not without
