"""Labels of categories, through the model's dictionaries.

Comes in: labels as pandas, Arrow or a caller's dictionaries hold them. Goes out: the codes that the model scores. The
library looks labels up, so that C, the command line and Python agree; here only values of Python become label text.
"""

from __future__ import annotations

import json
import numbers
from ctypes import byref, c_double
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from ._errors import ShapeError
from ._library import lib, text

DICTIONARY, NUMBERS, HASH = 1, 2, 4
EXACT = 2**53  # doubles hold every whole number up to here


class Labels:
    """What a model knows of its features' labels."""

    __slots__ = ("flags", "lost", "lists", "n_lists", "_handle", "_features", "_are_values")

    def __init__(self, handle: int, features: Sequence[str], metadata: Mapping[str, str]):
        self._handle = handle
        self._features = features
        self._are_values: Dict[int, bool] = {}
        self.flags = [lib.score_model_dictionary(handle, i) for i in range(len(features))]
        self.lost = {int(number) for number in metadata.get("source.lost_labels", "").split()}
        lists = _lists(metadata)
        self.n_lists = len(lists)
        # LightGBM's labels where its file does not tell whose they are: in the order of the columns of dtype category.
        self.lists: List[list] = [] if any(self.flags) else lists

    def __bool__(self) -> bool:
        return bool(any(self.flags) or self.lost or self.lists)

    def is_numeric(self, feature: int) -> bool:
        return not lib.score_model_feature_type(self._handle, feature)

    def code(self, feature: int, label: Optional[str]) -> float:
        """Code of a label; of one that no model has, if it is None. +inf: rows with this label are refused."""
        if label is None:
            return lib.score_model_category_unknown(self._handle, feature)
        data, code = label.encode("utf-8", "surrogatepass"), c_double()
        lib.score_model_category_find(self._handle, feature, data, len(data), byref(code))
        return code.value

    def code_of_number(self, feature: int, value: Any) -> Any:
        """The value itself, or the code of its text where it is a category by its text and no double holds it."""
        is_wide = self.flags[feature] & HASH and isinstance(value, numbers.Integral) and abs(int(value)) >= EXACT
        return self.code(feature, str(int(value))) if is_wide else value

    def all(self, feature: int) -> Dict[str, float]:
        """Labels of one feature and their codes."""
        name, code = lib.score_model_category_name, lib.score_model_category_code
        n = lib.score_model_category_count(self._handle, feature)
        return {text(name(self._handle, feature, k)): code(self._handle, feature, k) for k in range(n)}

    def are_values(self, feature: int) -> bool:
        """The labels are numbers and each one's code is that number, so that a column of numbers holds codes."""
        if not self.flags[feature] & NUMBERS:
            return False
        if feature not in self._are_values:
            self._are_values[feature] = all(float(label) == code for label, code in self.all(feature).items())
        return self._are_values[feature]

    def are_numbers(self, feature: int) -> bool:
        """The labels are numbers, and other numbers than their codes."""
        return bool(self.flags[feature] & NUMBERS) and not self.flags[feature] & HASH and not self.are_values(feature)

    def codes(
        self, feature: int, labels: Sequence[Any], places: np.ndarray, where: str, is_text: bool = False
    ) -> np.ndarray:
        """Codes of values that are given as places in a list of labels; a place of -1 is missing.

        Labels of dtype category are of the kind that they were in training; text is looked up as it is.
        """
        flags = 0 if is_text else self.flags[feature]
        training = np.array([self.code(feature, label_text(label, flags)) for label in labels] + [np.nan])
        values = training[places]
        refused = sorted({str(labels[place]) for place in np.unique(places[np.isposinf(values)])})
        if refused:
            shown = ", ".join(map(repr, refused[:10])) + (" and more" if len(refused) > 10 else "")
            raise ShapeError(f"{where} has categories that the model was not trained with: {shown}")
        return values

    def refuse_lost(self, feature: int) -> None:
        if feature in self.lost:
            raise ShapeError(
                f"XGBoost did not keep the labels of feature {self._features[feature]!r} whole, because they are not "
                "ASCII: give the codes of the training data as a NumPy array"
            )

    def check_columns(self, n_categorical: int) -> None:
        """LightGBM takes as many columns of dtype category as in training, or none at all."""
        if self.n_lists and n_categorical != self.n_lists:
            raise ShapeError(
                f"the model was trained with {self.n_lists} columns of dtype category, and this frame "
                f"has {n_categorical} of them among the features: give them that dtype, or give the "
                "codes of the training data as a NumPy array"
            )

    def refuse_numbers(self, feature: int, dtype: Any) -> None:
        raise ShapeError(
            f"feature {self._features[feature]!r} was trained with labels: expected a column of dtype category or of "
            f"strings, found {dtype}. Or give the codes of the training data as a NumPy array"
        )


def _lists(metadata: Mapping[str, str]) -> List[list]:
    try:
        found = json.loads(metadata.get("source.pandas_categorical", "null"))
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def label_text(label: Any, flags: int) -> Optional[str]:
    """The text of a label; None if it is of a kind that the dictionary does not have.

    Whole numbers are plain digits, so that 2, 2.0 and numpy's 2 are one label; True is 1.
    """
    if isinstance(label, str):
        return None if flags & NUMBERS else label
    if isinstance(label, (bool, np.bool_)):
        return str(int(label))
    if flags & HASH:
        return str(label)
    if isinstance(label, numbers.Integral):
        return str(int(label))
    if isinstance(label, numbers.Real):
        value = float(label)
        return str(int(value)) if value.is_integer() and abs(value) < 2.0**63 else repr(value)
    return None


def translated_by_list(labels: Sequence[Any], own: Sequence[Any], places: np.ndarray) -> np.ndarray:
    """Places in `labels` of values that are places in `own`; NaN for what is missing there."""
    known: Dict[Any, float] = {label: float(code) for code, label in enumerate(labels)}
    return np.array([known.get(label, np.nan) for label in own] + [np.nan])[places]
