"""The Arrow C data interface over ctypes, without any Arrow library.

Comes in: an object with `__arrow_c_stream__` or `__arrow_c_array__` (pyarrow, polars, DuckDB, …). Goes out: batches of
columns that point into the producer's memory; every release callback is called once the batch was scored.

Numbers, booleans (bits), halves and null columns are taken, with validity bitmaps and offsets. Columns of strings, plain
or dictionary-encoded, are taken for features whose labels the model knows; the strings of dictionaries and of string views are
looked up once per batch. Other columns are refused by name where the model uses them: the indices of a dictionary belong to that table, not
to the model.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p, py_object
from typing import Any, Iterator, List, Optional, Tuple

import numpy as np

from ._errors import ShapeError, UnsupportedError
from ._library import BOOL_BITS, F16, F32, F64, I8, I16, I32, I64, STRING, U8, U16, U32, U64, Column, Error, Strings, check, filled, lib


class ArrowSchema(Structure):
    pass


ArrowSchema._fields_ = [
    ("format", c_char_p),
    ("name", c_char_p),
    ("metadata", c_void_p),
    ("flags", c_int64),
    ("n_children", c_int64),
    ("children", POINTER(POINTER(ArrowSchema))),
    ("dictionary", POINTER(ArrowSchema)),
    ("release", CFUNCTYPE(None, POINTER(ArrowSchema))),
    ("private_data", c_void_p),
]


class ArrowArray(Structure):
    pass


ArrowArray._fields_ = [
    ("length", c_int64),
    ("null_count", c_int64),
    ("offset", c_int64),
    ("n_buffers", c_int64),
    ("n_children", c_int64),
    ("buffers", POINTER(c_void_p)),
    ("children", POINTER(POINTER(ArrowArray))),
    ("dictionary", POINTER(ArrowArray)),
    ("release", CFUNCTYPE(None, POINTER(ArrowArray))),
    ("private_data", c_void_p),
]


class ArrowArrayStream(Structure):
    pass


ArrowArrayStream._fields_ = [
    ("get_schema", CFUNCTYPE(c_int, POINTER(ArrowArrayStream), POINTER(ArrowSchema))),
    ("get_next", CFUNCTYPE(c_int, POINTER(ArrowArrayStream), POINTER(ArrowArray))),
    ("get_last_error", CFUNCTYPE(c_char_p, POINTER(ArrowArrayStream))),
    ("release", CFUNCTYPE(None, POINTER(ArrowArrayStream))),
    ("private_data", c_void_p),
]

# Format strings of the interface; `n` (null) is converted.
_CODES = {
    b"c": I8,
    b"C": U8,
    b"s": I16,
    b"S": U16,
    b"i": I32,
    b"I": U32,
    b"l": I64,
    b"L": U64,
    b"f": F32,
    b"g": F64,
    b"b": BOOL_BITS,
    b"e": F16,
    b"n": F64,
}

_OFFSETS = {b"u": I32, b"U": I64}  # strings, by the type of their offsets
_VIEW = b"vu"
# What to do about columns that are no numbers, by the beginning of their format.
_HINTS = {
    b"+r": ", which is run-end encoded: decode the runs first",
    b"d:": ", which is decimal, as DuckDB's literals like 0.5 are: cast it to a floating-point type",
    b"t": ", which is a time: give the number that the model was trained with",
}

_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = c_void_p, [py_object, c_char_p]


class Batch:
    """Columns of one chunk. The memory is the producer's and is valid until the next batch is asked for."""

    __slots__ = ("names", "types", "columns", "n_rows", "owned")

    def __init__(self, names: List[str], types: List[int], columns: Any, n_rows: int, owned: List[Any]):
        self.names = names
        self.types = types
        self.columns = columns
        self.n_rows = n_rows
        self.owned = owned


def batches(X: Any, model: Any, in_one: bool = False) -> Iterator[Batch]:
    """Chunks of a table; at least one, which has no rows if the stream has none. `in_one`: exactly one, or ValueError."""
    if hasattr(X, "__arrow_c_stream__"):
        yield from _stream_batches(X.__arrow_c_stream__(), model, in_one)
        return
    schema_capsule, array_capsule = X.__arrow_c_array__()
    schema = _take(schema_capsule, b"arrow_schema", ArrowSchema)
    array = _take(array_capsule, b"arrow_array", ArrowArray)
    try:
        yield _batch(_Table(schema, model), array)
    finally:
        _release(array)
        _release(schema)


def _take(capsule: Any, name: bytes, kind: Any) -> Any:
    """The struct in a capsule. Releasing it empties the capsule, whose destructor then has nothing to do."""
    struct = kind.from_address(_pointer_of(capsule, name))
    struct.capsule = capsule
    if not struct.release:
        raise ShapeError("the Arrow object was consumed before: streams can be read once")
    return struct


def _release(struct: Any) -> None:
    if struct.release:
        struct.release(byref(struct))


def _stream_batches(capsule: Any, model: Any, in_one: bool) -> Iterator[Batch]:
    stream = _take(capsule, b"arrow_array_stream", ArrowArrayStream)
    schema = ArrowSchema()
    try:
        _stream_check(stream, stream.get_schema(byref(stream), byref(schema)))
        table = _Table(schema, model)
        array = _next_array(stream)
        if array is None:
            yield Batch(table.names, table.types, (Column * len(table.names))(), 0, [])
        while array is not None:
            if in_one:
                array = _only_array(stream, array)
            try:
                yield _batch(table, array)
            finally:
                _release(array)
            array = None if in_one else _next_array(stream)
    finally:
        _release(schema)
        _release(stream)


def _next_array(stream: ArrowArrayStream) -> Optional[ArrowArray]:
    array = ArrowArray()
    _stream_check(stream, stream.get_next(byref(stream), byref(array)))
    return array if array.release else None


def _only_array(stream: ArrowArrayStream, array: ArrowArray) -> ArrowArray:
    """The one array of a stream that has rows, `array` or one behind it, so that it can be kept while nothing else follows."""
    try:
        following = _next_array(stream)
        while following is not None:
            if array.length and following.length:
                _release(following)
                raise ValueError("expected one table, found a stream of several: score its batches one by one")
            spare, array = (following, array) if array.length else (array, following)
            _release(spare)
            following = _next_array(stream)
    except BaseException:
        _release(array)
        raise
    return array


def _stream_check(stream: ArrowArrayStream, errno: int) -> None:
    if errno:
        message = stream.get_last_error(byref(stream))
        raise OSError(errno, "the Arrow stream failed: " + (message or b"no message").decode("utf-8", "replace"))


class _Table:
    """Names and types of a table's columns."""

    __slots__ = ("names", "types", "formats", "inner", "feature", "handle", "views")

    def __init__(self, schema: ArrowSchema, model: Any):
        if schema.format != b"+s":
            raise ShapeError(
                "expected a table or a record batch, found a single Arrow array of format "
                f"{schema.format.decode('ascii', 'replace')!r}"
            )
        children = [schema.children[i].contents for i in range(schema.n_children)]
        self.handle = model._handle
        self.names = model._names.as_features([(child.name or b"").decode("utf-8", "replace") for child in children])
        self.formats = [child.format for child in children]
        # Formats of the dictionaries' values; None for columns without a dictionary.
        self.inner = [child.dictionary.contents.format if child.dictionary else None for child in children]
        self.types = [
            STRING if inner else _CODES.get(format, STRING) for format, inner in zip(self.formats, self.inner)
        ]
        places = {name: i for i, name in enumerate(model._features)}
        self.feature = [places.get(name, -1) for name in self.names]
        self._refuse(model._labels.flags)
        # Columns whose strings become numbers before they are scored: schemas, which live as long as the table's.
        self.views = {
            i: child
            for i, child in enumerate(children)
            if self.feature[i] >= 0 and (self.inner[i] or self.formats[i]) == _VIEW
        }
        for i in self.views:
            self.types[i] = F64

    def is_label(self, i: int, flags: List[int]) -> bool:
        return bool(flags[self.feature[i]]) and (self.inner[i] or self.formats[i]) in (*_OFFSETS, _VIEW)

    def _refuse(self, flags: List[int]) -> None:
        wrong = [
            i
            for i, code in enumerate(self.types)
            if code == STRING and self.feature[i] >= 0 and not self.is_label(i, flags)
        ]
        encoded = [repr(self.names[i]) for i in wrong if self.inner[i]]
        if encoded:
            raise UnsupportedError(
                f"dictionary-encoded columns are not supported: {', '.join(encoded)}. Their codes belong to this table, "
                "and the model knows no labels for them, or their labels are no strings; pass integer columns with the codes "
                "of the training data, or a pandas DataFrame with columns of dtype category"
            )
        text = [f"{self.names[i]!r} (Arrow format {_described(self.formats[i])})" for i in wrong]
        if text:
            raise ShapeError(f"expected numbers, found columns that are not: {', '.join(text)}")


def _described(format: bytes) -> str:
    """A format, and what to do about it."""
    hints = [hint for beginning, hint in _HINTS.items() if format.startswith(beginning)]
    return format.decode("ascii", "replace") + "".join(hints)


def _batch(table: _Table, array: ArrowArray) -> Batch:
    if array.null_count != 0 and array.n_buffers > 0 and array.buffers[0]:
        raise UnsupportedError(
            "rows that are null as a whole are not supported: expected a table, found a nullable struct array"
        )
    columns = (Column * len(table.names))()
    owned: List[Any] = [array]
    for i, column in enumerate(columns):
        child = array.children[i].contents
        column.dtype = table.types[i]
        if table.formats[i] == b"n":
            owned.append(np.full(array.length, np.nan))
            column.values = owned[-1].ctypes.data
            continue
        if i in table.views:
            owned.append(_codes_of_views(table, i, child, array))
            column.values = owned[-1].ctypes.data
            continue
        column.offset = child.offset + array.offset
        if child.null_count != 0 and child.buffers[0]:
            column.validity = child.buffers[0]
        if table.types[i] != STRING:
            column.values = child.buffers[1]
        elif table.feature[i] >= 0 and array.length:
            strings = _strings(table, i, child)
            owned.append(strings)
            column.values = ctypes.addressof(strings[0])
    return Batch(table.names, table.types, columns, array.length, owned)


def _codes_of_views(table: _Table, i: int, child: ArrowArray, array: ArrowArray) -> np.ndarray:
    codes, error = np.empty(array.length), Error()
    schema, rows = table.views[i], (array.offset, array.length)
    check(
        lib.score_arrow_encode(
            table.handle, table.feature[i], byref(schema), byref(child), *rows, codes.ctypes.data, byref(error)
        ),
        error,
    )
    return codes


def _strings(table: _Table, i: int, child: ArrowArray) -> Tuple[Strings, Any]:
    """Strings of a column and memory that they need; the codes of a dictionary's strings are looked up."""
    strings = filled(Strings)
    values = child.dictionary.contents if table.inner[i] else child
    strings.offset_type = _OFFSETS[table.inner[i] or table.formats[i]]
    strings.offsets, strings.data = values.buffers[1], values.buffers[2]
    if not table.inner[i]:
        return strings, None
    strings.offsets = (strings.offsets or 0) + values.offset * (4 if strings.offset_type == I32 else 8)
    strings.indices, strings.index_type = child.buffers[1], _CODES[table.formats[i]]
    strings.n_strings = values.length
    codes, error = np.empty(values.length), Error()
    check(lib.score_encode(table.handle, table.feature[i], byref(strings), codes.ctypes.data, byref(error)), error)
    if values.null_count != 0 and values.buffers[0]:
        n_bits = values.offset + values.length
        bitmap = np.ctypeslib.as_array((ctypes.c_uint8 * ((n_bits + 7) // 8)).from_address(values.buffers[0]))
        codes[np.unpackbits(bitmap, bitorder="little")[values.offset : n_bits] == 0] = np.nan
    strings.codes = codes.ctypes.data
    return strings, codes
