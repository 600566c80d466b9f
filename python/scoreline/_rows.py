"""Rows in memory as ``score_input`` structs.

Comes in: NumPy arrays, or columns that point anywhere. Goes out: ``Rows``, which point into the caller's memory
wherever its values are float32 or float64 already.
"""

from __future__ import annotations

import sys
from typing import Any, Sequence

import numpy as np

from ._errors import ShapeError
from ._library import ABSENT, BOOL, F32, F64, I8, I16, I32, I64, LAYOUT_COLUMNS, LAYOUT_CSR, LAYOUT_ROWS, U8, U16, U32, U64
from ._library import Column, Input, filled

# Types of NumPy whose columns are scored in place.
CODES = {
    np.dtype(kind): code
    for kind, code in (
        ("f4", F32),
        ("f8", F64),
        ("i1", I8),
        ("u1", U8),
        ("i2", I16),
        ("u2", U16),
        ("i4", I32),
        ("u4", U32),
        ("i8", I64),
        ("u8", U64),
        ("?", BOOL),
    )
}


class Rows:
    """A filled score_input, the plan that binds it (None: by position) and whoever owns the memory."""

    __slots__ = ("input", "plan", "n_rows", "owner")

    def __init__(self, struct: Input, plan: Any, owner: Any):
        self.input = struct
        self.plan = plan
        self.n_rows = struct.n_rows
        self.owner = owner


def from_array(X: np.ndarray) -> Rows:
    """One row [n_features] or many [n_rows, n_features]; float32 and float64 of any strides are used in place."""
    if X.ndim == 1:
        X = X[np.newaxis, :]
    if X.ndim != 2:
        raise ShapeError(f"expected one row (1-D) or many rows (2-D), found an array of {X.ndim} dimensions")
    if isinstance(X, np.ma.MaskedArray):
        X = np.ma.filled(X.astype(np.float64), np.nan)
    X = _as_floats(X)
    if X.strides[1] == 0:  # one value for all columns of a row: the library takes 0 as densely packed
        X = np.ascontiguousarray(X)
    struct = filled(Input)
    struct.layout = LAYOUT_ROWS
    struct.dtype = F32 if X.dtype.itemsize == 4 else F64
    struct.n_rows, struct.n_columns = X.shape
    rows = struct.u.rows
    rows.data = X.ctypes.data
    rows.row_stride_bytes, rows.column_stride_bytes = X.strides
    return Rows(struct, None, X)


def from_sparse(X: Any, absent: str) -> Rows:
    """A SciPy matrix, or an array of one row; compressed rows with sorted column numbers are used in place."""
    X = (X.reshape(1, -1) if len(X.shape) == 1 else X).tocsr()
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    # SciPy keeps what it is given, also views whose values do not lie one behind the other.
    starts, numbers, values = (np.ascontiguousarray(part) for part in (X.indptr, X.indices, _as_floats(X.data)))
    struct = filled(Input)
    struct.layout = LAYOUT_CSR
    struct.dtype = F32 if values.dtype.itemsize == 4 else F64
    struct.n_rows, struct.n_columns = X.shape
    csr = struct.u.csr
    csr.row_starts, csr.column_numbers, csr.values = starts.ctypes.data, numbers.ctypes.data, values.ctypes.data
    csr.start_type, csr.number_type = CODES[starts.dtype], CODES[numbers.dtype]
    csr.absent = ABSENT[absent]
    return Rows(struct, None, (starts, numbers, values))


def _as_floats(X: np.ndarray) -> np.ndarray:
    """Native, aligned float32 or float64: the array itself if it is that already."""
    dtype = X.dtype
    if dtype.kind == "f":
        wanted = np.float32 if dtype.itemsize <= 4 else np.float64
    elif dtype.kind in "iub":
        wanted = np.float64
    elif dtype.kind == "O":
        return floats_of_objects(X)
    else:
        raise ShapeError(f"expected numbers, found an array of {dtype}")
    if dtype != wanted or not X.flags.aligned:
        return X.astype(wanted)
    return X


def is_missing(value: Any) -> bool:
    """None, or pandas' NA, which refuses to be a float."""
    pandas = sys.modules.get("pandas")
    return value is None or (pandas is not None and value is pandas.NA)


# float() reads text of every kind, and makes of NumPy's times the number of their units.
_NO_NUMBERS = (str, bytes, bytearray, memoryview, np.datetime64, np.timedelta64)


def number_of(value: Any) -> float:
    """The double that an object is; ShapeError if it is none, text that would parse as a number too. The message ends where
    the caller says where the value stands."""
    try:
        if not isinstance(value, _NO_NUMBERS):
            return float(value)
    except (TypeError, ValueError):
        pass
    except OverflowError:
        raise ShapeError(f"expected numbers, found an {type(value).__name__} that is larger than every double") from None
    what = f"the text {value!r}" if isinstance(value, (str, bytes)) else type(value).__name__
    raise ShapeError(f"expected numbers, found {what}")


def floats_of_objects(X: np.ndarray, column: Any = None) -> np.ndarray:
    """Objects that are numbers, None or pandas' NA (missing). `column`: the name of a table's column, for the message."""
    values, position = X.ravel().tolist(), 0
    try:
        for position, value in enumerate(values):
            if type(value) is not float:
                values[position] = np.nan if is_missing(value) else number_of(value)
    except ShapeError as error:
        row, place = divmod(position, X.shape[-1]) if X.ndim == 2 else (0, position)
        where = f"row {row}, column {place}" if column is None else f"row {position} of column {column!r}"
        raise ShapeError(f"{error.message} in {where}") from None
    return np.array(values, dtype=np.float64).reshape(X.shape)


def from_columns(columns: Any, n_rows: int, plan: Any, owner: Any) -> Rows:
    """`columns` is a ctypes array of Column, one per feature or, with a plan, one per column of the table."""
    struct = filled(Input)
    struct.layout = LAYOUT_COLUMNS
    struct.n_rows = n_rows
    struct.n_columns = len(columns)
    struct.u.columns.columns = columns
    return Rows(struct, plan, (columns, owner))


def from_arrays(arrays: Sequence[np.ndarray], n_rows: int) -> Rows:
    """1-D arrays, one per feature."""
    columns = (Column * len(arrays))()
    for column, array in zip(columns, arrays):
        column.values = array.ctypes.data
        column.stride_bytes = array.strides[0]
        column.dtype = CODES[array.dtype]
    return from_columns(columns, n_rows, None, arrays)
