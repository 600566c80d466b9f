"""Feature tables of the C library: structs and functions of ``scoreline/features.h``, and columns in and out.

Comes in: keys and values as NumPy arrays, lists, pandas Series or Arrow arrays. Goes out: ``Values``, NumPy arrays with a
mask; text columns as numbers of the table's texts.
"""

from __future__ import annotations

import ctypes
import datetime
import decimal
import numbers
from ctypes import POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ._errors import ShapeError
from ._library import BOOL, Column, Error, F32, F64, I32, I64, STRING, Strings, check, filled, lib, text

VERIFY, PRELOAD, COPY = 1, 2, 4
TYPES = {"f64": F64, "f32": F32, "i64": I64, "i32": I32, "bool": BOOL, "string": STRING}
NAMES = {code: name for name, code in TYPES.items()}
NUMPY = {F64: np.float64, F32: np.float32, I64: np.int64, I32: np.int32, BOOL: np.bool_, STRING: np.int32}
UNITS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


class TableOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocator", c_void_p),
        ("max_bytes", c_uint64),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


class TableInfo(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_rows", c_uint64),
        ("n_keys", c_uint64),
        ("n_key_columns", c_uint32),
        ("n_columns", c_uint32),
        ("file_bytes", c_uint64),
        ("index_bytes", c_uint64),
        ("row_bytes", c_uint32),
        ("has_timestamp", c_int32),
        ("timestamp_name", c_char_p),
        ("timestamp_unit", c_char_p),
        ("hash", c_uint8 * 16),
    ]


class TableOutput(Structure):
    _fields_ = [("column", c_uint32), ("reserved", c_uint32), ("values", c_void_p), ("validity", c_void_p)]


class TableQuery(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("keys", POINTER(Column)),
        ("n_keys", c_size_t),
        ("timestamp", POINTER(Column)),
        ("lookback", c_int64),
    ]


class TableField(Structure):
    _fields_ = [("name", c_char_p), ("type", c_int32), ("reserved", c_int32)]


class TableSchema(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("keys", POINTER(TableField)),
        ("n_keys", c_size_t),
        ("columns", POINTER(TableField)),
        ("n_columns", c_size_t),
        ("timestamp", c_char_p),
        ("timestamp_unit", c_char_p),
        ("allocator", c_void_p),
        ("memory_bytes", c_uint64),
    ]


_H, _OUT, _ERROR = c_void_p, POINTER(c_void_p), POINTER(Error)
_FUNCTIONS = {
    "score_table_close": (None, [_H]),
    "score_table_verify": (c_int32, [_H, _ERROR]),
    "score_table_get_info": (c_int32, [_H, POINTER(TableInfo)]),
    "score_table_column_name": (c_char_p, [_H, c_uint32]),
    "score_table_column_type": (c_int32, [_H, c_uint32]),
    "score_table_column_nulls": (c_uint64, [_H, c_uint32]),
    "score_table_key_name": (c_char_p, [_H, c_uint32]),
    "score_table_key_type": (c_int32, [_H, c_uint32]),
    "score_table_text_count": (c_uint32, [_H, c_uint32]),
    "score_table_text": (c_void_p, [_H, c_uint32, c_uint32, POINTER(c_size_t)]),
    "score_table_lookup": (
        c_int32,
        [_H, POINTER(TableQuery), c_size_t, POINTER(TableOutput), c_size_t, c_void_p, _ERROR],
    ),
    "score_table_builder_new": (c_int32, [c_char_p, POINTER(TableSchema), _OUT, _ERROR]),
    "score_table_builder_add": (c_int32, [_H, POINTER(Column), c_size_t, c_size_t, c_void_p, _ERROR]),
    "score_table_builder_finish": (c_int32, [_H, _ERROR]),
    "score_table_builder_free": (None, [_H]),
    "score_table_source_open": (c_int32, [c_char_p, POINTER(TableOptions), _OUT, _ERROR]),
    "score_table_source_refresh": (c_int32, [_H, POINTER(c_int32), _ERROR]),
    "score_table_acquire": (c_void_p, [_H]),
    "score_table_source_free": (None, [_H]),
}
for _name, (_result, _arguments) in _FUNCTIONS.items():
    _function = getattr(lib, _name)
    _function.restype, _function.argtypes = _result, _arguments


class Values(NamedTuple):
    """One looked-up column: values of its type [n_rows] and where they are; ``texts`` behind the numbers of a text column."""

    type: int
    values: np.ndarray
    valid: np.ndarray
    texts: Optional[np.ndarray]

    def objects(self) -> np.ndarray:
        """Python objects, None where there is no value."""
        out = np.full(len(self.values), None, dtype=object)
        where = np.flatnonzero(self.valid)
        picked = self.values[where]
        out[where] = self.texts[picked] if self.texts is not None else picked.tolist()
        return out


# ---- columns in ------------------------------------------------------------------------------------------------------


class Packed(NamedTuple):
    """A column for C, and the arrays that it points into."""

    column: Column
    owned: Tuple[Any, ...]


def pack(values: np.ndarray, code: int, valid: Optional[np.ndarray]) -> Packed:
    values = np.ascontiguousarray(values)
    bits = None if valid is None or valid.all() else np.packbits(valid, bitorder="little")
    column = Column(dtype=code, values=values.ctypes.data)
    if bits is not None:
        column.validity = bits.ctypes.data
    return Packed(column, (values, bits))


def pack_texts(texts: Sequence[Optional[str]]) -> Packed:
    encoded = [b"" if value is None else value.encode("utf-8", "surrogatepass") for value in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(data) for data in encoded], out=offsets[1:])
    data = np.frombuffer(b"".join(encoded) or b"\0", dtype=np.uint8)
    valid = np.array([value is not None for value in texts], dtype=bool)
    strings = filled(Strings)
    strings.offsets, strings.data, strings.offset_type = offsets.ctypes.data, data.ctypes.data, I64
    bits = np.packbits(valid, bitorder="little")
    column = Column(dtype=STRING, values=ctypes.addressof(strings), validity=bits.ctypes.data)
    return Packed(column, (strings, offsets, data, bits))


def plain_objects(values: Any) -> List[Any]:
    """Python objects with None for every kind of missing."""
    if hasattr(values, "to_pylist"):
        return values.to_pylist()
    if hasattr(values, "isna"):
        missing = np.asarray(values.isna(), dtype=bool)
        return [None if gone else value for value, gone in zip(values.tolist(), missing)]
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [None if value is None or value != value else value for value in listed]


def pack_key(values: Any, code: int, what: str) -> Packed:
    """A key column: integers (whole floats too, as pandas makes of integers with gaps) or texts; missing keys find nothing."""
    array = values if isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray) else None
    if array is None and isinstance(getattr(values, "dtype", None), np.dtype) and hasattr(values, "to_numpy"):
        array = values.to_numpy()
    if code == I64 and array is not None and array.dtype.kind in "iu" and array.dtype != np.uint64:
        return pack(array.astype(np.int64, copy=False), I64, None)
    objects = plain_objects(values)
    if code == STRING:
        wrong = next((value for value in objects if value is not None and not isinstance(value, str)), None)
        if wrong is not None:
            raise ShapeError(f"{what} takes texts, found {wrong!r} ({type(wrong).__name__})")
        return pack_texts(objects)
    keys = np.zeros(len(objects), dtype=np.int64)
    valid = np.zeros(len(objects), dtype=bool)
    for i, value in enumerate(objects):
        number = None if value is None else whole(value, what)
        if number is not None and -(2**63) <= number < 2**63:  # no key is larger
            keys[i], valid[i] = number, True
    return pack(keys, I64, valid)


def whole(value: Any, what: str, kinds: str = "whole numbers") -> int:
    """The integer that a value is; ShapeError if it is none: `what` takes `kinds`."""
    if isinstance(value, (numbers.Real, decimal.Decimal)) and not isinstance(value, bool):
        try:
            number = int(value)  # type: ignore[arg-type]  # every real number has it
            if number == value:
                return number
        except (OverflowError, ValueError):
            pass  # infinite, or not a number
    raise ShapeError(f"{what} takes {kinds}, found {value!r} ({type(value).__name__})")


def pack_times(values: Any, unit: str, what: str) -> Packed:
    """Times in the table's unit: whole numbers as they are, dates as microseconds (or what the unit says) since 1970 UTC."""
    array = _dates_of(values)
    if array is None:
        return pack_key(values, I64, what)
    if unit not in UNITS:
        raise ShapeError(f"{what} holds dates, but the table's timestamp is a plain number")
    return pack(array.astype(f"datetime64[{unit}]").astype(np.int64), I64, ~np.isnat(array))


def _dates_of(values: Any) -> Optional[np.ndarray]:
    """datetime64 in UTC; None where the values are no dates."""
    if hasattr(values, "to_pylist"):
        if not str(values.type).startswith(("timestamp", "date")):
            return None  # in pandas, integers with gaps would become floats, which do not hold nanoseconds
        values = values.to_pandas()
    if getattr(getattr(values, "dtype", None), "tz", None) is not None:
        values = getattr(values, "dt", values).tz_convert(None)
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if array.dtype.kind == "O" and isinstance(_first(array), datetime.date):  # a datetime is one, too
        array = np.array([None if value is None or value != value else _as_utc(value) for value in array], dtype="datetime64[us]")
    return array if array.dtype.kind == "M" else None


def _first(array: np.ndarray) -> Any:
    return next((value for value in array if value is not None and value == value), None)


def _as_utc(value: datetime.date) -> datetime.date:
    if not isinstance(value, datetime.datetime) or value.tzinfo is None:
        return value
    return value.astimezone(datetime.timezone.utc).replace(tzinfo=None)


def window_of(lookback: Any) -> Any:
    """A look-back window as timedelta or number; NumPy's own are numbers of whatever unit they have."""
    return lookback.astype("timedelta64[us]").item() if isinstance(lookback, np.timedelta64) else lookback


# ---- lookups ---------------------------------------------------------------------------------------------------------


class Described(NamedTuple):
    """What a table has: (name, type code) of keys and features, time column and its unit, and counts."""

    keys: List[Tuple[str, int]]
    columns: List[Tuple[str, int]]
    timestamp: Optional[str]
    unit: str
    n_rows: int
    n_keys: int
    file_bytes: int
    hash: str


def describe(handle: int) -> Described:
    info = filled(TableInfo)
    check(lib.score_table_get_info(handle, byref(info)), Error())
    return Described(
        [(text(lib.score_table_key_name(handle, i)), lib.score_table_key_type(handle, i)) for i in range(info.n_key_columns)],
        [(text(lib.score_table_column_name(handle, i)), lib.score_table_column_type(handle, i)) for i in range(info.n_columns)],
        text(info.timestamp_name) if info.has_timestamp else None,
        text(info.timestamp_unit),
        info.n_rows,
        info.n_keys,
        info.file_bytes,
        bytes(info.hash).hex(),
    )


def texts_of(handle: int, column: int) -> np.ndarray:
    """Texts of a column by number."""
    length = c_size_t()
    out = np.full(lib.score_table_text_count(handle, column), None, dtype=object)
    for k in range(len(out)):
        pointer = lib.score_table_text(handle, column, k, byref(length))
        out[k] = ctypes.string_at(pointer, length.value).decode("utf-8", "replace") if pointer else ""
    return out


def look_up(
    handle: int,
    keys: Sequence[Packed],
    timestamp: Optional[Packed],
    lookback: int,
    n_rows: int,
    columns: Sequence[Tuple[int, int]],
    texts: Dict[int, np.ndarray],
) -> Tuple[List[Values], np.ndarray]:
    """Columns (number, type) of n_rows keys, and where there is a row."""
    query = filled(TableQuery)
    query.keys = (Column * len(keys))(*(key.column for key in keys))
    query.n_keys, query.lookback = len(keys), lookback
    if timestamp is not None:
        query.timestamp = ctypes.pointer(timestamp.column)
    arrays: List[np.ndarray] = [np.empty(n_rows, dtype=NUMPY[code]) for _, code in columns]
    bits = [np.empty((n_rows + 7) // 8, dtype=np.uint8) for _ in columns]
    outputs = (TableOutput * max(len(columns), 1))()
    for output, (number, _), array, bitmap in zip(outputs, columns, arrays, bits):
        output.column, output.values, output.validity = number, array.ctypes.data, bitmap.ctypes.data
    found, error = np.empty(n_rows, dtype=bool), Error()
    check(
        lib.score_table_lookup(handle, byref(query), n_rows, outputs, len(columns), found.ctypes.data, byref(error)), error
    )
    out = []
    for (number, code), array, bitmap in zip(columns, arrays, bits):
        valid = np.unpackbits(bitmap, count=n_rows, bitorder="little").astype(bool)
        if code == STRING and number not in texts:
            texts[number] = texts_of(handle, number)
        out.append(Values(code, array, valid, texts[number] if code == STRING else None))
    return out, found
