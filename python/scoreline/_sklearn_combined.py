"""Ensembles of scikit-learn that combine trees in ways of their own: isolation forests, bagging, boosting by votes.

Comes in: a fitted estimator. Goes out: an ``Ensemble``. What adds up the leaves of trees is one sum per output; what combines
the answers of ensembles has a part for each (``_sklearn_parts``).
"""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterator, Sequence

import numpy as np

from ._sklearn_ensemble import Ensemble, class_metadata, require_fitted, single_threaded, unsupported
from ._sklearn_parts import Combined, combined, part_of, votes_of
from ._sklearn_trees import AVERAGED, TREES, allows_missing, is_classifier, leaf_values, tree_arguments, with_leaves


def _is_tree(estimator: Any) -> bool:
    """A lone tree that answers what its leaves say. A class made of one may answer otherwise; golden rows tell."""
    return hasattr(estimator, "tree_")


def _require_trees(estimator: Any, parts: Sequence[Any]) -> None:
    for part in parts:
        if not _is_tree(part):
            raise unsupported(
                estimator,
                f"{type(part).__name__} as its estimator",
                "it adds up answers, each of which is a sum of its own. Use DecisionTree or ExtraTree estimators, "
                "or convert the parts one by one",
            )


# ---- isolation forests -----------------------------------------------------------------------------------------------


def _isolation_trees(estimator: Any) -> Iterator[Dict[str, Any]]:
    for t, (one, features) in enumerate(zip(estimator.estimators_, estimator.estimators_features_)):
        depths = estimator._decision_path_lengths[t] + estimator._average_path_length_per_tree[t] - 1.0
        yield with_leaves(tree_arguments(one.tree_, features), np.asarray(depths, dtype=np.float64))


def _isolation_depths(estimator: Any, rows: np.ndarray) -> np.ndarray:
    """The sum that scikit-learn turns into a score, by its own trees, in its own order."""
    rows = rows.astype(np.float32)
    depths = np.zeros(len(rows))
    for t, (one, features) in enumerate(zip(estimator.estimators_, estimator.estimators_features_)):
        leaves = one.tree_.apply(np.ascontiguousarray(rows[:, features]))
        depths += estimator._decision_path_lengths[t][leaves] + estimator._average_path_length_per_tree[t][leaves] - 1.0
    return depths


def _path_length(n: int) -> float:
    """Average path length of an isolation tree over n rows, as scikit-learn computes it."""
    if n <= 1:
        return 0.0
    if n == 2:
        return 1.0
    return float(2.0 * (np.log(n - 1.0) + np.euler_gamma) - 2.0 * (n - 1.0) / n)


def _least_inlier(divisor: float, offset: float) -> float:
    """The smallest margin whose score is no outlier's, by NumPy's own power: where the offset is a training row's score,
    as with a contamination, the last place decides."""

    def is_inlier(bits: int) -> bool:
        margin = np.full(64, bits, dtype=np.int64).view(np.float64)
        return bool((-(2 ** (-(margin / divisor))) - offset >= 0)[0])

    low, high = -1, int(np.float64(np.inf).view(np.int64))  # bits of doubles from zero on stand in their order
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_inlier(middle) else (middle, high)
    return float(np.int64(high).view(np.float64))


def _of_isolation_forest(estimator: Any) -> Ensemble:
    divisor = len(estimator.estimators_) * _path_length(estimator._max_samples)
    # Trees of a single row have no depth; the score is then -2^-1.
    base, parameter = (0.0, divisor) if divisor else (1.0, 1.0)
    return Ensemble(
        n_features=estimator.n_features_in_,
        n_outputs=1,
        contract={**TREES, "base": base, "link": "isolation", "link_parameter": parameter},
        trees=_isolation_trees(estimator),
        margins=lambda rows: base + _isolation_depths(estimator, rows),
        takes_infinite=True,
        metadata={
            "offset": repr(float(estimator.offset_)),
            **class_metadata([-1, 1], f"margin >= {_least_inlier(parameter, float(estimator.offset_))!r}"),
        },
    )


# ---- bagging ---------------------------------------------------------------------------------------------------------


def _bagged_trees(estimator: Any, n_outputs: int) -> Iterator[Dict[str, Any]]:
    for one, features in zip(estimator.estimators_, estimator.estimators_features_):
        leaves = leaf_values(one)
        if is_classifier(one) and len(one.classes_) != n_outputs:
            scattered = np.zeros((len(leaves), n_outputs))
            scattered[:, one.classes_] = leaves
            leaves = scattered
        yield with_leaves(tree_arguments(one.tree_, features), leaves)


def _ensemble_inside(one: Any, who: Any) -> Ensemble:
    """An ensemble among the parts of another estimator."""
    from . import _sklearn

    if not any(kind.__name__ in _sklearn.SUPPORTED for kind in type(one).__mro__):
        raise unsupported(
            who, f"{type(one).__name__} as a part", "parts must be ensembles of trees that are converted by themselves"
        )
    require_fitted(one)
    return _sklearn.SUPPORTED[next(kind.__name__ for kind in type(one).__mro__ if kind.__name__ in _sklearn.SUPPORTED)](one)


def _largest_margin(n: int) -> str:
    """The rule of the largest of `n` probabilities; of one, which is never above 1, the only class."""
    return "largest margin" if n > 1 else "margin > 1"


def _refuse_single_class(estimator: Any) -> None:
    if is_classifier(estimator) and len(estimator.classes_) == 1:
        raise unsupported(estimator, "a single class", "its answer is that class")


def _of_bagged_ensembles(estimator: Any) -> Combined:
    _refuse_single_class(estimator)
    parts = []
    for one, features in zip(estimator.estimators_, estimator.estimators_features_):
        part = part_of(one, _ensemble_inside(one, estimator), estimator)
        part.features = np.asarray(features)
        if is_classifier(estimator):
            part.keywords["columns"] = one.classes_
        parts.append(part)
    twin = single_threaded(estimator)
    if is_classifier(estimator):
        n, answer = len(estimator.classes_), twin.predict_proba
        metadata = class_metadata(estimator.classes_, "largest prediction")
    else:
        n, answer, metadata = parts[0].ensemble.n_outputs, twin.predict, {}
    return combined(estimator, parts, ("sum", n, float(len(parts))), answer, metadata)


def _of_bagging(estimator: Any) -> Ensemble:
    if not all(_is_tree(one) for one in estimator.estimators_):
        return _of_bagged_ensembles(estimator)
    twin = single_threaded(estimator)
    metadata: Dict[str, str] = {}
    answer, n_outputs = twin.predict, estimator.estimators_[0].n_outputs_
    if is_classifier(estimator):
        answer, n_outputs = twin.predict_proba, len(estimator.classes_)
        metadata = class_metadata(estimator.classes_, _largest_margin(n_outputs))
    return Ensemble(
        n_features=estimator.n_features_in_,
        n_outputs=n_outputs,
        contract=AVERAGED,
        trees=_bagged_trees(estimator, n_outputs),
        margins=answer,
        takes_missing=allows_missing(estimator.estimators_[0]),
        metadata=metadata,
    )


# ---- AdaBoost --------------------------------------------------------------------------------------------------------


def _votes(estimator: Any) -> Iterator[Dict[str, Any]]:
    """Each tree says a class; the class gets the tree's weight, the others its share with the other sign."""
    n_classes = estimator.n_classes_
    for one, weight in zip(estimator.estimators_, estimator.estimator_weights_):
        said = one.classes_[np.argmax(leaf_values(one), axis=1)]
        votes = np.where(said[:, None] == estimator.classes_, weight, -1 / (n_classes - 1) * weight)
        # Of two classes only the second is kept: the first has the same sum with the other sign.
        yield with_leaves(tree_arguments(one.tree_), votes if n_classes > 2 else votes[:, 1])


def _of_adaboost_classifier(estimator: Any) -> Ensemble:
    _require_trees(estimator, estimator.estimators_)
    _refuse_single_class(estimator)
    n_classes = estimator.n_classes_
    twin = single_threaded(estimator)
    total = float(estimator.estimator_weights_.sum())
    return Ensemble(
        n_features=estimator.n_features_in_,
        n_outputs=1 if n_classes == 2 else n_classes,
        contract={
            **TREES,
            "trees_per_iteration": 1,
            "base_position": "last",
            "average": "scale",
            # Of two classes, scikit-learn adds twice the same quotient.
            "scale": total / 2 if n_classes == 2 else total,
            "link": "softmax_pair" if n_classes == 2 else "softmax",
            "link_parameter": 0.5 if n_classes == 2 else 1 / (n_classes - 1),
        },
        trees=_votes(estimator),
        margins=twin.decision_function,
        takes_missing=False,
        metadata=class_metadata(estimator.classes_, "margin > 0" if n_classes == 2 else "largest margin"),
    )


def _of_adaboost_regressor(estimator: Any) -> Combined:
    """The weighted median of what the regressors answer."""
    parts = []
    for one, weight in zip(estimator.estimators_, estimator.estimator_weights_):
        parts.append(part_of(one, _ensemble_inside(one, estimator), estimator, weight=float(weight)))
    return combined(estimator, parts, ("median", 1, 0.0), single_threaded(estimator).predict, {})


# ---- votes -----------------------------------------------------------------------------------------------------------


def _voters(estimator: Any, factors: np.ndarray) -> list:
    return [
        part_of(one, _ensemble_inside(one, estimator), estimator, weight=float(factor))
        for one, factor in zip(estimator.estimators_, factors)
    ]


def _of_hard_votes(estimator: Any, factors: np.ndarray) -> Combined:
    """The weight of the votes for each class is the prediction."""
    _refuse_single_class(estimator)
    parts = [votes_of(part, one, estimator) for part, one in zip(_voters(estimator, factors), estimator.estimators_)]
    n, twin = len(estimator.classes_), single_threaded(estimator)

    def votes(rows: np.ndarray) -> np.ndarray:
        said = np.column_stack([one.predict(rows) for one in twin.estimators_])
        return np.array([np.bincount(row, weights=factors, minlength=n) for row in said])

    metadata = class_metadata(estimator.classes_, "largest prediction")
    return combined(estimator, parts, ("sum", n, 0.0), votes, metadata)


def _of_voting_ensembles(estimator: Any, factors: np.ndarray) -> Combined:
    _refuse_single_class(estimator)
    twin = single_threaded(estimator)
    twin.estimators_ = [single_threaded(part) for part in estimator.estimators_]
    soft = is_classifier(estimator)
    return combined(
        estimator,
        _voters(estimator, factors),
        ("sum", len(estimator.classes_) if soft else 1, float(factors.sum())),
        twin.predict_proba if soft else twin.predict,
        class_metadata(estimator.classes_, "largest prediction") if soft else {},
    )


def _of_voting(estimator: Any) -> Ensemble:
    parts = estimator.estimators_
    weights = estimator._weights_not_none
    factors = np.ones(len(parts)) if weights is None else np.asarray(weights, dtype=np.float64)
    if getattr(estimator, "voting", "soft") == "hard":
        return _of_hard_votes(estimator, factors)
    if not all(_is_tree(one) for one in parts):
        return _of_voting_ensembles(estimator, factors)
    total = np.average(np.zeros((1, len(parts))), axis=1, weights=factors, returned=True)[1][0]
    twin = single_threaded(estimator)
    twin.estimators_ = [single_threaded(part) for part in parts]
    is_soft = is_classifier(estimator)
    n_outputs = len(estimator.classes_) if is_soft else 1
    return Ensemble(
        n_features=estimator.n_features_in_,
        n_outputs=n_outputs,
        contract={
            **TREES,
            "trees_per_iteration": 1,
            "base_position": "last",
            "average": "scale",
            "scale": float(total),
        },
        trees=(
            with_leaves(tree_arguments(part.tree_), factor * leaf_values(part)) for part, factor in zip(parts, factors)
        ),
        margins=twin.predict_proba if is_soft else twin.predict,
        takes_missing=all(allows_missing(part) for part in parts),
        metadata=class_metadata(estimator.classes_, _largest_margin(n_outputs)) if is_soft else {},
    )


# ---- what is refused -------------------------------------------------------------------------------------------------


def _refuse(what: str, instead: str) -> Callable[[Any], Ensemble]:
    def refuse(estimator: Any) -> Ensemble:
        raise unsupported(estimator, what, instead)

    return refuse


KINDS: Dict[str, Callable[[Any], Ensemble]] = {
    "IsolationForest": _of_isolation_forest,
    "BaggingRegressor": _of_bagging,
    "BaggingClassifier": _of_bagging,
    "AdaBoostClassifier": _of_adaboost_classifier,
    "AdaBoostRegressor": _of_adaboost_regressor,
    "VotingRegressor": _of_voting,
    "VotingClassifier": _of_voting,
}
REFUSED: Dict[str, Callable[[Any], Ensemble]] = {
    "StackingRegressor": _refuse("a model over the answers of other models", "convert the parts one by one"),
    "StackingClassifier": _refuse("a model over the answers of other models", "convert the parts one by one"),
    "RandomTreesEmbedding": _refuse("leaves as its answer", "convert a forest and ask for the output 'leaf'"),
    "BaseForest": _refuse("an answer of its own", "scikit-learn's own forests are supported"),
    "BaseDecisionTree": _refuse("an answer of its own", "scikit-learn's own trees are supported"),
}
