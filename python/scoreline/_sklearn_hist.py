"""Histogram gradient boosting of scikit-learn.

Comes in: a fitted HistGradientBoostingRegressor or -Classifier. Goes out: an ``Ensemble``. Values are compared in double,
and NaN goes where each split says. Trees ask for categories by their number in the order of the training data's categories,
and of columns in an order of their own: first those of categories.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Iterator, List, Sequence

import numpy as np

from ._sklearn_ensemble import Categories, Ensemble, class_metadata, single_threaded, unsupported


def _order(estimator: Any) -> np.ndarray:
    """Feature that stands in each column that trees are asked with."""
    is_category = estimator.is_categorical_
    if is_category is None:
        return np.arange(estimator.n_features_in_)
    return np.concatenate([np.flatnonzero(is_category), np.flatnonzero(~is_category)])


def _tables(estimator: Any) -> Dict[int, Categories]:
    if estimator.is_categorical_ is None:
        return {}
    encoder = estimator._preprocessor.named_transformers_["encoder"]
    tables = {}
    for feature, found in zip(np.flatnonzero(estimator.is_categorical_), encoder.categories_):
        values = [value.item() if isinstance(value, np.generic) else value for value in found]
        if values and isinstance(values[-1], float) and values[-1] != values[-1]:
            values.pop()  # NaN, which is missing and no category
        is_text = [isinstance(value, str) for value in values]
        if any(is_text) != all(is_text) or not all(isinstance(v, (str, bool, int, float)) for v in values):
            raise unsupported(
                estimator,
                f"the categories {found[:5]} of column {feature}",
                "categories must be all strings or all numbers, with NaN for missing ones",
            )
        tables[int(feature)] = Categories(values)
    return tables


def _members(bits: np.ndarray) -> List[int]:
    return np.flatnonzero(np.unpackbits(bits.view(np.uint8), bitorder="little")).tolist()


def _with_sets(tree: Dict[str, Any], predictor: Any) -> Dict[str, Any]:
    nodes = predictor.nodes
    by_category = (nodes["is_categorical"] != 0) & (nodes["is_leaf"] == 0)
    if by_category.any():
        # After the look-up there are only known categories and NaN, which the split sends to its side.
        tree["test"] = np.where(by_category, "in_left", "le").tolist()
        sets = predictor.raw_left_cat_bitsets
        tree["categories"] = {int(i): _members(sets[nodes["bitset_idx"][i]]) for i in np.flatnonzero(by_category)}
    return tree


def _trees(estimator: Any) -> Iterator[Dict[str, Any]]:
    order = _order(estimator)
    for iteration in estimator._predictors:
        for k, predictor in enumerate(iteration):
            nodes = predictor.nodes
            is_leaf = nodes["is_leaf"].astype(bool)
            tree = {
                "left": np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
                "right": np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
                "feature": order[np.where(is_leaf, 0, nodes["feature_idx"])],
                "value": np.where(is_leaf, nodes["value"], nodes["num_threshold"]),
                "missing_left": nodes["missing_go_to_left"],
                "covers": nodes["count"],
                "output": k,
            }
            yield _with_sets(tree, predictor)


def _text(codes: np.ndarray, values: Sequence[str]) -> np.ndarray:
    """Texts of codes; NaN where a code is none."""
    texts = np.array([*values, np.nan], dtype=object)
    places = np.full(len(codes), len(values))
    known = np.isin(codes, np.arange(len(values)))
    places[known] = codes[known]
    return texts[places]


def _asked(rows: np.ndarray, estimator: Any, tables: Dict[int, Categories]) -> Any:
    """Rows of numbers as the estimator takes them: text where it knows text, a frame if its columns have names."""
    if not tables:
        return rows
    columns = [_text(rows[:, i], tables[i].values) if i in tables and tables[i].is_text else rows[:, i]
               for i in range(rows.shape[1])]
    names = getattr(estimator, "feature_names_in_", None)
    pandas = sys.modules.get("pandas")
    if names is not None and pandas is not None:
        return pandas.DataFrame(dict(zip(names, columns)))
    if any(table.is_text for table in tables.values()):
        return np.column_stack([column.astype(object) for column in columns])
    return rows


def _of_hist(estimator: Any) -> Ensemble:
    tables = _tables(estimator)
    twin = single_threaded(estimator)
    n_outputs = estimator.n_trees_per_iteration_
    contract = {
        "compare": "f64",
        "sum": "f64",
        "base": estimator._baseline_prediction.reshape(-1),
        "trees_per_iteration": n_outputs,
    }
    metadata: Dict[str, str] = {}
    if hasattr(estimator, "classes_"):
        contract["link"] = "binary_pair" if n_outputs == 1 else "softmax"
        metadata = class_metadata(estimator.classes_, "margin > 0" if n_outputs == 1 else "largest margin")
    elif type(estimator._loss.link).__name__ == "LogLink":
        contract["link"] = "exp"
    elif type(estimator._loss.link).__name__ != "IdentityLink":
        raise unsupported(estimator, f"the link {type(estimator._loss.link).__name__}", "train with another loss")
    return Ensemble(
        n_features=estimator.n_features_in_,
        n_outputs=n_outputs,
        contract=contract,
        trees=_trees(estimator),
        margins=lambda rows: twin._raw_predict(_asked(rows, estimator, tables), n_threads=1),
        takes_infinite=True,
        metadata=metadata,
        tables=tables,
    )


KINDS: Dict[str, Callable[[Any], Ensemble]] = {
    "HistGradientBoostingRegressor": _of_hist,
    "HistGradientBoostingClassifier": _of_hist,
}
