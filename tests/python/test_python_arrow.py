"""Arrow tables over the C data interface: pyarrow's, and hand-made ones that count their releases."""

import ctypes

import numpy as np
import pyarrow as pa
import pytest

import scoreline
from conftest import NAMES, same_bits
from scoreline import _arrow


def table_of(rows, types=None):
    types = types or [pa.float32()] * 5
    return pa.table(
        {name: pa.array(column, mask=np.isnan(column)).cast(kind) for name, column, kind in zip(NAMES, rows.T, types)}
    )


class Stream:
    """Only the stream half of the interface, as other producers have it."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Array:
    """Only the array half."""

    def __init__(self, batch):
        self.batch = batch

    def __arrow_c_array__(self, requested_schema=None):
        return self.batch.__arrow_c_array__(requested_schema)


@pytest.mark.parametrize(
    "types",
    [
        [pa.float32()] * 5,
        [pa.float64()] * 5,
        [pa.float64(), pa.float32(), pa.float64(), pa.int8(), pa.float32()],
        [pa.float32(), pa.float32(), pa.float32(), pa.uint64(), pa.float32()],
    ],
    ids=["f32", "f64", "mixed", "u64"],
)
def test_tables(model, rows, margins, types):
    table = table_of(rows, types)
    for X in (
        table,
        table.select(NAMES[::-1]),
        Stream(table),
        Array(table.to_batches()[0]),
        table.to_batches()[0],
        pa.RecordBatchReader.from_batches(table.schema, table.to_batches()),
        table.append_column("note", pa.array(["x"] * len(rows))),
        table.append_column("kind", pa.array(["x"] * len(rows)).dictionary_encode()),
    ):
        same_bits(model.predict(X), margins)


def test_slices_have_offsets(model, rows, margins):
    table = table_of(rows)
    for start, n in ((0, 1), (1, 9), (13, 200), (399, 1), (400, 0)):
        same_bits(model.predict(table.slice(start, n)), margins[start : start + n])
        same_bits(model.predict(Array(table.to_batches()[0].slice(start, n))), margins[start : start + n])


def test_offset_of_the_struct_itself(model, rows, margins):
    """A sliced struct array carries its offset at the top, and each child may have another one."""
    table = table_of(rows)
    children = [table.column(name).chunk(0).slice(3) for name in NAMES]
    struct = pa.StructArray.from_arrays(children, NAMES).slice(5, 100)
    same_bits(model.predict(Array(struct)), margins[8:108])


def test_chunks(model, rows, margins):
    table = table_of(rows)
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7, 0), table.slice(7, 130), table.slice(137)])
    assert chunked.column(0).num_chunks >= 3
    same_bits(model.predict(chunked), margins)
    out = np.empty(len(rows))
    assert model.predict(chunked, out=out) is out
    same_bits(out, margins)
    assert model.predict(chunked, "leaf").dtype == np.int32


def test_no_rows(model, rows):
    table = table_of(rows)
    assert model.predict(table.slice(0, 0)).shape == (0,)
    assert model.predict(pa.RecordBatchReader.from_batches(table.schema, [])).shape == (0,)
    with pytest.raises(scoreline.ShapeError, match="age"):
        model.predict(pa.RecordBatchReader.from_batches(pa.schema([("other", pa.float32())]), []))


@pytest.mark.parametrize(
    "kind",
    [
        pa.int8(),
        pa.uint8(),
        pa.int16(),
        pa.uint16(),
        pa.int32(),
        pa.uint32(),
        pa.int64(),
        pa.uint64(),
        pa.bool_(),
        pa.float16(),
        pa.float32(),
        pa.float64(),
    ],
    ids=str,
)
def test_types(model, booster, kind):
    X = np.random.default_rng(0).integers(0, 2, size=(150, 5)).astype(np.float32)
    X[::11, 2] = np.nan
    expected = booster.inplace_predict(X, predict_type="margin", validate_features=False)
    table = table_of(X, [kind] * 5)
    same_bits(model.predict(table), expected)
    same_bits(model.predict(table.slice(5, 77)), expected[5:82])


def test_null_column(model, rows):
    X = rows.copy()
    X[:, 2] = np.nan
    table = table_of(rows)
    table = table.set_column(2, "visits", pa.nulls(len(rows)))
    same_bits(model.predict(table), model.predict(X))


def test_refused_columns_are_named(model, rows):
    table = table_of(rows)
    text = pa.array(["x"] * len(rows))
    with pytest.raises(scoreline.UnsupportedError, match="dictionary-encoded.*'weekday'"):
        model.predict(table.set_column(3, "weekday", text.dictionary_encode()))
    with pytest.raises(scoreline.ShapeError, match="'weekday'"):
        model.predict(table.set_column(3, "weekday", text))
    with pytest.raises(scoreline.ShapeError, match="'age'.*'visits'"):
        dates = pa.array(np.zeros(len(rows), "datetime64[s]"))
        model.predict(table.set_column(0, "age", dates).set_column(2, "visits", dates))
    with pytest.raises(scoreline.ShapeError, match="income"):
        model.predict(table.drop_columns(["income"]))
    with pytest.raises(scoreline.ShapeError, match="single Arrow array"):
        model.predict(pa.array([1.0, 2.0]))


def test_null_structs_are_refused(model):
    rows = pa.array([dict.fromkeys(NAMES, 1.0), None])
    with pytest.raises(scoreline.UnsupportedError, match="null as a whole"):
        model.predict(Array(rows))


# ---- a producer of our own -------------------------------------------------------------------------------------------

_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


class Producer:
    """A stream of batches of float64 columns that counts what is handed out and released."""

    def __init__(self, batches, fail_after=None):
        self.batches = [np.asfortranarray(batch, dtype=np.float64) for batch in batches]
        self.fail_after = fail_after
        self.made = self.released = 0
        self.kept = []

    def __arrow_c_stream__(self, requested_schema=None):
        kinds = dict(_arrow.ArrowArrayStream._fields_)
        self.position = 0
        stream = _arrow.ArrowArrayStream()
        stream.get_schema = kinds["get_schema"](self._get_schema)
        stream.get_next = kinds["get_next"](self._get_next)
        stream.get_last_error = kinds["get_last_error"](lambda stream: b"the disk is full")
        self._arm(stream)
        self.kept.append(stream)
        return _new_capsule(ctypes.addressof(stream), b"arrow_array_stream", None)

    def _arm(self, struct):
        """Count the struct, and give it a release callback that counts too and empties the struct."""
        kind = dict(type(struct)._fields_)["release"]

        def release(pointer):
            self.released += 1
            ctypes.memset(ctypes.addressof(pointer.contents) + type(struct).release.offset, 0, 8)

        callback = kind(release)
        self.kept.append(callback)
        self.made += 1
        struct.release = callback

    def _get_schema(self, stream, schema):
        children = [_arrow.ArrowSchema(format=b"g", name=name.encode()) for name in NAMES]
        pointers = (ctypes.POINTER(_arrow.ArrowSchema) * 5)(*map(ctypes.pointer, children))
        self.kept += [children, pointers]
        out = schema.contents
        out.format, out.n_children, out.children = b"+s", 5, pointers
        self._arm(out)
        return 0

    def _get_next(self, stream, array):
        if self.position == self.fail_after:
            return 5
        if self.position == len(self.batches):
            array.contents.release = dict(_arrow.ArrowArray._fields_)["release"](0)
            return 0
        batch = self.batches[self.position]
        self.position += 1
        children = []
        for column in batch.T:
            buffers = (ctypes.c_void_p * 2)(None, column.ctypes.data)
            self.kept.append(buffers)
            children.append(_arrow.ArrowArray(length=len(column), n_buffers=2, buffers=buffers))
        pointers = (ctypes.POINTER(_arrow.ArrowArray) * 5)(*map(ctypes.pointer, children))
        none = (ctypes.c_void_p * 1)()
        self.kept += [children, pointers, none]
        out = array.contents
        out.length, out.n_buffers, out.buffers, out.n_children, out.children = (len(batch), 1, none, 5, pointers)
        self._arm(out)
        return 0


def test_everything_is_released(model, rows, margins):
    producer = Producer([rows[:100], rows[100:103], rows[103:]])
    same_bits(model.predict(producer), margins)
    assert producer.made == producer.released == 5  # stream, schema, three arrays


@pytest.mark.filterwarnings("ignore:memory leak in callback function")  # of the test's own get_last_error
def test_everything_is_released_after_an_error(model, rows):
    producer = Producer([rows[:100], rows[100:]], fail_after=1)
    with pytest.raises(OSError, match="the disk is full"):
        model.predict(producer)
    assert producer.made == producer.released == 3
    producer = Producer([rows[:100], rows[100:]])
    with pytest.raises(scoreline.ShapeError, match="out"):
        model.predict(producer, out=np.empty(50))
    assert producer.made == producer.released == 3


def test_stream_that_was_read(model, rows, margins):
    reader = pa.RecordBatchReader.from_batches(table_of(rows).schema, table_of(rows).to_batches())
    capsule = reader.__arrow_c_stream__()

    class Once:
        def __arrow_c_stream__(self, requested_schema=None):
            return capsule

    same_bits(model.predict(Once()), margins)
    with pytest.raises(scoreline.ShapeError, match="read once"):
        model.predict(Once())
