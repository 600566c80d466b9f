"""Rows as codes: binned once, scored many times.

Comes in: a model and rows of any kind. Goes out: ``Binned``, which every call of the model takes for rows, and every other model
whose bins have the same hash; and ``BinColumn``s, which say what the codes mean.
"""

from __future__ import annotations

import ctypes
from contextlib import closing
from ctypes import byref
from dataclasses import dataclass
from typing import Any, Generator, List, Optional

import numpy as np

from ._errors import UnsupportedError
from ._library import LAYOUT_BINNED, BinColumnStruct, Bins, Error, Input, check, filled, lib
from ._rows import Rows

_TYPES = {1: np.uint8, 2: np.uint16, 4: np.uint32}
_CATEGORY, _ZERO_IS_MISSING, _DERIVED = 1, 2, 4


@dataclass(frozen=True, eq=False)  # arrays have no equality that is one answer
class BinColumn:
    """What the codes of one column mean.

    Of numbers: how many `cuts` are <= the value. Of categories: 1 + the position among `categories`, 0 for any other value.
    `missing` is the code of missing values; numbers may have it too, if it is 0 or the cuts fill the code's type.
    """

    feature: int  # an input, or n_features + i: derived column i of the model
    missing: int
    cuts: Optional[np.ndarray]  # float64, ascending; None: a column of categories
    categories: Optional[np.ndarray]  # uint32, ascending; None: a column of numbers
    zero_is_missing: bool


class Binned:
    """Rows as codes, made by :meth:`Model.bin`. Never changes.

    Attributes:
        codes: [n_columns, n_rows] of uint8, uint16 or uint32; read-only.
        hash: what the codes mean, as bytes; models with the same hash take them.
    """

    __slots__ = ("codes", "hash", "_bins")

    def __init__(self, codes: np.ndarray, bins: Bins):
        codes.flags.writeable = False
        self.codes, self.hash, self._bins = codes, bytes(bins.hash), bins

    def __len__(self) -> int:
        return self.codes.shape[1]

    def __getitem__(self, rows: slice) -> "Binned":
        """A run of the rows, without a copy."""
        if not isinstance(rows, slice) or rows.step not in (None, 1):
            raise TypeError("codes are sliced by runs of rows: binned[begin:end]")
        return Binned(self.codes[:, rows], self._bins)

    def rows(self) -> Rows:
        """The struct that score_batch() takes."""
        struct = filled(Input)
        struct.layout, struct.n_rows, struct.n_columns = LAYOUT_BINNED, len(self), self._bins.n_columns
        binned = struct.u.binned
        binned.codes, binned.code_bytes, binned.hash = self.codes.ctypes.data, self._bins.code_bytes, self._bins.hash
        binned.column_stride_bytes = max(self.codes.strides[0], len(self) * self.codes.itemsize)
        return Rows(struct, None, self)


def bins_of(model: Any) -> Bins:
    bins = filled(Bins)
    check(lib.score_model_get_bins(model._handle, byref(bins)), Error())
    return bins


def columns_of(model: Any) -> List[BinColumn]:
    """What the codes of each column mean; none if the model has no bins."""
    made, error = [], Error()
    for i in range(bins_of(model).n_columns):
        found = filled(BinColumnStruct)
        check(lib.score_model_get_bin_column(model._handle, i, byref(found), byref(error)), error)
        is_category = bool(found.flags & _CATEGORY)
        made.append(
            BinColumn(
                feature=found.feature,
                missing=found.missing,
                cuts=None if is_category else _copied(found.cuts, found.n_cuts, np.float64),
                categories=_copied(found.categories, found.n_categories, np.uint32) if is_category else None,
                zero_is_missing=bool(found.flags & _ZERO_IS_MISSING),
            )
        )
    return made


def _copied(address: Optional[int], n: int, dtype: Any) -> np.ndarray:
    if n == 0:
        return np.empty(0, dtype)
    return np.frombuffer((ctypes.c_uint8 * (n * np.dtype(dtype).itemsize)).from_address(address), dtype).copy()


def bin_rows(model: Any, tables: Generator[Rows, None, None]) -> Binned:
    bins, error, parts = bins_of(model), Error(), []
    if bins.code_bytes == 0:
        raise UnsupportedError(
            "rows cannot be binned for this model: linear models, and trees with linear leaves, need the values"
        )
    with closing(tables):
        for rows in tables:
            codes = np.empty((bins.n_columns, rows.n_rows), _TYPES[bins.code_bytes])
            plan = None if rows.plan is None else rows.plan.handle
            stride = rows.n_rows * bins.code_bytes
            status = lib.score_bin(
                model._handle, byref(rows.input), plan, codes.ctypes.data, codes.nbytes, stride, byref(error)
            )
            check(status, error)
            parts.append(codes)
    return Binned(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1), bins)
