"""What an ensemble of scikit-learn's trees is to a Builder, and what all kinds of them need.

Comes in: nothing yet; ``_sklearn_trees`` and its kin fill an ``Ensemble`` from an estimator. Goes out: calls of a Builder.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

import numpy as np

from ._build import Builder, Step
from ._errors import UnsupportedError
from ._labels import label_text

LARGEST_FLOAT = float(np.finfo(np.float32).max)


@dataclass
class Ensemble:
    """Trees of an estimator, in its own numbering of features, and how their leaves become an answer."""

    n_features: int
    n_outputs: int
    contract: Dict[str, Any]  # keywords of Builder
    trees: Iterable[Dict[str, Any]]  # keywords of add_tree(), one tree at a time; can be gone through once
    # Margins [n, n_outputs] that the library itself gives, by a copy that uses one thread
    margins: Callable[[np.ndarray], np.ndarray]
    takes_missing: bool = True  # else the estimator refuses rows with NaN
    takes_infinite: bool = False
    metadata: Dict[str, str] = field(default_factory=dict)
    tables: Dict[int, "Categories"] = field(default_factory=dict)  # of features that trees ask by their category's number

    def add_to(self, builder: Builder, columns: Optional[Sequence[int]] = None) -> None:
        """Add the trees. `columns`: the builder's number of each of the estimator's features; None: the same."""
        numbers = np.arange(self.n_features) if columns is None else np.array(columns)
        for feature, table in self.tables.items():
            if columns is None:
                table.describe(builder, feature)
            elif table.is_text:
                raise UnsupportedError(
                    f"column {feature} holds categories that are strings, behind other steps of a pipeline: encode "
                    "them by an OrdinalEncoder first"
                )
            numbers[feature] = builder.add_column(int(numbers[feature]), [table.step()])
        for tree in self.trees:
            tree["feature"] = numbers[tree["feature"]]
            builder.add_tree(**tree)

    def acceptable(self, rows: np.ndarray) -> np.ndarray:
        """The rows with ordinary numbers where the estimator refuses others."""
        rows = np.array(rows, dtype=np.float64)
        if not self.takes_missing:
            rows[np.isnan(rows)] = 0.0
        if not self.takes_infinite:
            rows = np.where(np.isnan(rows), rows, np.clip(rows, -LARGEST_FLOAT, LARGEST_FLOAT))
        for feature in self.tables:
            rows[np.isinf(rows[:, feature]), feature] = np.nan
        return rows


@dataclass
class Categories:
    """Categories of a feature in the order of their numbers: numbers in ascending order, or text, whose codes a model
    takes are the same numbers. Every other value is missing."""

    values: Sequence[Any]

    @property
    def is_text(self) -> bool:
        return any(isinstance(value, str) for value in self.values)

    def describe(self, builder: Builder, feature: int) -> None:
        """Tell which strings, or columns of dtype category, stand for which values."""
        if self.is_text:
            builder.set_dictionary(feature, self.values)
        else:
            labels = [str(label_text(value, 0)) for value in self.values]
            builder.set_dictionary(feature, labels, codes=self.values, are_numbers=True)

    def step(self) -> Step:
        """From a value, or the code of a text, to the category's number."""
        n = len(self.values)
        keys = None if self.is_text else np.asarray(self.values, dtype=np.float64)
        return Step("lookup", a=np.nan, b=np.nan, keys=keys, values=np.arange(n, dtype=np.float64))


def require_fitted(estimator: Any) -> None:
    if not any(hasattr(estimator, name) for name in ("tree_", "estimators_", "_predictors")):
        raise ValueError(f"this {type(estimator).__name__} is not fitted yet: call fit() first")


def unsupported(estimator: Any, what: str, instead: str) -> UnsupportedError:
    return UnsupportedError(f"{type(estimator).__name__} of scikit-learn with {what} is not supported: {instead}")


def single_threaded(estimator: Any) -> Any:
    """A shallow copy that scores on one thread: scikit-learn adds trees in the order in which threads finish."""
    twin = copy.copy(estimator)
    if hasattr(twin, "n_jobs"):
        twin.n_jobs = 1
    # Rows are given as arrays; an estimator fitted on a frame would warn about that.
    twin.__dict__.pop("feature_names_in_", None)
    return twin


def class_metadata(classes: Any, rule: str) -> Dict[str, str]:
    """Metadata of a classifier's labels and of how one is chosen. Labels that JSON does not have are left out."""
    try:
        return {"class_labels": json.dumps(plain_list(classes)), "class_rule": rule}
    except (TypeError, ValueError):
        return {}


def plain_list(classes: Any) -> List[Any]:
    """Labels as JSON has them; TypeError for dates, of which NumPy would make numbers of nanoseconds."""
    labels = np.asarray(classes)
    if labels.dtype.kind in "mM":
        raise TypeError(f"JSON has no {labels.dtype}")
    return labels.tolist()


def float_below(thresholds: np.ndarray) -> np.ndarray:
    """The largest float at most each double: `x <= t` is the same for every float x, and t need not be a double."""
    with np.errstate(over="ignore"):
        narrow = thresholds.astype(np.float32)
    above = narrow > thresholds
    narrow[above] = np.nextafter(narrow[above], np.float32(-np.inf))
    return narrow.astype(np.float64)
