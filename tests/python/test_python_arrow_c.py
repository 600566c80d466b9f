"""scoreline/arrow.h: the C functions score what pyarrow exports, batches and streams of every type that is taken."""

import ctypes
from ctypes import CFUNCTYPE, POINTER, byref, c_double, c_int, c_int64, c_size_t, c_uint32, c_void_p

import numpy as np
import pandas
import pyarrow as pa
import pytest

import scoreline
from conftest import NAMES, make_rows, same_bits, target
from scoreline._arrow import ArrowArray, ArrowArrayStream, ArrowSchema
from scoreline._library import Error, Options, filled, lib

BY_POSITION = 1
VISIT = CFUNCTYPE(c_int, c_void_p, c_int64, c_int64, POINTER(c_double), c_size_t)
for name, arguments in {
    "score_arrow_bind": [c_void_p, POINTER(ArrowSchema), c_uint32, POINTER(c_void_p), POINTER(Error)],
    "score_arrow_batch": [c_void_p, POINTER(ArrowArray), c_void_p, c_size_t, POINTER(Options), POINTER(Error)],
    "score_arrow_stream": [c_void_p, POINTER(ArrowArrayStream), c_uint32, POINTER(Options), VISIT, c_void_p, POINTER(Error)],
}.items():
    getattr(lib, name).argtypes = arguments
lib.score_arrow_binding_free.argtypes, lib.score_arrow_binding_free.restype = [c_void_p], None


class Refused(Exception):
    pass


def checked(status, error):
    if status:
        raise Refused(f"{status}: {error.message.decode()}")


def margins_of(model, batch, flags=0):
    """By score_arrow_bind() and score_arrow_batch()."""
    schema, array, binding, error = ArrowSchema(), ArrowArray(), c_void_p(), Error()
    batch._export_to_c(ctypes.addressof(array), ctypes.addressof(schema))
    try:
        checked(lib.score_arrow_bind(model._handle, byref(schema), flags, byref(binding), byref(error)), error)
        options = filled(Options)
        options.output = 1
        out = np.empty(batch.num_rows * model.n_outputs)
        checked(lib.score_arrow_batch(binding, byref(array), out.ctypes.data, out.size, byref(options), byref(error)), error)
        return out
    finally:
        lib.score_arrow_binding_free(binding)
        array.release(byref(array))
        schema.release(byref(schema))


def stream_of(model, reader, stop_after=None):
    """By score_arrow_stream()."""
    stream, error, parts = ArrowArrayStream(), Error(), []
    reader._export_to_c(ctypes.addressof(stream))

    def visit(context, first_row, n_rows, values, width):
        assert first_row == sum(map(len, parts))
        parts.append(np.ctypeslib.as_array(values, (n_rows, width)).copy() if n_rows else np.empty((0, width)))
        return int(len(parts) == stop_after)

    options = filled(Options)
    options.output = 1
    try:
        checked(lib.score_arrow_stream(model._handle, byref(stream), 0, byref(options), VISIT(visit), None, byref(error)), error)
    finally:
        stream.release(byref(stream))
    return parts


TYPES = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64(), pa.float16(),
         pa.float32(), pa.float64(), pa.bool_(), pa.null()]


@pytest.mark.parametrize("kind", TYPES, ids=str)
def test_types(model, rows, kind):
    x = rows.copy()
    x[:, 3] = np.where(np.isnan(x[:, 3]), np.nan, x[:, 3] > 3 if kind == pa.bool_() else x[:, 3])
    if kind == pa.null():
        x[:, 3] = np.nan
    columns = [pa.array(x[:, i], from_pandas=True) for i in range(5)]
    columns[3] = pa.nulls(len(x)) if kind == pa.null() else columns[3].cast(kind)
    batch = pa.RecordBatch.from_arrays(columns, names=NAMES)
    same_bits(margins_of(model, batch), model.predict(x, "margin"))
    same_bits(margins_of(model, batch.slice(13, 100)), model.predict(x[13:113], "margin"))
    same_bits(margins_of(model, batch, BY_POSITION), model.predict(x, "margin"))
    assert margins_of(model, batch.slice(0, 0)).shape == (0,)


def test_names_and_columns_that_nobody_needs(model, rows):
    columns = {name: pa.array(rows[:, i], from_pandas=True) for i, name in reversed(list(enumerate(NAMES)))}
    columns["when"] = pa.array([0] * len(rows), pa.timestamp("s"))
    columns["note"] = pa.array(["?"] * len(rows))
    same_bits(margins_of(model, pa.RecordBatch.from_pydict(columns)), model.predict(rows, "margin"))


def label(x):
    """Texts on both sides of the twelve bytes that a string view holds itself."""
    return f"day {x:.0f}" + " of the week" * (int(x) % 2) + "," * (8 if x == 2 else 7 if x == 4 else 0)


def text_model():
    import lightgbm

    frame = pandas.DataFrame(make_rows(seed=4), columns=NAMES)
    frame["weekday"] = pandas.Categorical(frame["weekday"].map(lambda x: None if x != x else label(x)))
    data = lightgbm.Dataset(frame, target(make_rows(seed=4)))
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "min_data_per_group": 1, "cat_smooth": 1}, data, 20)
    frame["weekday"] = frame["weekday"].astype(object).where(np.arange(len(frame)) % 7 > 0, "never seen")
    return scoreline.convert(booster), frame, booster.predict(frame.assign(weekday=frame.weekday.astype("category")), raw_score=True)


def text_column(frame, kind):
    column = pa.array(frame["weekday"], from_pandas=True)
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    encoded = column.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(kind.index_type), encoded.dictionary.cast(kind.value_type))


TEXT_TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()),
              pa.dictionary(pa.uint32(), pa.large_string()), pa.dictionary(pa.int16(), pa.string_view())]


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
def test_strings(kind):
    model, frame, wanted = text_model()
    assert {len(text) > 12 for text in frame["weekday"].dropna()} == {True, False} and "day 2,,,,,,,," in set(frame["weekday"])
    table = pa.RecordBatch.from_pandas(frame, preserve_index=False)
    batch = table.set_column(NAMES.index("weekday"), "weekday", text_column(frame, kind))
    assert batch.schema.field("weekday").type == kind
    same_bits(margins_of(model, batch), wanted)
    same_bits(margins_of(model, batch.slice(31, 50)), wanted[31:81])
    same_bits(model.predict(batch, "margin"), wanted)  # the Python package's own way through the interface
    same_bits(model.predict(pa.Table.from_batches([batch.slice(7, 40), batch.slice(100, 3)]), "margin"),
              np.r_[wanted[7:47], wanted[100:103]])
    parts = stream_of(model, pa.Table.from_batches([batch]).to_reader(max_chunksize=64))
    same_bits(np.concatenate(parts)[:, 0], wanted)
    shuffled = batch.select(NAMES[::-1])
    same_bits(margins_of(model, shuffled), wanted)
    with pytest.raises(Refused, match="7: .*weekday|7: .*number"):
        margins_of(model, shuffled, BY_POSITION)  # text for a feature of numbers


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
def test_strings_that_the_model_refuses(kind):
    """XGBoost fails at categories that training did not have."""
    import xgboost

    frame = pandas.DataFrame({"x": np.arange(60.0), "weekday": pandas.Categorical([label(i % 7) for i in range(60)])})
    booster = xgboost.train({"max_depth": 3}, xgboost.DMatrix(frame, np.arange(60) % 7, enable_categorical=True), 3)
    model = scoreline.convert(booster)
    texts = frame.assign(weekday=frame["weekday"].astype(object))
    batch = pa.RecordBatch.from_pandas(texts, preserve_index=False).set_column(1, "weekday", text_column(texts, kind))
    same_bits(margins_of(model, batch), model.predict(frame, "margin"))
    texts.loc[17, "weekday"] = "a day that never was"
    batch = batch.set_column(1, "weekday", text_column(texts, kind))
    with pytest.raises(Refused, match="'weekday' has the category 'a day that never was' in row 17"):
        margins_of(model, batch)
    same_bits(margins_of(model, batch.slice(18)), model.predict(frame[18:], "margin"))
    with pytest.raises(scoreline.ShapeError, match="'a day that never was'"):
        model.predict(batch)


def test_string_views_that_lie(model):
    """Lengths below 0, and buffers that are not there."""
    model, frame, wanted = text_model()
    batch = pa.RecordBatch.from_pandas(frame[:4], preserve_index=False)
    good = np.zeros((4, 4), np.int32)
    good[:, 0] = 13
    text = pa.py_buffer(b"day 1 of the week")
    for row, field, value in ((0, 0, -1), (3, 2, 1), (2, 2, -1), (1, 3, -4)):
        wrong = good.copy()
        wrong[row, field] = value
        column = pa.Array.from_buffers(pa.string_view(), 4, [None, pa.py_buffer(wrong.tobytes()), text])
        with pytest.raises(Refused, match=f"7: the string view at element {row} "):
            margins_of(model, batch.set_column(3, "weekday", column))


def test_columns_of_runs(model, rows):
    numbers = [pa.array(rows[:, i], from_pandas=True) for i in range(5)]
    runs = pa.RunEndEncodedArray.from_arrays([len(rows)], [1.5])
    batch = pa.RecordBatch.from_arrays([*numbers[:4], runs], names=NAMES)
    with pytest.raises(Refused, match=r"7: column 'distance' has the Arrow format '\+r'.*decode the runs first"):
        margins_of(model, batch)
    with pytest.raises(scoreline.ShapeError, match="'distance'.*run-end encoded: decode the runs first"):
        model.predict(batch)
    for kind, hint in ((pa.decimal128(9, 2), "cast it to a floating-point type"), (pa.timestamp("us"), "give the number")):
        batch = pa.RecordBatch.from_arrays([*numbers[:4], pa.array([None] * len(rows), kind)], names=NAMES)
        with pytest.raises(scoreline.ShapeError, match=f"'distance'.*: {hint}"):
            model.predict(batch)


def test_dictionaries_with_nulls_and_slices():
    model, frame, wanted = text_model()
    labels = pa.array(["not here", *sorted(frame["weekday"].dropna().unique()), None])
    places = {label: i for i, label in enumerate(labels.to_pylist()[1:])}
    indices = pa.array([places[None if x != x else x] for x in frame["weekday"]], pa.int32())
    batch = pa.RecordBatch.from_pandas(frame, preserve_index=False)
    column = pa.DictionaryArray.from_arrays(indices, labels.slice(1))  # whose strings begin at an offset
    same_bits(margins_of(model, batch.set_column(3, "weekday", column)), wanted)


def test_streams(model, rows):
    table = pa.Table.from_arrays([pa.array(rows[:, i], from_pandas=True) for i in range(5)], names=NAMES)
    parts = stream_of(model, table.to_reader(max_chunksize=64))
    assert len(parts) == -(-len(rows) // 64)
    same_bits(np.concatenate(parts)[:, 0], model.predict(rows, "margin"))
    assert len(stream_of(model, table.to_reader(max_chunksize=64), stop_after=2)) == 2
    assert sum(map(len, stream_of(model, table.slice(0, 0).to_reader()))) == 0


def test_streams_that_fail(model, rows):
    schema = pa.schema([(name, pa.float32()) for name in NAMES])

    def batches():
        yield pa.RecordBatch.from_arrays([pa.array(rows[:, i]) for i in range(5)], schema=schema)
        raise OSError("the disk is gone")

    with pytest.raises(Refused, match="3: the Arrow stream failed with error .*the disk is gone"):
        stream_of(model, pa.RecordBatchReader.from_batches(schema, batches()))


def test_refusals(model, rows):
    numbers = [pa.array(rows[:, i], from_pandas=True) for i in range(5)]
    days = pa.RecordBatch.from_arrays(numbers[:4] + [pa.array([0] * len(rows), pa.date32())], names=NAMES)
    with pytest.raises(Refused, match="7: column 'distance' has the Arrow format 'tdD', which cannot be scored"):
        margins_of(model, days)
    with pytest.raises(Refused, match="distance"):
        margins_of(model, pa.RecordBatch.from_arrays(numbers[:4], names=NAMES[:4]))
    with pytest.raises(Refused, match="the schema has 4 columns, the model 5"):
        margins_of(model, pa.RecordBatch.from_arrays(numbers[:4], names=NAMES[:4]), BY_POSITION)
    text = pa.RecordBatch.from_arrays(numbers[:4] + [pa.array(["a"] * len(rows))], names=NAMES)
    with pytest.raises(Refused, match="distance"):
        margins_of(model, text)
    coded = pa.RecordBatch.from_arrays(numbers[:4] + [pa.array([1.5] * len(rows)).dictionary_encode()], names=NAMES)
    with pytest.raises(Refused, match="'distance' has the Arrow format 'i' with a dictionary"):
        margins_of(model, coded)
    nullable = pa.StructArray.from_arrays(numbers, names=NAMES, mask=pa.array([True] + [False] * (len(rows) - 1)))
    schema, array, binding, error = ArrowSchema(), ArrowArray(), c_void_p(), Error()
    nullable._export_to_c(ctypes.addressof(array), ctypes.addressof(schema))
    checked(lib.score_arrow_bind(model._handle, byref(schema), 0, byref(binding), byref(error)), error)
    out = np.empty(len(rows))
    assert lib.score_arrow_batch(binding, byref(array), out.ctypes.data, out.size, None, byref(error)) == 7
    assert b"null as a whole" in error.message
    lib.score_arrow_binding_free(binding)
    array.release(byref(array))
    assert lib.score_arrow_bind(model._handle, byref(schema.children[0].contents), 0, byref(binding), byref(error)) == 7
    assert b"'+s'" in error.message and not binding.value
    schema.release(byref(schema))
