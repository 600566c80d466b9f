"""Models of scikit-learn that combine the answers of other models: voting, bagging over ensembles, AdaBoost's median and
calibrated classifiers, as parts of one model.

Comes in: ensembles or linear models that were read already, and how their answers are combined. Goes out: an ``Ensemble``
whose trees belong to parts, each with outputs of its own, or what a linear model's Builder must be told.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ._build import Builder, Step
from ._errors import UnsupportedError
from ._sklearn_ensemble import Ensemble, unsupported

MOST_OUTPUTS = 64  # of a model of parts
_VOTES = {"largest margin": "largest", "margin > 0": "above", "margin >= 0": "at_least"}


@dataclass
class Part:
    """One ensemble among several. `keywords` are those of Builder.add_part() beyond what the ensemble's contract says."""

    ensemble: Ensemble
    features: Optional[np.ndarray] = None  # the columns that the part is given; None: all
    keywords: Dict[str, Any] = field(default_factory=dict)
    only_output: Optional[int] = None  # of the ensemble's outputs, where the answer is made of one


@dataclass
class Combined(Ensemble):
    """Parts and their combination. There are no margins that scikit-learn itself gives: predictions are compared."""

    parts: List[Part] = field(default_factory=list)
    combination: Tuple[str, int, float] = ("sum", 1, 0.0)  # how, number of predictions, total
    predictions: Callable[[np.ndarray], np.ndarray] = field(default=lambda rows: np.empty(0))

    def add_to(self, builder: Builder, columns: Optional[Sequence[int]] = None) -> None:
        numbers = np.arange(self.n_features) if columns is None else np.array(columns)
        placing = _Placing(builder, self.contract["compare"], numbers)
        first = 0
        for part in self.parts:
            part_first = first
            for tree in placing.trees(part, first, self.n_outputs, self.has_vectors):
                builder.add_tree(**tree)
            first += part.ensemble.n_outputs
            if part.only_output is not None:
                part_first += part.only_output
            n = part.ensemble.n_outputs if part.only_output is None else 1
            builder.add_part(part_first, n, **part.keywords)
        how, n_predictions, total = self.combination
        builder.combine(how, n_predictions, total=total)

    has_vectors: bool = False


class _Placing:
    """Trees of parts as trees of the whole: features by their column, leaves in the outputs of the part."""

    def __init__(self, builder: Builder, compare: str, numbers: np.ndarray):
        self._builder, self._compare, self._numbers = builder, compare, numbers
        self._narrow: Dict[int, int] = {}

    def _columns(self, part: Part) -> np.ndarray:
        chosen = self._numbers if part.features is None else self._numbers[part.features]
        if part.ensemble.contract["compare"] == self._compare:
            return chosen.copy()
        for number in chosen:  # a part that takes floats, beside one that takes doubles
            if number not in self._narrow:
                self._narrow[number] = self._builder.add_column(int(number), [Step("identity", f32=True)])
        return np.array([self._narrow[number] for number in chosen])

    def trees(self, part: Part, first: int, n_outputs: int, has_vectors: bool) -> Iterator[Dict[str, Any]]:
        numbers = self._columns(part)
        for feature, table in part.ensemble.tables.items():
            if table.is_text:
                raise UnsupportedError(
                    f"column {feature} holds categories that are strings, in a model that combines several: encode them by an "
                    "OrdinalEncoder first"
                )
            numbers[feature] = self._builder.add_column(int(numbers[feature]), [table.step()])
        for tree in part.ensemble.trees:
            tree["feature"] = numbers[tree["feature"]]
            if has_vectors:
                own = tree.pop("vectors", None)
                output = tree.pop("output", 0)
                wide = np.zeros((len(tree["left"]), n_outputs))
                if own is None:
                    wide[:, first + output] = tree["value"]
                else:
                    wide[:, first : first + own.shape[1]] = own
                tree["vectors"] = wide
            else:
                tree["output"] = first + tree.get("output", 0)
            yield tree


def part_of(estimator: Any, one: Ensemble, who: Any, **keywords: Any) -> Part:
    """The ensemble as a part: what its contract does after the trees becomes the part's. `who` combines it."""
    if isinstance(one, Combined):
        raise unsupported(who, f"{type(estimator).__name__} as a part", "convert the parts one by one: it combines others itself")
    one.trees = list(one.trees)
    contract = one.contract
    divisor = 1.0
    if contract.get("average") == "margin":
        divisor = float(len(one.trees) // contract.get("trees_per_iteration", one.n_outputs))
    elif contract.get("average") == "scale":
        divisor = float(contract["scale"])
    made = {"divisor": divisor, "link": contract.get("link", "identity"), "link_parameter": contract.get("link_parameter", 1.0)}
    return Part(one, keywords={**made, **keywords})


def votes_of(part: Part, estimator: Any, who: Any) -> Part:
    """The part, as the class that it says."""
    rule = part.ensemble.metadata.get("class_rule", "")
    if rule not in _VOTES:
        raise unsupported(who, f"{type(estimator).__name__} as a part", "its classes are none that a vote can count")
    part.keywords.update(link="identity", link_parameter=1.0, vote=_VOTES[rule])
    return part


def _allows_missing(estimator: Any) -> bool:
    return bool(estimator.__sklearn_tags__().input_tags.allow_nan)


def combined(
    who: Any, parts: Sequence[Part], combination: Tuple[str, int, float], predictions: Callable, metadata: Dict[str, str]
) -> Combined:
    """The parts as one ensemble over the columns of `who`."""
    n_outputs = sum(part.ensemble.n_outputs for part in parts)
    if n_outputs > MOST_OUTPUTS or len(parts) > MOST_OUTPUTS:
        raise unsupported(
            who, f"{len(parts)} parts of {n_outputs} outputs together",
            f"at most {MOST_OUTPUTS} are combined in one model. Train fewer, or convert the parts one by one",
        )
    is_wide = any(part.ensemble.contract["compare"] == "f64" for part in parts)
    has_vectors = any("vectors" in tree for part in parts for tree in part.ensemble.trees)
    base = [np.broadcast_to(part.ensemble.contract.get("base", 0.0), part.ensemble.n_outputs) for part in parts]
    return Combined(
        n_features=who.n_features_in_,
        n_outputs=n_outputs,
        contract={
            "compare": "f64" if is_wide else "f32", "sum": "f64", "base": np.concatenate(base), "trees_per_iteration": 1,
        },
        trees=(),
        margins=lambda rows: np.empty(0),
        takes_missing=_allows_missing(who) and all(part.ensemble.takes_missing for part in parts),
        takes_infinite=all(part.ensemble.takes_infinite for part in parts),
        metadata=metadata,
        parts=list(parts),
        combination=combination,
        predictions=predictions,
        has_vectors=has_vectors,
    )


# ---- calibration -------------------------------------------------------------------------------------------------------


def calibration_keywords(one: Any) -> Dict[str, Any]:
    """What the calibrators of one of CalibratedClassifierCV's classifiers do to its answers, one value per calibrator."""
    binary = len(one.classes) == 2
    if one.method == "sigmoid":
        return {
            "slopes": [-float(c.a_) for c in one.calibrators],
            "offsets": [-float(c.b_) for c in one.calibrators],
            "link": "binary_pair" if binary else "ovr_normalised",
            "link_parameter": 1.0,
        }
    return {
        "curves": [(c.X_thresholds_, c.y_thresholds_) for c in one.calibrators],
        "link": "complement" if binary else "normalised",
        "link_parameter": 1.0,
    }


def calibrated_ensemble(
    who: Any, calibrations: Sequence[Tuple[Any, Any]], ensemble_of: Callable, metadata: Dict[str, str], predictions: Callable
) -> Combined:
    """Ensembles behind calibrators. `calibrations` are pairs of a member of a CalibratedClassifierCV and what it calibrates."""
    parts = []
    for one, estimator in calibrations:
        if list(estimator.classes_) != list(one.classes):
            raise unsupported(who, "a classifier that was trained on some of the classes", "train with rows of every class")
        keywords = calibration_keywords(one)
        part = part_of(estimator, ensemble_of(estimator), who)
        if not hasattr(estimator, "decision_function") and len(one.classes) == 2:
            part.only_output = 1  # the second class's probability
            if part.ensemble.n_outputs != 2:
                raise unsupported(who, f"{type(estimator).__name__} inside", "its probabilities are no sums of trees")
        divisor = part.keywords["divisor"]
        part.keywords = {"divisor": divisor, **keywords}
        parts.append(part)
    n_classes = len(who.classes_)
    made = combined(calibrations[0][1], parts, ("sum", n_classes, float(len(parts))), predictions, metadata)
    # What calibrates asks nothing of the rows itself.
    made.takes_missing = all(part.ensemble.takes_missing for part in parts)
    return made


# ---- comparison --------------------------------------------------------------------------------------------------------


def differs(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Predictions of scikit-learn and of the model, to rounding: an exponential is NumPy's there."""
    theirs = np.asarray(theirs, np.float64)
    return not np.allclose(ours.reshape(theirs.shape), theirs, rtol=1e-12, atol=1e-15, equal_nan=True)
