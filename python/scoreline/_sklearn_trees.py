"""What each kind of scikit-learn's tree ensembles computes, in terms of Scoreline's contract.

Comes in: a fitted estimator. Goes out: an ``Ensemble``. The semantics were read in scikit-learn 1.9 and are told in
docs/numerics.md; the estimator's own answers to the golden rows are the check that this version still computes that.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import numpy as np

from ._sklearn_ensemble import Ensemble, class_metadata, float_below, plain_list, single_threaded, unsupported

# Values are cast to float and compared with double thresholds, leaves are added in double.
TREES = {"compare": "f32", "sum": "f64"}
AVERAGED = {**TREES, "base_position": "last", "average": "margin", "trees_per_iteration": 1}
# A tree's answer is its leaf: -0.0 + x is x, -0.0 too.
_ALONE = {**TREES, "base": -0.0, "trees_per_iteration": 1}


def tree_arguments(tree: Any, features: Optional[np.ndarray] = None) -> Dict[str, Any]:
    """Keywords of add_tree() but for the leaves. `features`: numbers of the columns that the tree was given."""
    numbers = np.maximum(tree.feature, 0)
    return {
        "left": tree.children_left,
        "right": tree.children_right,
        "feature": numbers if features is None else np.asarray(features)[numbers],
        "value": float_below(tree.threshold),
        "missing_left": tree.missing_go_to_left,
        "covers": tree.weighted_n_node_samples,
    }


def with_leaves(arguments: Dict[str, Any], leaves: np.ndarray, output: int = 0) -> Dict[str, Any]:
    """The keywords with the values of leaves, [nodes] or [nodes, n_outputs]."""
    if leaves.ndim == 2 and leaves.shape[1] > 1:
        return {**arguments, "vectors": leaves}
    arguments["value"] = np.where(arguments["left"] < 0, leaves.reshape(-1), arguments["value"])
    return {**arguments, "output": output}


def allows_missing(estimator: Any) -> bool:
    return bool(estimator.__sklearn_tags__().input_tags.allow_nan)


# ---- single trees and forests ----------------------------------------------------------------------------------------


def is_classifier(estimator: Any) -> bool:
    return hasattr(estimator, "classes_")


def leaf_values(estimator: Any) -> np.ndarray:
    """[nodes, values]: what the tree answers in each node; of several targets one after the other."""
    value = estimator.tree_.value
    if not is_classifier(estimator):
        return value[:, :, 0]
    counts = np.atleast_1d(estimator.n_classes_)
    return np.concatenate([value[:, k, :n] for k, n in enumerate(counts)], axis=1)


def _joined(answer: Any) -> np.ndarray:
    """Probabilities of several targets beside each other."""
    return np.concatenate(answer, axis=1) if isinstance(answer, list) else answer


def _trees_of(estimators: Sequence[Any]) -> Iterator[Dict[str, Any]]:
    for one in estimators:
        yield with_leaves(tree_arguments(one.tree_), leaf_values(one))


def _classes_of(estimator: Any) -> Dict[str, str]:
    if not is_classifier(estimator):
        return {}
    if estimator.n_outputs_ > 1:
        return class_metadata_of_targets(estimator.classes_)
    # One class alone: nothing is above 1, so the answer is always class 0.
    return class_metadata(estimator.classes_, "largest margin" if len(estimator.classes_) > 1 else "margin > 1")


def class_metadata_of_targets(classes: Sequence[Any]) -> Dict[str, str]:
    import json

    try:
        return {"class_labels.by_target": json.dumps([plain_list(one) for one in classes])}
    except (TypeError, ValueError):
        return {}


def _averaged(estimator: Any, estimators: Sequence[Any], contract: Dict[str, Any]) -> Ensemble:
    twin = single_threaded(estimator)
    answer: Callable = twin.predict_proba if is_classifier(estimator) else twin.predict
    n_outputs = (
        int(np.sum(estimator.n_classes_)) if is_classifier(estimator) else int(getattr(estimator, "n_outputs_", 1))
    )
    return Ensemble(
        n_features=estimator.n_features_in_,
        n_outputs=n_outputs,
        contract=contract,
        trees=_trees_of(estimators),
        margins=lambda rows: _joined(answer(rows)),
        takes_missing=allows_missing(estimator),
        metadata=_classes_of(estimator),
    )


def _of_tree(estimator: Any) -> Ensemble:
    return _averaged(estimator, [estimator], _ALONE)


def _of_forest(estimator: Any) -> Ensemble:
    return _averaged(estimator, estimator.estimators_, AVERAGED)


# ---- gradient boosting -----------------------------------------------------------------------------------------------


def _constant_init(estimator: Any) -> np.ndarray:
    """Margins before the first tree, which scikit-learn asks another estimator for."""
    init = estimator.init_
    if isinstance(init, str):
        return np.zeros(estimator.n_trees_per_iteration_)
    module, name = type(init).__module__, type(init).__name__
    is_random = name == "DummyClassifier" and init.strategy in ("stratified", "uniform")
    if module.partition(".")[0] != "sklearn" or name not in ("DummyClassifier", "DummyRegressor") or is_random:
        raise unsupported(
            estimator,
            f"init={init!r}",
            "its margins would begin at another model's answers. Train with init=None or init='zero'",
        )
    return estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), dtype=np.float32))[0]


def _boosted_trees(estimator: Any) -> Iterator[Dict[str, Any]]:
    for stage in estimator.estimators_:
        for k, one in enumerate(stage):
            # The same product that scikit-learn rounds before it adds.
            yield with_leaves(tree_arguments(one.tree_), estimator.learning_rate * one.tree_.value[:, :, 0], k)


def _of_gradient_boosting(estimator: Any) -> Ensemble:
    twin = single_threaded(estimator)
    n_outputs = estimator.estimators_.shape[1]
    contract = {**TREES, "base": _constant_init(estimator), "trees_per_iteration": n_outputs}
    metadata: Dict[str, str] = {}
    if is_classifier(estimator):
        contract["link"] = "binary_pair" if n_outputs == 1 else "softmax"
        if estimator.loss == "exponential":
            contract["link_parameter"] = 2.0
        rule = "margin >= 0" if n_outputs == 1 else "largest margin"
        metadata = class_metadata(estimator.classes_, rule)
    return Ensemble(
        n_features=estimator.n_features_in_,
        n_outputs=n_outputs,
        contract=contract,
        trees=_boosted_trees(estimator),
        margins=lambda rows: twin._raw_predict(rows.astype(np.float32)),
        takes_missing=False,
        metadata=metadata,
    )


KINDS: Dict[str, Callable[[Any], Ensemble]] = {
    **{
        prefix + suffix: _of_tree
        for prefix in ("DecisionTree", "ExtraTree")
        for suffix in ("Regressor", "Classifier")
    },
    **{
        prefix + suffix: _of_forest
        for prefix in ("RandomForest", "ExtraTrees")
        for suffix in ("Regressor", "Classifier")
    },
    "GradientBoostingRegressor": _of_gradient_boosting,
    "GradientBoostingClassifier": _of_gradient_boosting,
}
