"""What goes with contributions: rows to compare with, and the features that matter most.

Comes in: a model, and rows in any form that ``_input`` knows, or contributions. Goes out: a handle of the C library, or
names with numbers.
"""

from __future__ import annotations

import operator
from contextlib import closing
from ctypes import byref
from typing import TYPE_CHECKING, Any, List, Optional, Tuple

import numpy as np

from . import _input
from ._errors import ArgumentError, ShapeError
from ._library import DIRECTIONS, Error, Owner, Reason, check, lib, new_handle

if TYPE_CHECKING:
    from ._model import Model


class Explainer(Owner):
    """Rows that a model's contributions compare with. Made by :meth:`Model.explainer`; never changes."""

    __slots__ = ("_handle", "_free", "_model")

    def __init__(self, model: "Model", background: Any, absent: Optional[str] = None):
        self._model = model
        self._free = lib.score_explainer_free
        with closing(_input.tables(background, model, absent)) as tables:
            parts = iter(tables)
            rows = next(parts, None)
            if rows is None or rows.n_rows == 0:
                raise ShapeError("expected a background of at least one row, found none")
            plan = rows.plan.handle if rows.plan is not None else None
            self._handle = new_handle(lib.score_explainer_new, model._handle, byref(rows.input), plan)
            if next(parts, None) is not None:
                raise ShapeError("expected a background in one piece, found a stream of several: combine its chunks")

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._free(handle)


def explainer_of(model: "Model", background: Any, absent: Optional[str]) -> Explainer:
    """`absent` is that of the rows which are explained, and counts here too where the background is sparse."""
    if not isinstance(background, Explainer):
        return Explainer(model, background, absent if _input.is_sparse(background) else None)
    if background._model is not model:
        raise ArgumentError("this explainer was made by another model")
    return background


def top_reasons(
    model: "Model", contributions: np.ndarray, k: int, output: int, direction: str
) -> List[List[Tuple[str, float]]]:
    if direction not in DIRECTIONS:
        raise ValueError(f"expected direction to be one of {', '.join(DIRECTIONS)}, found {direction!r}")
    k, output, n_rows = operator.index(k), operator.index(output), len(contributions)
    if k < 1:
        raise ValueError(f"expected k to be at least 1, found {k}")
    if not 0 <= output < model.n_outputs:
        raise ValueError(f"expected output from 0 to {model.n_outputs - 1}, found {output}")
    k = min(k, len(model.features))
    reasons, error, names = (Reason * (n_rows * k))(), Error(), model.features
    check(
        lib.score_top_reasons(
            model._handle, contributions.ctypes.data, n_rows, output, DIRECTIONS[direction], k, reasons, byref(error)
        ),
        error,
    )
    return [
        [(names[r.feature], r.contribution) for r in reasons[row * k : (row + 1) * k] if r.name is not None]
        for row in range(n_rows)
    ]
