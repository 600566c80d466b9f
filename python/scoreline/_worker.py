"""What a call that scores needs besides the model: memory, prepared calls, plans of schemas, and arguments that were looked at.

Comes in: a model, names of outputs, what callers gave. Goes out: structs and numbers for the C library, or an error that says what
was expected.
"""

from __future__ import annotations

import operator
from ctypes import byref, c_size_t, c_void_p
from typing import TYPE_CHECKING, Any, Optional, Tuple

import numpy as np

from ._errors import ShapeError
from ._library import ABSENT, Error, F64, Input, LAYOUT_ROWS, OUTPUTS, Options, filled, lib

if TYPE_CHECKING:
    from ._model import Model

LEAF = OUTPUTS["leaf"]
INTEGERS = (LEAF, OUTPUTS["class"])
_CONTRIBUTION = OUTPUTS["contribution"]


class Plan:
    """Which column of a table feeds which feature, for one schema."""

    __slots__ = ("handle", "columns", "_free")

    def __init__(self, handle: int, n_features: int):
        self.handle = handle
        self._free = lib.score_plan_free
        self.columns = [lib.score_plan_column(handle, i) for i in range(n_features)]

    def __del__(self) -> None:
        self._free(self.handle)


class Worker(dict):
    """Scratch memory and prepared one-row calls, by name of the output. Used by one call at a time."""

    def __init__(self, model: "Model"):
        super().__init__()
        self._handle = model._handle
        self._n_features = len(model.features)
        self.scratch = np.empty(lib.score_scratch_bytes(model._handle), dtype=np.uint8)
        self.contribution_scratch: Optional[np.ndarray] = None  # made when it is needed
        self.error = Error()

    def options(self, output: int, begin: int = 0, end: int = 0) -> Options:
        options = filled(Options)
        options.output, options.tree_begin, options.tree_end = output, begin, end
        scratch = self.scratch
        if output == _CONTRIBUTION:
            if self.contribution_scratch is None:
                size = lib.score_contribution_scratch_bytes(self._handle)
                self.contribution_scratch = np.empty(size, dtype=np.uint8)
            scratch = self.contribution_scratch
        if scratch.size:
            options.scratch, options.scratch_bytes = scratch.ctypes.data, scratch.size
        return options

    def __missing__(self, output: str) -> Tuple[np.ndarray, tuple, Any]:
        """(row to fill in, arguments of score_batch(), function that gives the result)."""
        code = output_code(output)
        options = self.options(code)
        width = lib.score_output_width(self._handle, byref(options))
        row = np.zeros((1, self._n_features))
        result = np.zeros(1 if width == 1 and code != LEAF else (1, width))
        struct = filled(Input)
        struct.layout, struct.dtype, struct.n_rows, struct.n_columns = LAYOUT_ROWS, F64, 1, self._n_features
        struct.u.rows.data = row.ctypes.data
        struct.u.rows.row_stride_bytes, struct.u.rows.column_stride_bytes = row.strides
        # from_param() and byref() make what ctypes passes on as it is, without a conversion in every call.
        arguments = (
            c_void_p.from_param(self._handle),
            byref(struct),
            c_void_p.from_param(result.ctypes.data),
            c_size_t.from_param(result.size),
            byref(options),
            byref(self.error),
        )
        take = (lambda: result.astype(np.int32)) if code in INTEGERS else result.copy
        call = self[output] = (row, arguments, take)
        return call


def output_code(output: str) -> int:
    try:
        return OUTPUTS[output]
    except (KeyError, TypeError):
        raise ValueError(
            f"expected output 'prediction', 'margin', 'class', 'leaf' or 'contribution', found {output!r}"
        ) from None


def check_absent(absent: Optional[str]) -> None:
    if absent not in (None, *ABSENT):
        raise ValueError(f"expected absent 'zero' or 'missing', found {absent!r}")


def iterations(what: str, number: Any) -> int:
    """A number of iterations as the library takes it; more than it can count are as many as all."""
    try:
        found = operator.index(number)
    except TypeError:
        raise ValueError(f"expected {what} as a whole number of iterations, found {number!r}") from None
    if found < 1:
        raise ValueError(f"expected {what} of at least 1 iteration, found {found}")
    return min(found, 2**32 - 1)


def trees(tree_range: Optional[Tuple[int, int]], n_trees: int) -> Tuple[int, int]:
    if tree_range is None:
        return 0, 0
    try:
        begin, end = (operator.index(number) for number in tree_range)
    except (TypeError, ValueError):
        raise ValueError(f"expected tree_range as (begin, end), two whole numbers, found {tree_range!r}") from None
    if not 0 <= begin < end <= n_trees:
        raise ValueError(f"expected tree_range (begin, end) with 0 <= begin < end <= {n_trees}, found {tree_range!r}")
    return begin, end


def part_of(out: np.ndarray, position: int, n_rows: int, shape: tuple, code: int) -> np.ndarray:
    """Rows [position, position + n_rows) of the caller's output array, after checking that they fit."""
    wanted = np.int32 if code in INTEGERS else np.float64
    if not isinstance(out, np.ndarray) or out.dtype != wanted or not out.flags.carray or out.ndim == 0:
        raise ShapeError(f"expected out as a writable, C-contiguous array of rows of {np.dtype(wanted)}")
    part = out[position : position + n_rows]
    if part.shape != shape:
        raise ShapeError(f"expected out of shape {(position + shape[0],) + shape[1:]}, found {out.shape}")
    return part
