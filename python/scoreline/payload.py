"""The JSON bodies with which hosted models are asked, and the answers.

Comes in: the text of a request in any of the forms that MLflow, Databricks, Azure Machine Learning, Stream Analytics and
the integration guides send. Goes out: rows that ``Model.predict`` takes, or a ``PayloadError`` whose text may be shown to
whoever sent the request; and numbers as JSON can hold them.

===========================  =======================================================================
key of the body              rows
===========================  =======================================================================
``dataframe_split``          ``{"columns": […], "data": [[…]], "index": […]}``
``dataframe_records``        ``[{name: value}, …]``
``instances``                list of objects, of lists, or of single values of a model with one feature
``inputs``                   ``{name: [values]}``, or lists of rows
``input_data``               as ``dataframe_split``, ``dataframe_records`` or ``instances``
``Inputs``                   ``{any one name: list of objects}``, as Stream Analytics sends
``data``                     list of objects or of lists, or one object
(a list, or another object)  the rows themselves, or one row by name
===========================  =======================================================================

``null``, ``NaN`` and an empty table cell's ``null`` are missing values. A feature that a row does not name is an error, so
that a misspelt name cannot pass for a missing value; extra names are ignored.
"""

from __future__ import annotations

import json
import math
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

from ._errors import ScorelineError
from ._model import Model

Rows = Union[Sequence[Mapping[str, Any]], Sequence[Sequence[Any]]]

_ENVELOPES = ("dataframe_split", "dataframe_records", "instances", "inputs", "input_data", "Inputs", "data")


class PayloadError(ValueError):
    """The request is wrong, not the model: servers answer 400 with this text."""


def rows_of_text(text: Union[str, bytes]) -> Rows:
    """Rows of a request's body. Raises PayloadError where it is no JSON or holds no rows."""
    try:
        decoded = json.loads(text)
    except (ValueError, RecursionError) as error:  # whole numbers of thousands of digits are a ValueError, too
        raise PayloadError(f"the body is not valid JSON: {error}") from None
    return rows_of(decoded)


def rows_of(payload: Any) -> Rows:
    """Rows of a decoded body."""
    if isinstance(payload, list):
        return _of_list(payload, "the body")
    if not isinstance(payload, dict):
        raise PayloadError(f"expected a JSON object or list, found {_kind(payload)}")
    found = [key for key in _ENVELOPES if key in payload]
    if not found:
        if not payload or any(isinstance(value, (dict, list)) for value in payload.values()):
            raise PayloadError(f"expected one of the keys {', '.join(_ENVELOPES)}, found {_listed(payload)}")
        return [payload]
    if len(found) > 1:
        raise PayloadError(f"expected exactly one of the keys {', '.join(_ENVELOPES)}, found {' and '.join(found)}")
    key = found[0]
    return _READERS[key](payload[key], key)


def predict_rows(model: Model, rows: Rows, output: str = "prediction") -> np.ndarray:
    """``model.predict(rows)``; what is wrong with the rows is a PayloadError, with the row and the feature named."""
    if not rows:
        return np.empty(0)
    try:
        return model.predict(rows, output)
    except (ScorelineError, ValueError, TypeError) as error:
        raise PayloadError(str(error)) from None


def to_json(values: np.ndarray) -> List[Any]:
    """Nested lists of JSON's numbers; NaN and infinities, which JSON does not have, become null."""
    values = np.asarray(values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        return _finite(values.tolist())
    return values.tolist()


def _finite(value: Any) -> Any:
    if isinstance(value, list):
        return [_finite(entry) for entry in value]
    return value if math.isfinite(value) else None


def _of_list(value: Any, where: str) -> Rows:
    if not isinstance(value, list):
        raise PayloadError(f"expected a list of rows in {where}, found {_kind(value)}")
    kinds = {dict if isinstance(row, dict) else list if isinstance(row, list) else None for row in value}
    if len(kinds) > 1:
        raise PayloadError(f"expected rows of one kind in {where}, objects or lists, found a mixture")
    if kinds == {None}:
        return [[row] for row in value]
    if kinds == {list}:
        _check_rectangle(value, where)
    return value


def _check_rectangle(rows: List[List[Any]], where: str) -> None:
    for r, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise PayloadError(f"row {r} of {where} has {len(row)} values, row 0 has {len(rows[0])}")
        for value in row:
            if isinstance(value, (list, dict)):
                raise PayloadError(f"expected numbers in row {r} of {where}, found {_kind(value)}")


def _of_split(value: Any, where: str) -> Rows:
    if not isinstance(value, dict) or "columns" not in value or "data" not in value:
        raise PayloadError(f"expected {where} to be an object with the keys columns and data, found {_listed(value)}")
    columns, rows = value["columns"], value["data"]
    if not isinstance(columns, list) or not all(isinstance(name, (str, int)) for name in columns):
        raise PayloadError(f"expected a list of names as columns of {where}")
    if len(set(columns)) != len(columns):
        raise PayloadError(f"columns of {where} has the same name twice")
    if not isinstance(rows, list):
        raise PayloadError(f"expected a list of rows as data of {where}, found {_kind(rows)}")
    for r, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            raise PayloadError(f"row {r} of {where} must be a list of {len(columns)} values, one per column")
    # Numbered columns are those of a frame without names.
    if columns == list(range(len(columns))):
        return rows
    return [dict(zip(columns, row)) for row in rows]


def _of_columns(value: Any, where: str) -> Rows:
    if not isinstance(value, dict):
        return _of_list(value, where)
    if not value:
        raise PayloadError(f"expected the columns of rows in {where}, found an empty object")
    columns = {name: column if isinstance(column, list) else [column] for name, column in value.items()}
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1:
        raise PayloadError(f"the columns of {where} differ in length: {sorted(lengths)}")
    # A column may hold one-element lists: a tensor of shape [n, 1].
    plain: Dict[str, List[Any]] = {
        name: [cell[0] if isinstance(cell, list) and len(cell) == 1 else cell for cell in column]
        for name, column in columns.items()
    }
    return [dict(zip(plain, cells)) for cells in zip(*plain.values())]


def _of_input_data(value: Any, where: str) -> Rows:
    return _of_split(value, where) if isinstance(value, dict) else _of_list(value, where)


def _of_web_service(value: Any, where: str) -> Rows:
    if isinstance(value, dict) and len(value) == 1:
        ((name, rows),) = value.items()
        return _of_list(rows, f"{where}.{name}")
    raise PayloadError(f"expected {where} to be an object with one key that holds the rows, found {_listed(value)}")


def _of_data(value: Any, where: str) -> Rows:
    return [value] if isinstance(value, dict) else _of_list(value, where)


_READERS = {
    "dataframe_split": _of_split,
    "dataframe_records": _of_list,
    "instances": _of_list,
    "inputs": _of_columns,
    "input_data": _of_input_data,
    "Inputs": _of_web_service,
    "data": _of_data,
}


def _kind(value: Any) -> str:
    names: Dict[type, str] = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _listed(value: Any) -> Optional[str]:
    if not isinstance(value, dict):
        return _kind(value)
    return "the keys " + ", ".join(map(repr, list(value)[:10])) if value else "an empty object"
