"""Pipelines of scikit-learn: names, strings and missing values in tables, and what is refused by name."""

import warnings

import numpy as np
import pandas
import pytest
from sklearn import calibration, compose, decomposition, ensemble, feature_selection, frozen, impute, linear_model
from sklearn import model_selection, pipeline, preprocessing, svm

import scoreline


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(4)
    made = pandas.DataFrame({"age": rng.normal(40, 10, 300), "income": rng.lognormal(10, 1, 300)})
    made["city"] = rng.choice(["Bern", "Genève", "Zürich"], 300).astype(object)
    made["note"] = "free text that nobody uses"
    made.loc[::9, "age"] = np.nan
    made.loc[::13, "city"] = np.nan
    return made


@pytest.fixture(scope="module")
def y(frame):
    return frame["income"].to_numpy() ** 0.1 + (frame["city"] == "Bern").to_numpy()


def preprocessor(**encoding):
    numbers = pipeline.make_pipeline(impute.SimpleImputer(add_indicator=True), preprocessing.StandardScaler())
    encoder = preprocessing.OneHotEncoder(**(encoding or {"handle_unknown": "ignore"}))
    return compose.ColumnTransformer([("numbers", numbers, ["age", "income"]), ("city", encoder, ["city"])])


def refused(estimator, X, y, message):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.fit(X, y)
    with pytest.raises(scoreline.UnsupportedError, match=message):
        scoreline.convert(estimator)


def test_a_frame_with_strings(frame, y, tmp_path):
    pipe = pipeline.make_pipeline(preprocessor(), ensemble.GradientBoostingRegressor(n_estimators=20)).fit(frame, y)
    model = scoreline.convert(pipe)
    assert model.features == ["age", "income", "city"]  # dropped columns are not asked for
    new = frame.copy()
    new.loc[:20, "city"] = "Basel"
    assert np.array_equal(model.predict(new), pipe.predict(new))
    assert np.array_equal(model.predict(new[["city", "income", "age"]]), pipe.predict(new))
    model.save(tmp_path / "pipeline.slm")
    loaded = scoreline.load(tmp_path / "pipeline.slm", verify=True)
    assert np.array_equal(loaded.predict(new), pipe.predict(new))


def test_golden_rows_are_those_of_the_pipeline(frame, y):
    pipe = pipeline.make_pipeline(preprocessor(), ensemble.RandomForestRegressor(8, random_state=1)).fit(frame, y)
    rows, margins = scoreline.convert(pipe).golden()
    labels = np.array(["Bern", "Genève", "Zürich", "elsewhere"], object)
    table = pandas.DataFrame(rows[:, :2], columns=["age", "income"]).assign(note="")
    codes = rows[:, 2]
    known = np.isin(codes, [0, 1, 2])
    table["city"] = np.where(np.isnan(codes), np.nan, labels[np.where(known, codes, 3).astype(int)])
    assert len(rows) >= 32 and np.isnan(rows).any() and not known.all()
    assert np.array_equal(margins.ravel(), pipe.predict(table))


def test_unknown_strings_are_refused_where_the_encoder_refuses_them(frame, y):
    pipe = pipeline.make_pipeline(preprocessor(handle_unknown="error"), linear_model.Ridge()).fit(frame, y)
    model = scoreline.convert(pipe)
    np.testing.assert_allclose(model.predict(frame), pipe.predict(frame), rtol=1e-12)
    with pytest.raises(scoreline.ShapeError, match="Basel"):
        model.predict(frame.assign(city="Basel"))


def test_classes_and_probabilities(frame, y):
    labels = np.array(["low", "middle", "high"])[np.digitize(y, np.quantile(y, [0.3, 0.7]))]
    pipe = pipeline.make_pipeline(preprocessor(), linear_model.LogisticRegression()).fit(frame, labels)
    model = scoreline.convert(pipe)
    assert np.array_equal(model.predict_class(frame), pipe.predict(frame))
    np.testing.assert_allclose(model.predict(frame), pipe.predict_proba(frame), rtol=1e-10)


def test_single_precision_rows_are_widened(y):
    X = np.random.default_rng(1).normal(size=(300, 3))
    pipe = pipeline.make_pipeline(preprocessing.StandardScaler(), ensemble.RandomForestRegressor(5)).fit(X, y)
    narrow = X.astype(np.float32)
    assert np.array_equal(scoreline.convert(pipe).predict(narrow), pipe.predict(narrow.astype(np.float64)))


@pytest.mark.parametrize(
    "step, message",
    [
        (preprocessing.PolynomialFeatures(), "PolynomialFeatures in a pipeline is not supported: expected one of Bin"),
        (decomposition.PCA(2), "PCA in a pipeline is not supported"),
        (preprocessing.FunctionTransformer(np.abs), "FunctionTransformer with func=.* apply the function before"),
        (preprocessing.KBinsDiscretizer(3, dtype=np.float32), "KBinsDiscretizer with dtype=.*float64"),
        (preprocessing.OneHotEncoder(dtype=np.float32, handle_unknown="ignore"), "OneHotEncoder with dtype .*float64"),
    ],
)
def test_steps_that_are_refused(step, message, y):
    X = np.round(np.random.default_rng(1).normal(size=(300, 3)), 1)
    refused(pipeline.make_pipeline(step, linear_model.Ridge()), X, y, message)


def test_rounded_norms_before_trees_are_refused(y):
    X = np.random.default_rng(1).normal(size=(300, 3))
    forest = ensemble.RandomForestRegressor(3)
    refused(pipeline.make_pipeline(preprocessing.Normalizer(), forest), X, y, "norm='l2' before RandomForestRegressor")
    pipe = pipeline.make_pipeline(preprocessing.Normalizer("max"), forest).fit(X, y)
    assert np.array_equal(scoreline.convert(pipe).predict(X), pipe.predict(X))


def test_last_steps_that_are_refused(y):
    X = np.random.default_rng(1).normal(size=(300, 3))
    refused(pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVR()), X, y, "ends in sklearn's SVR")
    import xgboost

    booster = xgboost.XGBRegressor(n_estimators=2)
    refused(pipeline.make_pipeline(preprocessing.StandardScaler(), booster), X, y, "ends in xgboost's XGBRegressor")
    refused(pipeline.make_pipeline(preprocessing.StandardScaler(), preprocessing.MinMaxScaler()), X, y, "MinMaxScaler")


def test_calibrations_that_are_refused(y):
    X = np.random.default_rng(1).normal(size=(300, 3))
    labels = X[:, 0] > 0
    linear = linear_model.LogisticRegression()
    pipelines = calibration.CalibratedClassifierCV(pipeline.make_pipeline(preprocessing.StandardScaler(), linear), cv=3)
    refused(pipelines, X, labels, "over 3 pipelines, each with steps of its own.*ensemble=False")
    temperature = calibration.CalibratedClassifierCV(linear, method="temperature", ensemble=False)
    refused(temperature, X, labels, "method='temperature' is not supported.*method='sigmoid' or 'isotonic'")
    for base in (ensemble.RandomForestClassifier(3), svm.LinearSVC()):
        for each in (True, False):
            temperature = calibration.CalibratedClassifierCV(base, method="temperature", ensemble=each, cv=3)
            refused(temperature, X, np.digitize(X[:, 0], [-0.5, 0.5]), "method='temperature' is not supported")


def test_strings_that_reach_the_model_are_refused(frame, y):
    encoded = compose.ColumnTransformer(
        [("one", preprocessing.OrdinalEncoder(), ["city"]), ("two", preprocessing.StandardScaler(), ["income"])]
    )
    pipe = pipeline.make_pipeline(encoded, ensemble.HistGradientBoostingRegressor(max_iter=3)).fit(frame, y)
    filled = impute.SimpleImputer(strategy="constant", fill_value="?").fit(frame[["city"]])
    pipe.steps[0][1].transformers_[0] = ("one", filled, ["city"])
    with pytest.raises(scoreline.UnsupportedError, match="takes numbers, but column 'city' holds strings: encode it"):
        scoreline.convert(pipe)


def test_selections_and_unions(y):
    X = np.random.default_rng(1).normal(size=(300, 6))
    both = pipeline.FeatureUnion(
        [("best", feature_selection.SelectKBest(feature_selection.f_regression, k=2)), ("all", "passthrough")]
    )
    pipe = pipeline.make_pipeline(both, ensemble.ExtraTreesRegressor(5)).fit(X, y)
    assert np.array_equal(scoreline.convert(pipe).predict(X), pipe.predict(X))


def searches(y):
    import catboost
    import lightgbm
    import xgboost

    X = np.random.default_rng(1).normal(size=(300, 3))
    forest = ensemble.RandomForestRegressor(5, random_state=1)
    lone = [forest, ensemble.HistGradientBoostingRegressor(max_iter=5), xgboost.XGBRegressor(n_estimators=4, n_jobs=1),
            lightgbm.LGBMRegressor(n_estimators=4, n_jobs=1, verbosity=-1)]
    for estimator in lone:
        yield model_selection.GridSearchCV(estimator, {"max_depth": [2, 3]}, cv=2).fit(X, y), X
    boosted = catboost.CatBoostRegressor(iterations=4, verbose=0, allow_writing_files=False, thread_count=1)
    yield model_selection.RandomizedSearchCV(boosted, {"depth": [2, 3]}, n_iter=1, cv=2).fit(X, y), X
    yield frozen.FrozenEstimator(forest.fit(X, y)), X
    yield frozen.FrozenEstimator(model_selection.GridSearchCV(forest, {"max_depth": [2]}, cv=2).fit(X, y)), X


def test_searches_over_lone_estimators(y):
    """No pipeline: what they found is converted as it would be by itself, whoever's it is."""
    for search, X in searches(y):
        assert np.array_equal(scoreline.convert(search).predict(X), search.predict(X))


def test_calibrated_searches(y):
    """A search of its own behind each calibrator."""
    X = np.random.default_rng(1).normal(size=(300, 3))
    for estimator, parameters in ((ensemble.RandomForestClassifier(4, random_state=1), {"max_depth": [2, 3]}),
                                  (linear_model.LogisticRegression(), {"C": [0.1, 1]})):
        search = model_selection.GridSearchCV(estimator, parameters, cv=2)
        calibrated = calibration.CalibratedClassifierCV(search, cv=3).fit(X, X[:, 0] > 0)
        found = scoreline.convert(calibrated).predict(X)
        assert np.allclose(found, calibrated.predict_proba(X), rtol=1e-12, atol=1e-15)


def test_a_search_over_categories(y, frame):
    """Labels of a table reach a lone estimator, which no step of a pipeline stands before."""
    table = pandas.DataFrame({"x": frame["income"], "city": frame["city"].astype("category")})
    trees = ensemble.HistGradientBoostingRegressor(max_iter=5)
    search = model_selection.GridSearchCV(trees, {"max_depth": [2, 3]}, cv=2).fit(table, y)
    assert np.array_equal(scoreline.convert(search).predict(table), search.predict(table))


def test_not_fitted():
    with pytest.raises(ValueError, match="GridSearchCV is not fitted yet, or with refit=False"):
        scoreline.convert(model_selection.GridSearchCV(linear_model.Ridge(), {"alpha": [1]}))
    with pytest.raises(ValueError, match="StandardScaler is not fitted"):
        scoreline.convert(pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge()))
    with pytest.raises(ValueError, match="CalibratedClassifierCV is not fitted"):
        scoreline.convert(calibration.CalibratedClassifierCV(linear_model.LogisticRegression()))
