"""pandas tables.

Comes in: a DataFrame, without importing pandas. Goes out: ``Rows``; columns of NumPy's numeric types are used in place.

Categories: a model made of a booster that was trained on a DataFrame knows the labels behind its codes (metadata
"source.categories" for XGBoost, "source.pandas_categorical" for LightGBM). Columns of dtype category are then
translated by label, as the trainers do, so that a frame whose categories stand in another order is scored right.
Without known labels the column's own codes are taken.
"""

from __future__ import annotations

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from ._errors import ShapeError
from ._library import F64, STRING
from ._rows import CODES, Rows, floats_of_objects, from_array, from_arrays


class Labels:
    """Labels of the categories that a model was trained with, in the order of their codes."""

    __slots__ = ("by_feature", "in_order")

    def __init__(self, by_feature: Dict[str, list], in_order: List[list]):
        self.by_feature = by_feature  # XGBoost
        self.in_order = in_order  # LightGBM: of the columns of dtype category, in the order of the features

    def __bool__(self) -> bool:
        return bool(self.by_feature or self.in_order)

    def for_columns(self, columns: Sequence[int], features: Sequence[str], dtypes: Sequence[Any]) -> Dict[int, list]:
        """Position of a column to the labels of its feature. `columns` are the columns that feed the features."""
        categorical = [i for i in columns if i >= 0 and _is_categorical(dtypes[i])]
        if self.in_order and len(categorical) != len(self.in_order):
            raise ShapeError(
                f"the model was trained with {len(self.in_order)} columns of dtype category, and this frame "
                f"has {len(categorical)} of them among the features: give them that dtype, or give the "
                "codes of the training data as a NumPy array"
            )
        found = dict(zip(categorical, self.in_order))
        for name, i in zip(features, columns):
            if name in self.by_feature:
                if self.by_feature[name] is None:
                    raise ShapeError(
                        f"XGBoost did not keep the labels of feature {name!r} whole, because they are not "
                        "ASCII: give the codes of the training data as a NumPy array"
                    )
                if i not in categorical:
                    raise ShapeError(
                        f"feature {name!r} was trained with labels: expected a column of dtype category, "
                        f"found {dtypes[i]}. Or give the codes of the training data as a NumPy array"
                    )
                found[i] = self.by_feature[name]
        return found


def labels_of(metadata: Mapping[str, str]) -> Labels:
    """What the model's metadata says; nothing if it is not understood."""

    def read(key: str, kind: type) -> Any:
        try:
            value = json.loads(metadata.get(key, "null"))
        except ValueError:
            return kind()
        return value if isinstance(value, kind) else kind()

    return Labels(read("source.categories", dict), read("source.pandas_categorical", list))


def from_frame(frame: Any, model: Any) -> Rows:
    names = _frame_names(frame, model.features)
    dtypes = list(frame.dtypes)
    is_uniform = dtypes and dtypes[0] in (np.float32, np.float64) and all(dtype == dtypes[0] for dtype in dtypes)
    if is_uniform and not model._labels:
        rows = from_array(frame.to_numpy())
        if names is not None:
            rows.plan = _bound(model, names, None)
        return rows
    wanted = None if names is None else set(model.features)
    types = [
        F64 if wanted is not None and names[i] not in wanted else _column_type(frame, i, dtype)
        for i, dtype in enumerate(dtypes)
    ]
    _refuse_text(frame, [i for i, code in enumerate(types) if code == STRING])
    columns = range(len(dtypes)) if names is None else _bound(model, names, types).columns
    labels = model._labels.for_columns(columns, model.features, dtypes) if model._labels else {}
    unknown_is_missing = bool(model._labels.in_order)
    arrays = []
    for i in columns:
        if i in labels:
            arrays.append(_translated(frame.iloc[:, i], labels[i], unknown_is_missing))
        else:
            arrays.append(column_values(frame.iloc[:, i]) if i >= 0 else np.full(len(frame), np.nan))
    return from_arrays(arrays, len(frame))


def _bound(model: Any, names: List[str], types: Optional[List[int]]) -> Any:
    """The plan of a frame; a model without names of its own gets a hint."""
    try:
        return model._bind(names, types)
    except ShapeError as error:
        if set(names) & set(model.features):
            raise
        message = f"{error.message}. If the columns stand in the model's order, give frame.to_numpy()"
        raise ShapeError(message) from None


def _frame_names(frame: Any, features: List[str]) -> Optional[List[str]]:
    """Column names to bind by, or None if the columns are only numbered and the features have other names."""
    labels = frame.columns.tolist()
    names = [str(label) for label in labels]
    if any(isinstance(label, str) for label in labels) or set(features) <= set(names):
        return names
    return None


def _is_categorical(dtype: Any) -> bool:
    return not isinstance(dtype, np.dtype) and hasattr(dtype, "categories")


def _column_type(frame: Any, position: int, dtype: Any) -> int:
    """Code of the type in which a column's values will be handed over; STRING if they are not numbers."""
    if isinstance(dtype, np.dtype):
        if dtype in CODES:
            return CODES[dtype]
        if dtype.kind == "f":
            return F64
        if dtype.kind == "O":
            values = frame.iloc[:, position].to_numpy()
            return STRING if any(isinstance(value, (str, bytes)) for value in values) else F64
        return STRING
    is_number = getattr(dtype, "_is_numeric", False) or getattr(dtype, "_is_boolean", False)
    return F64 if is_number or _is_categorical(dtype) else STRING


def column_values(series: Any) -> np.ndarray:
    """Numbers of one column: in place for NumPy's numeric types, float64 with NaN for missing ones else."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        values = series.to_numpy()
        if dtype.kind == "O":
            return floats_of_objects(values)
        if dtype not in CODES or not values.flags.aligned or values.strides[0] == 0:
            return np.array(values, dtype=np.float64)
        return values
    if _is_categorical(dtype):
        codes = series.cat.codes.to_numpy()
        return np.where(codes < 0, np.nan, codes.astype(np.float64))
    return series.to_numpy(dtype=np.float64, na_value=np.nan)


def _translated(series: Any, labels: list, unknown_is_missing: bool) -> np.ndarray:
    """Training codes of a column of dtype category. LightGBM takes a label it does not know as missing."""
    own = list(series.cat.categories)
    places = {label: float(code) for code, label in enumerate(labels)}
    codes = series.cat.codes.to_numpy()
    training = np.array([places.get(label, np.nan) for label in own] + [np.nan])  # the last is for code -1, missing
    values = training[codes]
    if not unknown_is_missing:
        unknown = sorted({str(own[code]) for code in np.unique(codes[np.isnan(values)]) if code >= 0})
        if unknown:
            shown = ", ".join(map(repr, unknown[:10])) + (" and more" if len(unknown) > 10 else "")
            raise ShapeError(f"column {series.name!r} has categories that the model was not trained with: {shown}")
    return values


def _refuse_text(frame: Any, positions: Sequence[int]) -> None:
    if positions:
        dtypes = list(frame.dtypes)
        listed = ", ".join(f"{frame.columns[i]!r} ({dtypes[i]})" for i in positions)
        raise ShapeError(
            f"expected numbers, found columns that are not: {listed}. Give a column of dtype category, or "
            "the codes with which the model was trained"
        )
