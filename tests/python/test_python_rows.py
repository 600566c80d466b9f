"""Every kind of rows that predict() takes gives the bits that XGBoost gives for the same values."""

import pickle

import numpy as np
import pandas as pd
import pytest
import xgboost

import scoreline
from conftest import NAMES, same_bits

# ---- NumPy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4", ">f8", np.longdouble])
def test_float_types(model, rows, margins, dtype):
    same_bits(model.predict(rows.astype(dtype)), margins)


def within_struct(X):
    """The rows as a field of records of odd length: unaligned, with strides that no element size divides."""
    records = np.zeros(len(X), dtype=[("flag", "i1"), ("row", X.dtype, X.shape[1:])])
    records["row"] = X
    return records["row"]


@pytest.mark.parametrize(
    "arrange",
    {
        "C order": lambda X: X,
        "Fortran order": np.asfortranarray,
        "every second row": lambda X: np.repeat(X, 2, axis=0)[::2],
        "every third column": lambda X: np.repeat(X, 3, axis=1)[:, ::3],
        "rows backwards": lambda X: X[::-1].copy()[::-1],
        "columns backwards": lambda X: X[:, ::-1].copy()[:, ::-1],
        "both backwards": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
        "read only": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
        "unaligned": lambda X: np.frombuffer(b"x" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape),
        "part of a packed struct": lambda X: within_struct(X),
        "subclass": lambda X: X.view(np.recarray),
    }.items(),
    ids=lambda item: item[0],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_strides(model, rows, margins, arrange, dtype):
    X = arrange[1](rows.astype(dtype))
    before = X.copy()
    same_bits(model.predict(X), margins)
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_one_value_in_many_places(model, rows, dtype):
    """Arrays whose strides are 0: what stands there once is read once per column, row or both."""
    values = np.arange(20, dtype=dtype).reshape(20, 1)
    whole = np.broadcast_to(values, (20, rows.shape[1]))
    for X in (whole, whole[:1], np.broadcast_to(values[3], rows.shape), np.broadcast_to(values.T[:, : rows.shape[1]], rows.shape)):
        assert 0 in X.strides
        same_bits(model.predict(X), model.predict(X.copy()))
    same_bits(model.predict(whole[5]), model.predict(whole[5].copy()))


def test_no_copy_of_large_arrays(model, rows, margins):
    """A strided view of floats is used in place: nothing of its size is allocated."""
    import tracemalloc

    X = np.tile(rows, (200, 1))[::2]
    out = np.empty(len(X))
    model.predict(X, out=out)
    tracemalloc.start()
    model.predict(X, out=out)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 20
    same_bits(out, np.tile(margins, 200)[::2])


def test_repeated_row_without_memory(model, rows, margins):
    same_bits(model.predict(np.broadcast_to(rows[3], (50, 5))), np.full(50, margins[3]))


@pytest.mark.parametrize(
    "dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64, np.bool_, np.float16]
)
def test_other_numbers(model, booster, dtype):
    X = np.random.default_rng(0).integers(0, 5, size=(60, 5)).astype(dtype)
    expected = booster.inplace_predict(X.astype(np.float32), predict_type="margin", validate_features=False)
    same_bits(model.predict(X), expected)
    same_bits(model.predict(X[0]), expected[:1])
    same_bits(model.predict(X.tolist()), expected)


@pytest.mark.parametrize("kind", [np.float32, np.float64, ">f4", ">f8"])
def test_one_row_takes_the_quick_path_whoever_made_the_array(model, rows, margins, kind, monkeypatch):
    def no_detour(*_):
        raise AssertionError("the call went the way of batches")

    made = rows[:5].astype(kind)
    pickled = pickle.loads(pickle.dumps(made))
    assert pickled.dtype is not made.dtype or made.dtype.byteorder == ">"
    monkeypatch.setattr(type(model), "_predict", no_detour)
    for each in (made, pickled, pickled * 1):
        same_bits(np.concatenate([model.predict(each[i:i + 1], "margin") for i in range(5)]), margins[:5])
        same_bits(np.concatenate([model.predict(each[i], "margin") for i in range(5)]), margins[:5])


def test_one_row(model, rows, margins):
    for i in range(20):
        same_bits(model.predict(rows[i]), margins[i : i + 1])
        same_bits(model.predict(rows[i : i + 1]), margins[i : i + 1])
        same_bits(model.predict(rows[i].astype(np.float64), "margin"), margins[i : i + 1])
        same_bits(model.predict(rows[::-1][len(rows) - 1 - i]), margins[i : i + 1])
        same_bits(model.predict(rows[i].tolist()), margins[i : i + 1])
    assert model.predict(rows[0], "leaf").tolist() == model.predict(rows, "leaf")[:1].tolist()


def test_results_do_not_share_memory(model, rows):
    first = model.predict(rows[0])
    kept = first.copy()
    second = model.predict(rows[1])
    assert not np.shares_memory(first, second)
    same_bits(first, kept)


def test_no_rows(model):
    assert model.predict(np.empty((0, 5))).shape == (0,)
    assert model.predict(np.empty((0, 5)), "leaf").shape == (0, model.info.n_trees)
    assert model.predict(pd.DataFrame(columns=NAMES, dtype=np.float64)).shape == (0,)


def test_masked_array(model, rows, margins):
    masked = np.ma.masked_invalid(rows)
    masked.data[masked.mask] = 7
    same_bits(model.predict(masked), margins)


def test_objects_that_are_numbers(model, rows, margins):
    X = np.array([[None if np.isnan(x) else float(x) for x in row] for row in rows], dtype=object)
    same_bits(model.predict(X), margins)
    same_bits(model.predict(X.tolist()), margins)


@pytest.mark.parametrize(
    "X, error, message",
    [
        (np.zeros((2, 4)), scoreline.ShapeError, "5"),
        (np.zeros((2, 6)), scoreline.ShapeError, "5"),
        (np.zeros(4), scoreline.ShapeError, "5"),
        (np.zeros((2, 5, 1)), scoreline.ShapeError, "3 dimensions"),
        (np.array(1.0), scoreline.ShapeError, "0 dimensions"),
        (np.zeros((2, 5), dtype=complex), scoreline.ShapeError, "complex"),
        (np.zeros((2, 5), dtype="datetime64[s]"), scoreline.ShapeError, "datetime64"),
        ([["1", "2", "3", "4", "5"]], scoreline.ShapeError, "text '1' in row 0, column 0"),
        (np.array([[1, 2, "x", 4, 5]], dtype=object), scoreline.ShapeError, "text 'x' in row 0, column 2"),
        (np.array([[1, 2, [], 4, 5]], dtype=object), scoreline.ShapeError, "found list in row 0, column 2"),
        (np.array([1, 2, 3, 4j, 5], dtype=object), scoreline.ShapeError, "found complex in row 0, column 3"),
        (np.array([[1, bytearray(b"2"), 3, 4, 5]], dtype=object), scoreline.ShapeError, "bytearray in row 0, column 1"),
        ([[1, 2, 3, 4, 5], [1, 2, 3, 4, 10**400]], scoreline.ShapeError, "int that is larger than every double in row 1, column 4"),
        ("age", TypeError, "found str"),
        (3.0, TypeError, "found float"),
        (None, TypeError, "found NoneType"),
    ],
)
def test_wrong_arrays(model, X, error, message):
    with pytest.raises(error, match=message):
        model.predict(X)


def test_sparse_rows(model, rows, margins):
    from scipy import sparse

    known = ~np.isnan(rows)
    entries = sparse.coo_matrix((rows[known], np.nonzero(known)), shape=rows.shape)
    for X in (entries, entries.tocsr(), entries.tocsc(), sparse.csr_array(entries), entries.astype(np.float64)):
        same_bits(model.predict(X, absent="missing"), margins)
    same_bits(model.predict(entries.tocsr()[7:19], absent="missing"), margins[7:19])
    twice = sparse.csr_matrix((np.array([1.0, 2.0, 4.0]), np.array([3, 1, 3]), np.array([0, 3])), shape=(1, 5))
    same_bits(model.predict(twice, absent="zero"), model.predict(np.array([[0, 2.0, 0, 5.0, 0]])))
    with pytest.raises(scoreline.UnsupportedError, match="absent='zero' or absent='missing'"):
        model.predict(entries)
    with pytest.raises(ValueError, match="for sparse matrices only"):
        model.predict(rows, absent="zero")
    with pytest.raises(ValueError, match="'zero' or 'missing', found 'nan'"):
        model.predict(entries, absent="nan")
    with pytest.raises(scoreline.ShapeError, match="4 columns"):
        model.predict(entries.tocsr()[:, :4], absent="zero")


@pytest.mark.parametrize("part", ["data", "indices", "indptr"])
@pytest.mark.parametrize("step", [2, -1])
def test_sparse_rows_of_views(model, rows, part, step):
    """SciPy keeps a view of every second value, or of values from the end, as it is."""
    from scipy import sparse

    X = sparse.csr_matrix(np.nan_to_num(rows))
    parts = {"data": X.data, "indices": X.indices, "indptr": X.indptr}
    parts[part] = np.repeat(parts[part], 2)[::2] if step == 2 else parts[part][::-1].copy()[::-1]
    view = sparse.csr_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=X.shape)
    assert getattr(view, part).strides[0] == step * getattr(X, part).strides[0]
    same_bits(model.predict(view, absent="zero"), model.predict(X.toarray()))


def test_sparse_rows_of_other_kinds(model):
    from scipy import sparse

    row = np.array([0, 2.0, 0, 5.0, 0])
    for one in (sparse.coo_array(row), sparse.coo_array(row.astype(int))):
        same_bits(model.predict(one, absent="zero"), model.predict(row))
    with pytest.raises(scoreline.ShapeError, match="expected numbers, found an array of complex128"):
        model.predict(sparse.csr_matrix(row[np.newaxis] * 1j), absent="zero")


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_sparse_rows_score_as_in_the_trainers(index, kind):
    """XGBoost takes absent entries as missing, LightGBM as zero."""
    import lightgbm
    import xgboost
    from scipy import sparse

    rng = np.random.default_rng(5)
    X = sparse.random(900, 40, density=0.2, format="csr", random_state=3, dtype=np.float64)
    X.data = rng.normal(size=X.nnz).astype(kind)
    X.data[::11] = np.nan
    X.data[3::11] = 0.0
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    y = np.nan_to_num(X.toarray()[:, :10]).sum(axis=1) + rng.normal(size=900)
    booster = xgboost.train({"nthread": 1, "max_depth": 5}, xgboost.DMatrix(X, y), 15)
    ours = scoreline.convert(booster).predict(X, "margin", absent="missing")
    same_bits(ours, booster.predict(xgboost.DMatrix(X), output_margin=True))
    same_bits(ours, booster.inplace_predict(X, predict_type="margin"))
    for extra in ({}, {"zero_as_missing": True}, {"use_missing": False}):
        parameters = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 3, **extra}
        booster = lightgbm.train(parameters, lightgbm.Dataset(X, y), 15)
        same_bits(scoreline.convert(booster).predict(X, "margin", absent="zero"), booster.predict(X, raw_score=True))



@pytest.mark.parametrize("attribute", ["columns", "column_names"])
def test_unknown_tables_are_refused(model, rows, attribute):
    """NumPy would take a table by position, or even turned by a quarter."""
    table = type("Table", (), {attribute: NAMES, "__array__": lambda self, *more: rows, "__len__": lambda self: 5})()
    with pytest.raises(TypeError, match="named columns"):
        model.predict(table)


# ---- pandas --------------------------------------------------------------------------------------------------------


def frame_of(rows, **more):
    return pd.DataFrame(rows, columns=NAMES, **more)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_frame(model, rows, margins, dtype):
    frame = frame_of(rows.astype(dtype))
    same_bits(model.predict(frame), margins)
    same_bits(model.predict(frame[NAMES[::-1]]), margins)
    same_bits(model.predict(frame.iloc[::-1].iloc[::-1]), margins)
    frame.insert(2, "extra", np.float32(1))
    same_bits(model.predict(frame), margins)
    same_bits(model.predict(frame.assign(text="x", when=pd.Timestamp("2026-01-01"))), margins)


def test_frame_of_many_types(model, rows, margins):
    frame = frame_of(rows)
    frame["age"] = frame["age"].astype(np.float64)
    frame["weekday"] = frame["weekday"].astype("Int16")
    frame["visits"] = frame["visits"].astype("Float32")
    frame["income"] = frame["income"].astype(object).where(frame["income"].notna(), None)
    frame["distance"] = frame["distance"].astype("float32[pyarrow]")
    assert len(set(frame.dtypes)) == 5
    same_bits(model.predict(frame), margins)
    same_bits(model.predict(frame[NAMES[::-1]].iloc[::2]), margins[::2])


@pytest.mark.parametrize(
    "dtype",
    [
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "bool",
        "float16",
        "Int64",
        "UInt8",
        "boolean",
        "int64[pyarrow]",
        "bool[pyarrow]",
        ">i4",
        ">u8",
    ],
)
def test_frame_of_whole_numbers(model, booster, dtype):
    X = np.random.default_rng(0).integers(0, 2, size=(60, 5))
    expected = booster.inplace_predict(X.astype(np.float32), predict_type="margin", validate_features=False)
    frame = frame_of(X).astype(dtype)
    same_bits(model.predict(frame), expected)
    frame["age"] = frame["age"].astype(np.float64)
    same_bits(model.predict(frame), expected)
    same_bits(model.predict(frame.iloc[::-3]), expected[::-3])


def test_frame_with_missing_in_nullable_types(model, rows, margins):
    frame = frame_of(rows)
    frame["weekday"] = frame["weekday"].astype("Int64")
    assert frame["weekday"].isna().any()
    same_bits(model.predict(frame), margins)
    expected = model.predict(np.where(np.arange(5) == 2, np.nan, rows))
    for nothing in ("object", "float32", "Int8", "null[pyarrow]"):
        frame["visits"] = pd.array([None] * len(frame), dtype=nothing)
        same_bits(model.predict(frame), expected)


def test_frame_with_categories(rows):
    """Of a feature with categories whose labels nobody knows, a column of dtype category is scored by its codes; a missing one
    is missing."""
    types = ["c" if name == "weekday" else "float" for name in NAMES]
    matrix = xgboost.DMatrix(rows, rows[:, 0] > 0, feature_names=NAMES, feature_types=types, enable_categorical=True)
    booster = xgboost.train({"max_depth": 4, "nthread": 1}, matrix, 6)
    frame = frame_of(rows)
    frame["weekday"] = pd.Categorical(
        frame["weekday"].map(lambda day: None if np.isnan(day) else "smtwrfu"[int(day)]), categories=list("smtwrfu")
    )
    assert frame["weekday"].isna().any()
    same_bits(scoreline.convert(booster).predict(frame, "margin"), booster.predict(matrix, output_margin=True))


def test_frame_with_categories_of_numbers(model, rows, margins):
    """A numeric feature takes the categories themselves, in whatever order they stand, and no other codes."""
    frame = frame_of(rows)
    days = frame["weekday"]
    for categories in ([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [6, 3, 99, 1, 5, 0, 2, 4]):
        same_bits(model.predict(frame.assign(weekday=pd.Categorical(days, categories=categories))), margins)
    with pytest.raises(scoreline.ShapeError, match="column 'weekday' has dtype category, and the model's feature is numeric"):
        model.predict(frame.assign(weekday=days.map(str).astype("category")))


def test_frame_with_numbered_columns(model, rows, margins):
    same_bits(model.predict(pd.DataFrame(rows)), margins)
    same_bits(model.predict(pd.DataFrame(rows).astype({3: "Int32"})), margins)
    with pytest.raises(scoreline.ShapeError):
        model.predict(pd.DataFrame(rows[:, :4]))


def test_features_named_by_numbers(rows):
    """Numbered columns bind by name when the features are those numbers."""
    builder = scoreline.Builder(3, feature_names=["2", "0", "1"])
    model = builder.set_linear([100.0, 1.0, 10.0]).finish()
    assert model.predict(pd.DataFrame([[1.0, 2.0, 3.0]])).tolist() == [321.0]
    # A row of that frame is the same row.
    assert model.predict(pd.Series([1.0, 2.0, 3.0])).tolist() == [321.0]
    assert model.predict({0: 1.0, 1: 2.0, 2: 3.0, 7: "more"}).tolist() == [321.0]
    assert model.predict([{0: 1.0, 1: 2.0, 2: 3.0}, {"1": 2.0, "0": 1.0, "2": 3.0}]).tolist() == [321.0, 321.0]


def test_series_is_a_row(model, rows, margins):
    frame = frame_of(rows)
    same_bits(model.predict(frame.iloc[5]), margins[5:6])
    same_bits(model.predict(frame.iloc[5][NAMES[::-1]]), margins[5:6])
    same_bits(model.predict(pd.Series(rows[5])), margins[5:6])
    doubled = pd.concat([frame.iloc[5], frame.iloc[6][["age"]]])
    with pytest.raises(scoreline.ShapeError, match="the row has twice 1 of the model's features: 'age'"):
        model.predict(doubled)


@pytest.mark.parametrize("index", [None, NAMES])
def test_series_of_other_types(model, rows, margins, index):
    """A row's values count as they do in a frame, whatever type they share."""
    whole = np.array([3, 1, 2, 5, 0])
    expected = model.predict(whole.astype(np.float64))
    for dtype in ("int8", "object", "category", "Int64", "Float32", "int64[pyarrow]", "Sparse[int64]"):
        same_bits(model.predict(pd.Series(whole, index).astype(dtype)), expected)
    missing = pd.Series([3.0, None, 2.0, 5.0, 0.0], index)
    for dtype in ("Float64", "category", "object", "float32[pyarrow]"):
        same_bits(model.predict(missing.astype(dtype)), model.predict(missing.to_numpy()))
    for dtype in ("str", "string", "datetime64[ns]", "datetime64[s]", "timedelta64[ns]", "category"):
        values = pd.Series(whole, index).astype("str" if dtype == "category" else dtype).astype(dtype)
        with pytest.raises(scoreline.ShapeError, match="expected numbers, found .*(row 0|'age')"):
            model.predict(values)


def test_objects_that_are_no_numbers(model, rows):
    """NumPy's times are no numbers of nanoseconds, wherever they stand."""
    for value, found in (
        (np.datetime64("2026-01-01", "ns"), "datetime64"),
        (np.timedelta64(5, "ns"), "timedelta64"),
        (np.datetime64("NaT", "ns"), "datetime64"),
        (10**400, "larger than every double"),
        ([1.0], "list"),
    ):
        frame = frame_of(rows[:2]).astype(object)
        frame.iat[1, 2] = value
        for given, where in (
            (frame, "in row 1 of column 'visits'"),
            (frame.to_numpy(), "in row 1, column 2"),
            ([dict(zip(NAMES, row)) for row in frame.to_numpy()], "for feature 'visits' in row 1"),
            (frame.iloc[1], "for feature 'visits' in row 0"),
        ):
            with pytest.raises(scoreline.ShapeError, match="expected numbers, found ") as raised:
                model.predict(given)
            assert found in str(raised.value) and where in str(raised.value)


def test_missing_columns_are_listed(model, rows):
    frame = frame_of(rows)
    with pytest.raises(scoreline.ShapeError, match="(?s)income.*visits"):
        model.predict(frame.drop(columns=["income", "visits"]))
    with pytest.raises(scoreline.ShapeError, match="age.*to_numpy"):
        model.predict(frame.rename(columns=str.upper))


def test_doubled_columns_are_refused(model, rows):
    frame = frame_of(rows)
    with pytest.raises(scoreline.ShapeError, match="age"):
        model.predict(pd.concat([frame, frame[["age"]]], axis=1))


def test_text_columns_are_listed(model, rows):
    frame = frame_of(rows)
    frame["age"] = "old"
    frame["visits"] = pd.Series(["1.5"] * len(frame), dtype=object)
    frame["weekday"] = pd.Timestamp("2026-01-01")
    with pytest.raises(scoreline.ShapeError, match="'age'.*'visits'.*'weekday'"):
        model.predict(frame)
    numbered = frame.set_axis(range(5), axis=1)
    with pytest.raises(scoreline.ShapeError, match="0.*2.*3"):
        model.predict(numbered)


def test_frames_with_levels_of_columns(rows):
    """Names of two levels are those that XGBoost makes of them, so that the order of columns does not matter."""
    import xgboost

    frame = pd.DataFrame(rows[:, :4], columns=pd.MultiIndex.from_product([["a", "b"], ["c", 1]]))
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(frame, np.nan_to_num(rows[:, 0] + 2 * rows[:, 2])), 4)
    own = booster.predict(xgboost.DMatrix(frame))
    model = scoreline.convert(booster)
    assert model.features == ["a c", "a 1", "b c", "b 1"]
    for table in (frame, frame[frame.columns[[2, 0, 3, 1]]]):
        same_bits(model.predict(table), own)
        same_bits(model.predict(table.iloc[0]), own[:1])


# ---- dictionaries --------------------------------------------------------------------------------------------------


def test_dictionaries(model, rows, margins):
    records = [
        {"other": "x", **{name: None if np.isnan(x) else x for name, x in zip(NAMES[::-1], row[::-1])}}
        for row in rows.tolist()
    ]
    same_bits(model.predict(records), margins)
    same_bits(model.predict(tuple(records[:3])), margins[:3])
    same_bits(model.predict(records[7]), margins[7:8])
    same_bits(model.predict([{**records[0], "age": np.float32(rows[0, 0])}]), margins[:1])
    frame = pd.DataFrame(rows, columns=NAMES)
    objects = frame.astype("Float64").to_numpy(object)
    assert any(value is pd.NA for value in objects.ravel())
    same_bits(model.predict(objects), model.predict(frame))
    with pytest.raises(scoreline.ShapeError, match="'age' .str.*numeric features of these names: make the columns numbers"):
        model.predict(frame.assign(age=frame["age"].astype(str)))
    absent = {**records[0], "age": pd.NA}
    same_bits(model.predict(absent), model.predict({**records[0], "age": None}))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda r: [{}], "row 0 lacks the features 'age', 'income'"),
        (lambda r: [r, {k: r[k] for k in NAMES[1:]}], "row 1 lacks the features 'age':"),
        (lambda r: [r, {**r, "visits": "3"}], "text '3' for feature 'visits' in row 1"),
        (lambda r: [r, {**r, "visits": []}], "list for feature 'visits' in row 1"),
        (lambda r: [r, 3], "found int as row 1"),
    ],
)
def test_wrong_dictionaries(model, change, message):
    with pytest.raises(scoreline.ShapeError, match=message):
        model.predict(change(dict.fromkeys(NAMES, 1.0)))
