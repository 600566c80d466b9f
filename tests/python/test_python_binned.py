"""Rows as codes: every call gives for them what it gives for the rows."""

import lightgbm
import numpy as np
import pandas
import pyarrow
import pytest
import xgboost

import scoreline
from conftest import NAMES, make_rows, same_bits, target

OUTPUTS = ["prediction", "margin", "leaf", "contribution"]


def test_codes_score_as_rows(model, rows, margins):
    binned = model.bin(rows)
    assert len(binned) == len(rows) and binned.codes.dtype == np.uint8
    same_bits(model.predict(binned, "margin"), margins)
    for output in OUTPUTS:
        same_bits(model.predict(binned, output), model.predict(rows, output))
        same_bits(model.predict(binned, output, tree_range=(2, 7)), model.predict(rows, output, tree_range=(2, 7)))
        same_bits(model.predict(binned[3:9], output), model.predict(rows[3:9], output))
    same_bits(model.staged_predict(binned, 3), model.staged_predict(rows, 3))
    assert (model.decide(binned, 0.5) == model.decide(rows, 0.5)).all()
    same_bits(model.contributions(binned, binned[:5]), model.contributions(rows, rows[:5]))


def test_tables_are_bound_by_name(model, rows):
    frame = pandas.DataFrame(rows, columns=NAMES)[NAMES[::-1]]
    wanted = model.bin(rows).codes
    assert (model.bin(frame).codes == wanted).all()
    chunks = pyarrow.Table.from_batches(pyarrow.Table.from_pandas(frame).to_batches(max_chunksize=64))
    assert (model.bin(chunks).codes == wanted).all()


def test_columns_say_what_codes_mean(model, rows):
    columns, codes = model.bin_columns, model.bin(rows).codes
    assert len(columns) == len(codes)
    for column, code in zip(columns, codes):
        x = rows[:, column.feature].astype(np.float64)
        expected = (x[:, None] >= column.cuts).sum(axis=1)
        assert (np.where(np.isnan(x), column.missing, expected) == code).all()
        assert np.isnan(x).any() and column.categories is None and not column.zero_is_missing


def test_categories(rows):
    frame = pandas.DataFrame(rows, columns=NAMES)
    frame["weekday"] = pandas.Categorical(frame["weekday"].map(lambda x: "none" if x != x else f"day {x:.0f}"))
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 1}, lightgbm.Dataset(frame, target(rows)), 20)
    model = scoreline.convert(booster)
    new = frame.copy()
    new["weekday"] = new["weekday"].astype(object).where(np.arange(len(new)) % 5 > 0, "unheard of").astype("category")
    binned = model.bin(new)
    same_bits(model.predict(binned), booster.predict(new))
    column = next(c for c in model.bin_columns if c.categories is not None)
    assert NAMES[column.feature] == "weekday" and column.missing == len(column.categories) + 1


def test_models_of_the_same_bins(rows):
    matrix = xgboost.DMatrix(rows, label=target(rows), feature_names=NAMES)
    booster = xgboost.train({"max_depth": 4, "nthread": 1}, matrix, 12)
    other = xgboost.DMatrix(rows, label=-target(rows) ** 2, feature_names=NAMES)
    update = {"process_type": "update", "updater": "refresh", "refresh_leaf": True, "nthread": 1}
    refitted = xgboost.train(update, other, 12, xgb_model=booster)
    new = make_rows(seed=5)
    binned = scoreline.convert(booster).bin(new)
    theirs = refitted.inplace_predict(new, predict_type="margin", validate_features=False)
    same_bits(scoreline.convert(refitted).predict(binned, "margin"), theirs)
    elsewhere = scoreline.convert(xgboost.train({"max_depth": 3, "nthread": 1}, other, 3))
    with pytest.raises(scoreline.ShapeError, match="other bins"):
        elsewhere.predict(binned)


def test_refusals(model, rows):
    linear = scoreline.Builder(2).set_linear([1.0, 2.0]).finish()
    with pytest.raises(scoreline.UnsupportedError, match="need the values"):
        linear.bin([[1.0, 2.0]])
    assert linear.bin_columns == []
    binned = model.bin(rows)
    with pytest.raises(TypeError, match="runs of rows"):
        binned[::2]
    with pytest.raises(ValueError, match="absent"):
        model.predict(binned, absent="zero")
    with pytest.raises(ValueError):
        binned.codes[0, 0] = 1
    assert model.predict(binned[:0]).shape == (0,)
