"""The Arrow C data interface over ctypes, without any Arrow library.

Comes in: an object with `__arrow_c_stream__` or `__arrow_c_array__` (pyarrow, polars, DuckDB, …). Goes out: batches of
columns that point into the producer's memory; every release callback is called once the batch was scored.

Numbers, booleans (bits), halves and null columns are taken, with validity bitmaps and offsets. Dictionary-encoded
columns are refused by name where the model uses them: their codes belong to that table's own dictionary, not to the
model.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_int64, c_void_p, py_object
from typing import Any, Iterator, List, Optional, Sequence

import numpy as np

from ._errors import ShapeError, UnsupportedError
from ._library import BOOL_BITS, F32, F64, I8, I16, I32, I64, STRING, U8, U16, U32, U64, Column


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

# Format strings of the interface; `e` (half) and `n` (null) are converted.
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
    b"e": F32,
    b"n": F64,
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


def batches(X: Any, features: Sequence[str]) -> Iterator[Batch]:
    """Chunks of a table; at least one, which has no rows if the stream has none."""
    if hasattr(X, "__arrow_c_stream__"):
        yield from _stream_batches(X.__arrow_c_stream__(), features)
        return
    schema_capsule, array_capsule = X.__arrow_c_array__()
    schema = _take(schema_capsule, b"arrow_schema", ArrowSchema)
    array = _take(array_capsule, b"arrow_array", ArrowArray)
    try:
        yield _batch(_Table(schema, features), array)
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


def _stream_batches(capsule: Any, features: Sequence[str]) -> Iterator[Batch]:
    stream = _take(capsule, b"arrow_array_stream", ArrowArrayStream)
    schema = ArrowSchema()
    try:
        _stream_check(stream, stream.get_schema(byref(stream), byref(schema)))
        table = _Table(schema, features)
        n_batches = 0
        while True:
            array = ArrowArray()
            _stream_check(stream, stream.get_next(byref(stream), byref(array)))
            if not array.release:
                break
            n_batches += 1
            try:
                yield _batch(table, array)
            finally:
                _release(array)
        if n_batches == 0:
            yield Batch(table.names, table.types, (Column * len(table.names))(), 0, [])
    finally:
        _release(schema)
        _release(stream)


def _stream_check(stream: ArrowArrayStream, errno: int) -> None:
    if errno:
        message = stream.get_last_error(byref(stream))
        raise OSError(errno, "the Arrow stream failed: " + (message or b"no message").decode("utf-8", "replace"))


class _Table:
    """Names and types of a table's columns."""

    __slots__ = ("names", "types", "formats")

    def __init__(self, schema: ArrowSchema, features: Sequence[str]):
        if schema.format != b"+s":
            raise ShapeError(
                "expected a table or a record batch, found a single Arrow array of format "
                f"{schema.format.decode('ascii', 'replace')!r}"
            )
        children = [schema.children[i].contents for i in range(schema.n_children)]
        self.names = [(child.name or b"").decode("utf-8", "replace") for child in children]
        self.formats = [child.format for child in children]
        encoded = [bool(child.dictionary) for child in children]
        self.types = [
            STRING if is_encoded else _CODES.get(format, STRING) for format, is_encoded in zip(self.formats, encoded)
        ]
        self._refuse(encoded, set(features))

    def _refuse(self, encoded: List[bool], wanted: set) -> None:
        refused = [repr(name) for name, is_encoded in zip(self.names, encoded) if is_encoded and name in wanted]
        if refused:
            raise UnsupportedError(
                f"dictionary-encoded columns are not supported: {', '.join(refused)}. Their codes "
                "belong to this table; pass integer columns with the codes of the training data"
            )
        text = [
            f"{name!r} (Arrow format {format.decode('ascii', 'replace')})"
            for name, format, code in zip(self.names, self.formats, self.types)
            if code == STRING and name in wanted
        ]
        if text:
            raise ShapeError(f"expected numbers, found columns that are not: {', '.join(text)}")


def _batch(table: _Table, array: ArrowArray) -> Batch:
    if array.null_count != 0 and array.n_buffers > 0 and array.buffers[0]:
        raise UnsupportedError(
            "rows that are null as a whole are not supported: expected a table, found a nullable struct array"
        )
    columns = (Column * len(table.names))()
    owned: List[Any] = [array]
    for i, column in enumerate(columns):
        child = array.children[i].contents
        if table.types[i] != STRING:
            converted = _fill(column, child, array.offset, array.length, table.formats[i], table.types[i])
            if converted is not None:
                owned.append(converted)
        else:
            column.dtype = STRING
    return Batch(table.names, table.types, columns, array.length, owned)


def _fill(
    column: Column, child: ArrowArray, offset: int, n_rows: int, format: bytes, code: int
) -> Optional[np.ndarray]:
    """Point a column at a child array; returns memory made for types that had to be converted."""
    column.dtype = code
    if format == b"n":
        values = np.full(n_rows, np.nan)
        column.values = values.ctypes.data
        return values
    start = child.offset + offset
    if child.null_count != 0 and child.buffers[0]:
        column.validity = child.buffers[0]
    column.offset = start
    column.values = child.buffers[1]
    if format != b"e" or n_rows == 0:
        return None
    halves = np.ctypeslib.as_array((ctypes.c_uint16 * (start + n_rows)).from_address(child.buffers[1]))
    values = halves.view(np.float16).astype(np.float32)
    column.values = values.ctypes.data
    return values
