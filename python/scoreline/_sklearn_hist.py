"""Histogram gradient boosting of scikit-learn.

Comes in: a fitted HistGradientBoostingRegressor or -Classifier. Goes out: an ``Ensemble``. Values are compared in double,
and NaN goes where each split says.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator

import numpy as np

from ._sklearn_ensemble import Ensemble, class_metadata, single_threaded, unsupported


def _trees(estimator: Any) -> Iterator[Dict[str, Any]]:
    for iteration in estimator._predictors:
        for k, predictor in enumerate(iteration):
            nodes = predictor.nodes
            is_leaf = nodes["is_leaf"].astype(bool)
            yield {
                "left": np.where(is_leaf, -1, nodes["left"].astype(np.int64)),
                "right": np.where(is_leaf, -1, nodes["right"].astype(np.int64)),
                "feature": np.where(is_leaf, 0, nodes["feature_idx"]),
                "value": np.where(is_leaf, nodes["value"], nodes["num_threshold"]),
                "missing_left": nodes["missing_go_to_left"],
                "covers": nodes["count"],
                "output": k,
            }


def _of_hist(estimator: Any) -> Ensemble:
    if getattr(estimator, "is_categorical_", None) is not None:
        raise unsupported(estimator, "categorical features", "train with categorical_features=None")
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
        margins=lambda rows: twin._raw_predict(rows, n_threads=1),
        takes_infinite=True,
        metadata=metadata,
    )


KINDS: Dict[str, Callable[[Any], Ensemble]] = {
    "HistGradientBoostingRegressor": _of_hist,
    "HistGradientBoostingClassifier": _of_hist,
}
