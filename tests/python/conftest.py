"""Small models that many tests share, and bit-exact comparison."""

import os

# Several test processes share the machine: the trainers must not start a thread per core each.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest

import scoreline

NAMES = ["age", "income", "visits", "weekday", "distance"]


def same_bits(ours, theirs):
    """Both arrays hold the same doubles, bit for bit (and the same places hold NaN)."""
    ours, theirs = (np.ascontiguousarray(values, dtype=np.float64) for values in (ours, theirs))
    assert ours.shape == theirs.shape
    both_nan = np.isnan(ours) & np.isnan(theirs)
    differ = (ours.view(np.uint64) != theirs.view(np.uint64)) & ~both_nan
    assert not differ.any(), f"{differ.sum()} of {differ.size} differ: {ours[differ][:3]} {theirs[differ][:3]}"


def make_rows(n=400, n_features=len(NAMES), missing=0.1, seed=1):
    """float32 rows with missing values; column 3 holds small whole numbers."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features)).astype(np.float32)
    X[:, 3] = rng.integers(0, 7, size=n)
    X[rng.random(X.shape) < missing] = np.nan
    return X


def target(X):
    clean = np.nan_to_num(X)
    return clean[:, 0] * 2 - clean[:, 1] * clean[:, 2] + np.sin(clean[:, 3])


@pytest.fixture(scope="session")
def rows():
    return make_rows()


@pytest.fixture(scope="session")
def booster(rows):
    import xgboost

    matrix = xgboost.DMatrix(rows, label=target(rows), feature_names=NAMES)
    return xgboost.train({"max_depth": 4, "nthread": 1, "seed": 3}, matrix, 12)


@pytest.fixture(scope="session")
def model(booster):
    return scoreline.convert(booster)


@pytest.fixture(scope="session")
def margins(booster, rows):
    """What XGBoost itself answers for `rows`."""
    return booster.inplace_predict(rows, predict_type="margin", validate_features=False).astype(np.float64)
