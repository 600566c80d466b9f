"""pandas tables.

Comes in: a DataFrame, without importing pandas. Goes out: ``Rows``; columns of NumPy's numeric types are used in place.

Categories: a model that has dictionaries knows the codes behind labels. Columns of dtype category, or of strings, are
then translated by label, as the trainers do, so that a frame whose categories stand in another order is scored right.
Without known labels a category column's own codes are taken; for a numeric feature, its categories, which must be numbers.
"""

from __future__ import annotations

import numbers
from typing import Any, List, Optional, Sequence

import numpy as np

from ._errors import ShapeError
from ._labels import EXACT, HASH, Labels, translated_by_list
from ._library import F64, STRING
from ._rows import CODES, Rows, floats_of_objects, from_array, from_arrays


def from_frame(frame: Any, model: Any) -> Rows:
    names = names_to_bind(frame.columns.tolist(), model)
    dtypes = list(frame.dtypes)
    is_uniform = dtypes and dtypes[0] in (np.float32, np.float64) and all(dtype == dtypes[0] for dtype in dtypes)
    if is_uniform and not model._labels:
        rows = from_array(frame.to_numpy())
        if names is not None:
            rows.plan = _bound(model, names, None)
        return rows
    labels = model._labels
    feature_of = {name: k for k, name in enumerate(model.features)}
    fed = [i if names is None else feature_of.get(names[i], -1) for i in range(len(dtypes))]
    types = [F64 if k < 0 else _column_type(frame, i, dtypes[i]) for i, k in enumerate(fed)]
    takes_text = [0 <= k < len(labels.flags) and labels.flags[k] for k in fed]
    refused = [i for i, code in enumerate(types) if code == STRING and not takes_text[i]]
    _refuse_text(frame, refused, all(labels.is_numeric(fed[i]) for i in refused))
    columns = range(len(dtypes)) if names is None else _bound(model, names, types).columns
    is_categorical = [i >= 0 and _is_categorical(dtypes[i]) for i in columns]
    is_text = [i >= 0 and takes_text[i] and _is_text(frame, i, types[i]) for i in columns]
    if labels:
        labels.check_columns(sum(is_categorical) + sum(is_text))
    # LightGBM's lists are those of the columns of dtype category, in their order; text is looked up feature by feature.
    by_list = bool(labels.lists) and not any(is_text)
    lists = iter(labels.lists)
    arrays = []
    for k, i in enumerate(columns):
        if i < 0:
            arrays.append(np.full(len(frame), np.nan))
        elif is_categorical[k] and by_list:
            series = frame.iloc[:, i]
            arrays.append(translated_by_list(next(lists), list(series.cat.categories), series.cat.codes.to_numpy()))
        else:
            arrays.append(_feature_values(frame.iloc[:, i], is_text[k], labels, k))
    return from_arrays(arrays, len(frame))


def _feature_values(series: Any, is_text: bool, labels: Labels, k: int) -> np.ndarray:
    """Values of feature `k`: numbers in place, labels as their codes."""
    is_categorical = _is_categorical(series.dtype)
    if k >= len(labels.flags):  # more columns than features: the library says so
        return column_values(series)
    if is_categorical:
        labels.refuse_lost(k)
    if not labels.flags[k]:
        return _numbers_of_categories(series) if is_categorical and labels.is_numeric(k) else column_values(series)
    if not is_categorical and not is_text:
        if not labels.flags[k] & HASH and not labels.are_values(k):
            labels.refuse_numbers(k, series.dtype)
        return _exact_numbers(series, labels, k)
    if is_text:
        series = series.astype("category")
    return labels.codes(k, list(series.cat.categories), series.cat.codes.to_numpy(), f"column {series.name!r}", is_text)


def _exact_numbers(series: Any, labels: Labels, k: int) -> np.ndarray:
    """Numbers of one column, where those that become doubles on the way are categories by their text."""
    values = column_values(series)
    if isinstance(series.dtype, np.dtype) and series.dtype != np.dtype(object):
        return values
    for i in np.flatnonzero(np.abs(values) >= EXACT):
        values[i] = labels.code_of_number(k, series.iloc[i])
    return values


def _numbers_of_categories(series: Any) -> np.ndarray:
    """Values of a column of dtype category for a feature that has none: its categories must be numbers themselves."""
    try:
        values = [float(label) for label in series.cat.categories if not isinstance(label, (str, bytes))]
    except (TypeError, ValueError):
        values = []
    if len(values) < len(series.cat.categories):
        raise ShapeError(
            f"column {series.name!r} has dtype category, and the model's feature is numeric: expected numbers, categories "
            "that are numbers, or the codes of the training data as numbers"
        )
    return np.array(values + [np.nan])[series.cat.codes.to_numpy()]


def _bound(model: Any, names: List[str], types: Optional[List[int]]) -> Any:
    """The plan of a frame; a model without names of its own gets a hint."""
    try:
        return model._bind(names, types)
    except ShapeError as error:
        if set(names) & set(model.features):
            raise
        message = f"{error.message}. If the columns stand in the model's order, give frame.to_numpy()"
        raise ShapeError(message) from None


def names_to_bind(labels: List[Any], model: Any) -> Optional[List[str]]:
    """Names to bind by, or None if a frame's columns or a row's index go by position: they are only numbered and the features have
    other names, or none of them is text and the features have no names of their own."""
    names = model._names.as_features([str(label) for label in labels])
    if any(isinstance(label, str) for label in labels) or set(model.features) <= set(names):
        return names
    joined = [" ".join(map(str, label)) if isinstance(label, tuple) else str(label) for label in labels]
    if set(model.features) <= set(joined):  # XGBoost's names for columns of several levels
        return joined
    is_numbered = all(isinstance(label, numbers.Number) for label in labels)
    has_no_names = list(model.features) == [f"f{i}" for i in range(len(model.features))]
    return None if is_numbered or has_no_names else names


def values_of_row(series: Any) -> Any:
    """A Series that is a row, its values as they would be in a frame's columns: no codes of a dtype that all of them share,
    and objects where they are no numbers, which are then labels or refused one by one."""
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "fiub":
        return series
    return series if getattr(series.dtype, "_is_numeric", False) else series.astype(object)


def _is_categorical(dtype: Any) -> bool:
    return not isinstance(dtype, np.dtype) and hasattr(dtype, "categories")


def _is_text(frame: Any, position: int, code: int) -> bool:
    """Labels as strings, or a column of objects in which all of them are missing."""
    series = frame.iloc[:, position]
    return code == STRING or series.dtype == np.dtype(object) and bool(series.isna().all())


def _column_type(frame: Any, position: int, dtype: Any) -> int:
    """Code of the type in which a column's values will be handed over; STRING if they are not numbers."""
    if isinstance(dtype, np.dtype):
        if dtype in CODES:
            return CODES[dtype]
        if dtype.kind in "fiu":
            return F64
        if dtype.kind == "O":
            values = frame.iloc[:, position].to_numpy()
            return STRING if any(isinstance(value, (str, bytes)) for value in values) else F64
        return STRING
    is_number = getattr(dtype, "_is_numeric", False) or getattr(dtype, "_is_boolean", False)
    return F64 if is_number or _is_categorical(dtype) or dtype == "null[pyarrow]" else STRING


def column_values(series: Any) -> np.ndarray:
    """Numbers of one column: in place for NumPy's numeric types, float64 with NaN for missing ones else."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        values = series.to_numpy()
        if dtype.kind == "O":
            return floats_of_objects(values, series.name)
        if dtype not in CODES or not values.flags.aligned or values.strides[0] == 0:
            return np.array(values, dtype=np.float64)
        return values
    if _is_categorical(dtype):
        codes = series.cat.codes.to_numpy()
        return np.where(codes < 0, np.nan, codes.astype(np.float64))
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def _refuse_text(frame: Any, positions: Sequence[int], are_numeric: bool) -> None:
    if positions:
        dtypes = list(frame.dtypes)
        listed = ", ".join(f"{frame.columns[i]!r} ({dtypes[i]})" for i in positions)
        hint = "Give a column of dtype category, or the codes with which the model was trained"
        if are_numeric:
            hint = "The model has numeric features of these names: make the columns numbers, as they were in training"
        raise ShapeError(f"expected numbers, found columns that are not: {listed}. {hint}")
