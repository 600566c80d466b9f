"""The golden rows of live models: missing values, values at thresholds and categories that no training saw are among them, and the
margins are the source library's own; open and verify hold the file to them."""

import warnings

import catboost
import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn import ensemble

import scoreline
from conftest import make_rows, same_bits, target

N_CATEGORIES = 7  # column 3


def training():
    X = make_rows(n=500, missing=0.15, seed=11).astype(np.float64)
    return X, target(X)


def of_xgboost():
    X, y = training()
    types = ["q"] * 3 + ["c", "q"]
    matrix = xgboost.DMatrix(X.astype(np.float32), y, feature_types=types, enable_categorical=True)
    booster = xgboost.train({"max_depth": 5, "nthread": 1, "max_cat_to_onehot": 1, "seed": 1}, matrix, 8)

    def answer(rows):
        return booster.inplace_predict(rows.astype(np.float32), predict_type="margin", validate_features=False)

    return booster, answer


def of_lightgbm():
    X, y = training()
    data = lightgbm.Dataset(X, y, categorical_feature=[3], params={"min_data_per_group": 1, "cat_smooth": 1})
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1}, data, 8)
    return booster, lambda rows: booster.predict(rows, raw_score=True)


def of_catboost():
    X, y = training()
    given = X.astype(object)
    given[:, 3] = [str(int(x)) if x == x else "none" for x in X[:, 3]]
    pool = catboost.Pool(given, y, cat_features=[3])
    model = catboost.CatBoostRegressor(
        iterations=8, depth=5, one_hot_max_size=20, thread_count=1, verbose=0, allow_writing_files=False
    )
    return model.fit(pool), None


def of_histogram_boosting():
    X, y = training()
    estimator = ensemble.HistGradientBoostingRegressor(max_iter=8, categorical_features=[3], min_samples_leaf=3).fit(X, y)
    return estimator, lambda rows: estimator._raw_predict(rows, n_threads=1)


def of_forest():
    X, y = training()
    estimator = ensemble.RandomForestRegressor(5, random_state=1).fit(X, y)
    return estimator, estimator.predict


LIVE = [of_xgboost, of_lightgbm, of_catboost, of_histogram_boosting, of_forest]


@pytest.mark.parametrize("live", LIVE, ids=lambda live: live.__name__[3:])
def test_golden_rows_of_live_models(live):
    source, answer = live()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = scoreline.convert(source)
    rows, margins = model.golden()
    assert len(rows) >= 16
    same_bits(model.predict(rows, "margin").reshape(margins.shape), margins)
    if answer is not None:
        same_bits(np.asarray(answer(rows)).reshape(margins.shape), margins)
    assert np.isnan(rows).any()
    numbers = [c for c in model.bin_columns if c.cuts is not None and c.feature < rows.shape[1]]
    # A test "x <= t" is kept as "x < next(t)": the golden value at the threshold may be either side of the cut.
    at_cuts = sum(np.isin(rows[:, c.feature], np.concatenate([c.cuts, np.nextafter(c.cuts, -np.inf)])).sum() for c in numbers)
    assert at_cuts > 0
    if live is not of_forest:
        category = rows[:, 3][~np.isnan(rows[:, 3])]
        assert (~np.isin(category, np.arange(N_CATEGORIES))).any(), category
    again = scoreline.load(model.to_bytes(), verify=True)
    assert again.verify() > 0
    broken = model._with({}, (rows, margins + 1.0))
    with pytest.raises(scoreline.VerifyError):
        scoreline.load(broken.to_bytes(), verify=True)
