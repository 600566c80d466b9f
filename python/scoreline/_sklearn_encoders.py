"""Encoders of scikit-learn as tables from categories to numbers.

Comes in: a fitted OneHotEncoder, OrdinalEncoder or TargetEncoder, and the columns before it. Goes out: the columns behind
it. The tables are not computed from the encoder's parameters: the encoder itself is asked for each of its categories, for a
missing value and for one that it does not know.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, List, Optional, Tuple

import numpy as np

from ._errors import UnsupportedError
from ._sklearn_columns import Column, Inputs, Table, is_missing_value, is_text_value, table_step

_UNSEEN = "\u2400 a label that no training data had"


def encode(encoder: Any, table: Table, inputs: Inputs) -> Table:
    name = type(encoder).__name__
    if np.dtype(getattr(encoder, "dtype", np.float64)).kind == "f" and encoder_width(encoder) != 8:
        raise UnsupportedError(f"{name} with dtype {encoder.dtype!r} is not supported: train with dtype=np.float64")
    if table.is_sparse:
        raise UnsupportedError(f"{name} behind a sparse matrix is not supported: train with sparse_output=False")
    known = [list(categories) for categories in encoder.categories_]
    answers = _transformed(encoder, _one_by_one(known))
    widths = _widths(encoder, answers.shape[1])
    columns: List[Column] = []
    row = 0
    for j, categories in enumerate(known):
        place = slice(sum(widths[:j]), sum(widths[: j + 1]))
        mine = answers[row : row + len(categories), place]
        row += len(categories)
        columns += _encoded(encoder, known, j, mine, place, table.columns[j], inputs)
    is_sparse = bool(getattr(encoder, "sparse_output", False))
    return Table(tuple(columns), is_sparse)


def encoder_width(encoder: Any) -> int:
    return np.dtype(getattr(encoder, "dtype", np.float64)).itemsize


def _widths(encoder: Any, total: int) -> List[int]:
    """Columns that each feature becomes."""
    if hasattr(encoder, "_n_features_outs"):
        return list(encoder._n_features_outs)
    return [total // len(encoder.categories_)] * len(encoder.categories_)


def _one_by_one(known: List[list]) -> List[list]:
    """A row for every category of every feature; the others have their first."""
    first = [categories[0] for categories in known]
    return [first[:j] + [one] + first[j + 1 :] for j, categories in enumerate(known) for one in categories]


def _transformed(encoder: Any, rows: List[list]) -> np.ndarray:
    kinds = [categories.dtype.kind for categories in encoder.categories_]
    names = getattr(encoder, "feature_names_in_", None)
    pandas = sys.modules.get("pandas")
    if names is not None and pandas is not None:
        columns = {
            name: pandas.Series([row[j] for row in rows], dtype=object if kinds[j] in "OUS" else np.float64)
            for j, name in enumerate(names)
        }
        asked: Any = pandas.DataFrame(columns)
    else:
        asked = np.empty((len(rows), len(kinds)), dtype=object if set(kinds) & set("OUS") else np.float64)
        for r, row in enumerate(rows):
            asked[r] = row
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of unknown categories, which are asked for on purpose
        answer = encoder.transform(asked)
    answer = answer.toarray() if hasattr(answer, "toarray") else answer
    return np.asarray(answer, dtype=np.float64)


def _asked(encoder: Any, known: List[list], j: int, value: Any, place: slice) -> Optional[np.ndarray]:
    """What feature j becomes for another value; None if the encoder refuses it."""
    row = [categories[0] for categories in known]
    row[j] = value
    try:
        return _transformed(encoder, [row])[0, place]
    except (ValueError, TypeError):
        return None


def _encoded(
    encoder: Any, known: List[list], j: int, answers: np.ndarray, place: slice, column: Column, inputs: Inputs
) -> List[Column]:
    who = type(encoder).__name__
    is_text = any(is_text_value(one) for one in known[j])
    column = inputs.text(column, who) if is_text else inputs.number(column, who)
    keys, missing = _keys(known[j], column, inputs, is_text, who)
    unseen = _UNSEEN if is_text else _unseen_number(known[j])
    nothing = np.full(answers.shape[1], np.nan)  # the encoder refuses such a row
    unknown_answer = _asked(encoder, known, j, unseen, place)
    if unknown_answer is None and is_text:
        inputs.refuses.add(column.input)
    missing_answer = answers[missing] if missing is not None else _asked(encoder, known, j, np.nan, place)
    unknown_answer = nothing if unknown_answer is None else unknown_answer
    missing_answer = nothing if missing_answer is None else missing_answer
    made = []
    for k in range(answers.shape[1]):
        pairs = {key: float(answers[number, k]) for number, key in keys}
        step = table_step(pairs, float(unknown_answer[k]), float(missing_answer[k]))
        made.append(column._replace(is_text=False).then(step))
    return made


def _keys(
    categories: list, column: Column, inputs: Inputs, is_text: bool, who: str
) -> Tuple[List[Tuple[int, float]], Optional[int]]:
    """Number and key of each category, and the number of the one that is a missing value."""
    keys, missing = [], None
    for number, one in enumerate(categories):
        if is_missing_value(one):
            if missing is not None:
                raise UnsupportedError(
                    f"{who} knows None and NaN as two categories: both are missing values here. "
                    "Train with one of them"
                )
            missing = number
            if is_text and one is None:
                inputs.nones.add(column.input)
        elif is_text and not isinstance(one, str):
            raise UnsupportedError(
                f"{who} has strings and {type(one).__name__} among the categories of one column: "
                "train with strings alone"
            )
        else:
            keys.append((number, inputs.code(column, one) if is_text else _number(one, who)))
    return keys, missing


def _number(category: Any, who: str) -> float:
    try:
        value = float(category)
    except (TypeError, ValueError):
        raise UnsupportedError(
            f"{who} has the category {category!r}, which is neither a number nor a string: train with one of those"
        ) from None
    if value != category:
        raise UnsupportedError(
            f"{who} has the category {category!r}, which is no double: train with strings, or numbers up to 2**53"
        )
    return value


def _unseen_number(categories: list) -> float:
    known = {float(one) for one in categories if not is_missing_value(one)}
    value = max(known, default=0.0)
    while value in known:
        value = value + 1.0 if abs(value) < 2.0**52 else -0.5
    return value
