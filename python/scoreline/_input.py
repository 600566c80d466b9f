"""What predict() takes.

Comes in: a NumPy array, a pandas DataFrame or Series, anything with the Arrow PyCapsule interface, dictionaries, or
nested lists. Goes out: ``Rows``. Tables with column names are bound by name through the model; arrays go by position.
"""

from __future__ import annotations

import numbers
import sys
from collections.abc import Mapping
from typing import Any, Dict, Generator, Iterable, List, Optional, Sequence

import numpy as np

from . import _arrow, _binned, _pandas
from ._errors import ShapeError, UnsupportedError
from ._labels import HASH
from ._rows import Rows, from_array, from_columns, from_sparse, is_missing, number_of


def tables(
    X: Any, model: Any, absent: Optional[str] = None, in_one: bool = False
) -> Generator[Rows, None, None]:
    """Rows of any supported kind; several only for Arrow streams, if not `in_one`. They are valid until the next are asked for."""
    if isinstance(X, np.ndarray) and absent is None:
        yield _from_array(X, model)
        return
    if isinstance(X, _binned.Binned):
        if absent is not None:
            raise _absent_error(False)
        yield X.rows()
        return
    if is_sparse(X) != (absent is not None):
        raise _absent_error(is_sparse(X))
    pandas = sys.modules.get("pandas")
    if absent is not None:
        yield from_sparse(X, absent)
    elif pandas is not None and isinstance(X, pandas.DataFrame):
        yield _pandas.from_frame(X, model)
    elif pandas is not None and isinstance(X, pandas.Series):
        yield _from_series(_pandas.values_of_row(X), model)
    elif hasattr(X, "__arrow_c_stream__") or hasattr(X, "__arrow_c_array__"):
        for batch in _arrow.batches(X, model, in_one):
            plan = model._bind(batch.names, batch.types)
            yield from_columns(batch.columns, batch.n_rows, plan, batch)
    elif isinstance(X, Mapping):
        yield _from_records([X], model)
    elif isinstance(X, (list, tuple)) and X and isinstance(X[0], Mapping):
        yield _from_records(X, model)
    else:
        yield _from_array(_as_array(X), model)


def is_sparse(X: Any) -> bool:
    """A matrix or array of SciPy's, of any format."""
    return hasattr(X, "tocsr") and hasattr(X, "nnz")


def _absent_error(for_sparse: bool) -> Exception:
    if not for_sparse:
        return ValueError("absent is for sparse matrices only; a dense row has no absent values")
    return UnsupportedError(
        "sparse matrices need absent='zero' or absent='missing', because absent values are zeros to LightGBM and "
        "scikit-learn and missing to XGBoost"
    )


def _as_array(X: Any) -> np.ndarray:
    if hasattr(X, "columns") or hasattr(X, "column_names"):
        raise TypeError(
            f"{type(X).__module__}.{type(X).__qualname__} has named columns, but not the Arrow PyCapsule "
            "interface (pyarrow has it since version 14): give a pandas DataFrame, or a NumPy array with the "
            "columns in the model's order"
        )
    if isinstance(X, (str, bytes)) or not hasattr(X, "__len__") and not hasattr(X, "__array__"):
        raise TypeError(
            f"expected rows as a NumPy array, pandas DataFrame, Arrow table, list of dicts or nested lists, "
            f"found {type(X).__name__}"
        )
    array = np.asarray(X)
    return array if array.dtype.kind != "U" else np.asarray(X, dtype=object)  # numbers beside text stay numbers


def _from_array(X: np.ndarray, model: Any) -> Rows:
    return _from_texts(X, model) if X.dtype.kind in "OUT" and any(model._labels.flags) else from_array(X)


# ---- dictionaries --------------------------------------------------------------------------------------------------


def _from_series(series: Any, model: Any) -> Rows:
    """One row: by name or by position, as a frame with the index as its columns."""
    names = _pandas.names_to_bind(series.index.tolist(), model)
    if names is None:
        return from_array(_pandas.column_values(series))
    return _from_records([_record(names, series.to_numpy(), model, "the row")], model)


def _record(names: List[str], values: Iterable[Any], model: Any, where: str) -> Dict[str, Any]:
    record = dict(zip(names, values))
    doubled = [name for name in model.features if len(record) < len(names) and names.count(name) > 1]
    if doubled:
        raise ShapeError(f"{where} has twice {len(doubled)} of the model's features: {_listed(doubled)}")
    return record


def _from_records(records: Sequence[Mapping], model: Any) -> Rows:
    """Dictionaries from feature name to number, or to label; None is missing, extra keys are ignored. Keys that are no text
    count by their text, as the columns of a frame do."""
    features = model.features
    values = np.empty((len(records), len(features)), dtype=np.float64)
    for r, record in enumerate(records):
        try:
            if not all(name in record for name in features):
                names = model._names.as_features([str(key) for key in record])
                record = _record(names, record.values(), model, f"row {r}")
            row = [record[name] for name in features]
        except KeyError:
            absent = [name for name in features if name not in record]
            raise ShapeError(
                f"row {r} lacks the features {_listed(absent)}: give every feature, None where a value is missing"
            ) from None
        except (AttributeError, TypeError):
            raise ShapeError(f"expected dictionaries only, found {type(record).__name__} as row {r}") from None
        values[r] = _numbers_of_record(row, model, r)
    return from_array(values)


def _numbers_of_record(row: Sequence[Any], model: Any, r: int) -> List[float]:
    return [_number(value, model, k, r) for k, value in enumerate(row)]


def _number(value: Any, model: Any, k: int, r: int) -> float:
    """The number that feature `k` has in row `r`: of a label, its code."""
    labels, name = model._labels, model._features[k]
    if is_missing(value):
        return np.nan
    is_text = isinstance(value, str)
    is_number_label = isinstance(value, (numbers.Real, np.bool_)) and value == value and labels.are_numbers(k)
    if is_number_label or (is_text and labels.flags[k]):
        return labels.codes(k, [value], np.zeros(1, np.int64), f"feature {name!r} in row {r}", is_text)[0]
    try:
        return number_of(labels.code_of_number(k, value))
    except ShapeError as error:
        raise ShapeError(f"{error.message} for feature {name!r} in row {r}") from None


def _from_texts(X: np.ndarray, model: Any) -> Rows:
    """Objects or texts by position. Where any is text, they are labels, as in a table; without text they are codes."""
    table = np.atleast_2d(X)
    is_hashed = any(flags & HASH for flags in model._labels.flags)  # whose whole numbers keep all digits
    if not is_hashed and not any(isinstance(value, str) for value in table.ravel().tolist()):
        return from_array(X)
    if table.ndim != 2 or table.shape[1] != len(model._features):
        return from_array(np.empty(X.shape))  # the library says how many columns it expects
    values = np.empty(table.shape)
    for k in range(table.shape[1]):
        known: dict = {}
        for r, value in enumerate(table[:, k].tolist()):
            if not isinstance(value, str):
                values[r, k] = _number(value, model, k, r)
                continue
            if value not in known:
                known[value] = _number(value, model, k, r)
            values[r, k] = known[value]
    return from_array(values)


def _listed(names: Sequence[str]) -> str:
    """At most ten names for a message."""
    shown = ", ".join(repr(name) for name in names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
