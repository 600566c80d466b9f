"""Linear models of scikit-learn, from fitted estimators.

Comes in: an estimator of scikit-learn's linear family. Goes out: a ``Linear``: its weights, bias and link as arrays, and
how to ask the estimator itself. ``build()`` makes a Model of it and compares the two.

scikit-learn sums products by a BLAS, whose order differs from machine to machine: margins agree to rounding, not to the
bit. Scoreline's own bits are fixed: features in ascending order, then the bias, in double.
"""

from __future__ import annotations

import copy
import math
import sys
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ._build import Builder
from ._errors import UnsupportedError, VerifyError
from ._model import Model
from ._sklearn_ensemble import class_metadata

_REGRESSORS = (
    "LinearRegression",
    "Ridge",
    "RidgeCV",
    "Lasso",
    "LassoCV",
    "ElasticNet",
    "ElasticNetCV",
    "MultiTaskLasso",
    "MultiTaskLassoCV",
    "MultiTaskElasticNet",
    "MultiTaskElasticNetCV",
    "Lars",
    "LarsCV",
    "LassoLars",
    "LassoLarsCV",
    "LassoLarsIC",
    "OrthogonalMatchingPursuit",
    "OrthogonalMatchingPursuitCV",
    "BayesianRidge",
    "ARDRegression",
    "HuberRegressor",
    "TheilSenRegressor",
    "SGDRegressor",
    "PassiveAggressiveRegressor",
    "LinearSVR",
    "QuantileRegressor",
)


class Linear(NamedTuple):
    """What a fitted linear estimator computes: link(X @ weights + bias)."""

    name: str
    weights: np.ndarray  # [n_features, n_outputs]
    bias: np.ndarray  # [n_outputs]
    links: Tuple[str, ...]  # one of them, the first that answers as the estimator does
    margins_of: Callable[[Any], np.ndarray]
    predictions_of: Callable[[Any], np.ndarray]
    rounding: float  # relative difference that the estimator's own arithmetic allows
    names: Optional[Sequence[str]] = None
    classes: Dict[str, str] = {}  # metadata of a classifier
    finish: Optional[Callable[[Builder], Any]] = None  # tells a builder about parts, instead of a link

    @property
    def n_outputs(self) -> int:
        return self.weights.shape[1]


def linear_of(estimator: Any) -> Linear:
    """Raises UnsupportedError for a form that has no margins of this kind, ValueError if it is not fitted."""
    for kind in type(estimator).__mro__:
        reader = READERS.get(kind.__name__) if kind.__module__.partition(".")[0] == "sklearn" else None
        if reader is not None:
            return reader(estimator)
    raise UnsupportedError(
        f"{type(estimator).__name__} is no linear model of scikit-learn that is supported: expected one of "
        f"{', '.join(READERS)}"
    )


# ---- one reader per kind -------------------------------------------------------------------------------------------


def _regressor(estimator: Any) -> Linear:
    return _linear(estimator, ("identity",), estimator.predict, estimator.predict)


def _log_link(estimator: Any) -> Linear:
    def margins_of(rows: Any) -> np.ndarray:
        return np.log(estimator.predict(rows))

    return _linear(estimator, ("exp",), margins_of, estimator.predict)


def _tweedie(estimator: Any) -> Linear:
    link = estimator.link if estimator.link != "auto" else "identity" if estimator.power <= 0 else "log"
    return _log_link(estimator) if link == "log" else _regressor(estimator)


def _logistic(estimator: Any) -> Linear:
    # Which link a release uses depends on its solver and parameters: predict_proba() decides.
    binary = len(_fitted(estimator).classes_) == 2
    links = ("binary_pair", "softmax_pair") if binary else ("softmax", "ovr_normalised")
    return _classifier(estimator, links, estimator.predict_proba)


def _sgd(estimator: Any) -> Linear:
    binary = len(_fitted(estimator).classes_) == 2
    if estimator.loss == "log_loss":
        return _classifier(estimator, ("binary_pair" if binary else "ovr_normalised",), estimator.predict_proba)
    if estimator.loss == "modified_huber":
        return _classifier(estimator, ("modified_huber",), estimator.predict_proba)
    return _decision(estimator)


def _decision(estimator: Any) -> Linear:
    """A classifier without probabilities: the prediction is the number of the class."""
    _fitted(estimator)
    if _is_multilabel(getattr(estimator, "_label_binarizer", None)):
        return _classifier(estimator, ("hinge",), estimator.predict, multilabel=True)
    links = ("hinge" if len(estimator.classes_) == 2 else "argmax",)
    return _classifier(estimator, links, _numbers_of(estimator))


def _one_vs_rest(estimator: Any) -> Linear:
    """One binary classifier per class or label, each of them linear."""
    parts = []
    for number, one in enumerate(_fitted(estimator, "estimators_").estimators_):
        if type(one).__name__ == "_ConstantPredictor":
            label = np.asarray(estimator.classes_)[number].item()
            raise UnsupportedError(
                f"OneVsRestClassifier: class {label!r} is absent from, or alone in, the training data, so that its "
                "answer is a constant: train with rows of every class"
            )
        parts.append(linear_of(one))
    link = parts[0].links[0]
    if link == "modified_huber" and len(parts) > 1:
        raise UnsupportedError(
            "OneVsRestClassifier over SGDClassifier(loss='modified_huber') is not supported: SGDClassifier alone does "
            "the same for several classes"
        )
    multilabel = _is_multilabel(estimator.label_binarizer_)
    has_probability = link in ("binary_pair", "softmax_pair", "modified_huber")
    if len(parts) == 1 and not multilabel:
        links = (link,)
    elif has_probability:
        links = ("sigmoid" if multilabel else "ovr_normalised",)
    else:
        links = ("hinge" if multilabel else "argmax",)
    return Linear(
        type(estimator).__name__,
        np.hstack([part.weights for part in parts]),
        np.concatenate([part.bias for part in parts]),
        links,
        estimator.decision_function,
        estimator.predict_proba if has_probability else estimator.predict if multilabel else _numbers_of(estimator),
        max(part.rounding for part in parts),
        getattr(estimator, "feature_names_in_", None),
        _class_metadata(estimator, len(parts), multilabel),
    )


def _numbers_of(estimator: Any) -> Callable[[Any], np.ndarray]:
    """Predicted classes as numbers."""
    classes = np.asarray(estimator.classes_)
    return lambda rows: np.searchsorted(classes, estimator.predict(rows))


def calibrated(calibration: Any, estimator: Any) -> Linear:
    """A linear classifier whose margins go through a sigmoid each: slopes and places of the sigmoids join the weights.
    `calibration` is the only one of a CalibratedClassifierCV, `estimator` what it calibrates."""
    base = linear_of(estimator)
    if list(estimator.classes_) != list(calibration.classes) or not hasattr(estimator, "decision_function"):
        raise UnsupportedError(
            f"CalibratedClassifierCV over {base.name} is not supported in this form: expected a linear classifier that "
            "was trained on all classes"
        )
    slopes = np.array([-float(one.a_) for one in calibration.calibrators])
    places = np.array([-float(one.b_) for one in calibration.calibrators])
    alone = copy.copy(calibration)
    alone.estimator = estimator  # without the steps of a pipeline before it

    def margins_of(rows: Any) -> np.ndarray:
        margins = np.asarray(estimator.decision_function(rows)).reshape(-1, len(slopes))
        return slopes * margins + places

    binary = len(slopes) == 1
    return base._replace(
        name="CalibratedClassifierCV",
        weights=base.weights * slopes,
        bias=base.bias * slopes + places,
        links=("binary_pair" if binary else "ovr_normalised",),
        margins_of=margins_of,
        predictions_of=alone.predict_proba,
        classes=class_metadata(calibration.classes, "margin > 0" if binary else "largest prediction"),
    )


def calibrated_parts(calibrations: Sequence[Tuple[Any, Any]], classes: Any, keywords_of: Callable) -> Linear:
    """Linear classifiers behind calibrators that are no sigmoids, or several of them: a part for each. `calibrations` are
    pairs of a member of a CalibratedClassifierCV and what it calibrates, `keywords_of` gives those of Builder.add_part()."""
    bases = [linear_of(estimator) for _, estimator in calibrations]
    for (one, estimator), base in zip(calibrations, bases):
        if list(estimator.classes_) != list(one.classes) or base.n_outputs != len(one.calibrators):
            raise UnsupportedError(
                f"CalibratedClassifierCV over {base.name} is not supported in this form: expected linear classifiers that "
                "were trained on all classes, with a decision_function()"
            )

    def margins_of(rows: Any) -> np.ndarray:
        return np.hstack([np.asarray(e.decision_function(rows)).reshape(len(rows), -1) for _, e in calibrations])

    def finish(builder: Builder) -> None:
        first = 0
        for (one, _), base in zip(calibrations, bases):
            builder.add_part(first, base.n_outputs, **keywords_of(one))
            first += base.n_outputs
        builder.combine("sum", len(classes), total=float(len(bases)))

    return bases[0]._replace(
        name="CalibratedClassifierCV",
        weights=np.hstack([base.weights for base in bases]),
        bias=np.concatenate([base.bias for base in bases]),
        links=("identity",),
        margins_of=margins_of,
        predictions_of=mean_of(calibrations),
        rounding=max(base.rounding for base in bases),
        classes=class_metadata(classes, "largest prediction"),
        finish=finish,
    )


def mean_of(calibrations: Sequence[Tuple[Any, Any]]) -> Callable[[Any], np.ndarray]:
    """The mean of calibrated probabilities, without the steps of pipelines before the classifiers."""
    alone = []
    for one, estimator in calibrations:
        alone.append(copy.copy(one))
        alone[-1].estimator = estimator

    def predictions(rows: Any) -> np.ndarray:
        total: Any = 0.0
        for one in alone:
            total = total + one.predict_proba(rows)
        return total / len(alone)

    return predictions


def _class_metadata(estimator: Any, n_outputs: int, multilabel: bool) -> Dict[str, str]:
    if multilabel:  # 0 or 1 per label
        return {"class_rule": "margin > 0"}
    return class_metadata(estimator.classes_, "margin > 0" if n_outputs == 1 else "largest margin")


def _is_multilabel(binarizer: Any) -> bool:
    return getattr(binarizer, "y_type_", "").startswith("multilabel")


READERS: Dict[str, Callable[[Any], Linear]] = {
    **{name: _regressor for name in _REGRESSORS},
    "PoissonRegressor": _log_link,
    "GammaRegressor": _log_link,
    "TweedieRegressor": _tweedie,
    "LogisticRegression": _logistic,
    "LogisticRegressionCV": _logistic,
    "LinearDiscriminantAnalysis": _logistic,
    "SGDClassifier": _sgd,
    "LinearSVC": _decision,
    "Perceptron": _decision,
    "PassiveAggressiveClassifier": _decision,
    "RidgeClassifier": _decision,
    "RidgeClassifierCV": _decision,
    "OneVsRestClassifier": _one_vs_rest,
}


# ---- what they share -----------------------------------------------------------------------------------------------


def _fitted(estimator: Any, attribute: str = "coef_") -> Any:
    if not hasattr(estimator, attribute):
        raise ValueError(f"this {type(estimator).__name__} is not fitted yet: call fit() first")
    return estimator


def _classifier(estimator: Any, links: Tuple[str, ...], predictions_of: Callable, multilabel: bool = False) -> Linear:
    if not multilabel and len(estimator.classes_) < 2:
        raise UnsupportedError(f"{type(estimator).__name__} of a single class is not supported: its answer is that class")
    found = _linear(estimator, links, estimator.decision_function, predictions_of)
    return found._replace(classes=_class_metadata(estimator, found.n_outputs, multilabel))


def _linear(estimator: Any, links: Tuple[str, ...], margins_of: Callable, predictions_of: Callable) -> Linear:
    coefficients = _fitted(estimator).coef_
    if hasattr(coefficients, "toarray"):
        coefficients = coefficients.toarray()
    weights = np.atleast_2d(np.asarray(coefficients))
    bias = np.asarray(estimator.intercept_, dtype=np.float64).reshape(-1)
    return Linear(
        type(estimator).__name__,
        weights.T.astype(np.float64),
        np.broadcast_to(bias, (len(weights),)),
        links,
        margins_of,
        predictions_of,
        1e-9 if weights.dtype == np.float64 else 1e-4,
        getattr(estimator, "feature_names_in_", None),
    )


def metadata_of(linear: Linear) -> Dict[str, str]:
    return {
        "source.library": "scikit-learn",
        "source.version": getattr(sys.modules.get("sklearn"), "__version__", ""),
        "objective": linear.name,
        **linear.classes,
    }


def build(linear: Linear) -> Model:
    """The model with the first of the links with which it answers what the estimator answers."""
    n_features = len(linear.weights)
    rows = np.random.default_rng(0).normal(size=(16, n_features))
    rows /= max(float(np.abs(linear.weights).mean()) * math.sqrt(n_features), 1e-30)
    asked = rows if linear.names is None else named(rows, linear.names)
    for link in linear.links:
        builder = Builder(
            n_features,
            linear.n_outputs,
            feature_names=linear.names,
            base=linear.bias,
            base_position="last",
            link=link,
            metadata=metadata_of(linear),
        )
        builder.set_linear(linear.weights)
        if linear.finish is not None:
            linear.finish(builder)
        model = builder.finish()
        if answers(linear, model, rows, asked):
            return model
    raise VerifyError(
        f"{linear.name} of scikit-learn {metadata_of(linear)['source.version']} does not answer coef_ and intercept_ "
        f"with the link {' or '.join(linear.links)}: it is not supported in this form"
    )


def answers(linear: Linear, model: Model, rows: Any, asked: Any, magnitudes: Any = 0.0) -> bool:
    """Whether the model answers to `rows` what the estimator answers to `asked`, margins and predictions. `magnitudes` are
    those of the estimator's features, if they are large."""
    scale = 1.0 + float(np.abs(linear.bias).max())
    if np.ndim(magnitudes) == 2:
        scale += float((magnitudes @ np.abs(linear.weights)).max())
    margins = model.predict(rows, "margin").reshape(-1, linear.n_outputs)
    wanted = np.asarray(linear.margins_of(asked)).reshape(margins.shape)
    told = np.isfinite(wanted) | (model.info.link != "exp")  # else the exponent under- or overflowed
    if not _close(margins[told], wanted[told], linear.rounding, scale):
        return False
    predictions = model.predict(rows)
    expected = np.asarray(linear.predictions_of(asked)).reshape(predictions.shape)
    if model.info.link not in ("hinge", "argmax"):
        relative = linear.rounding * (scale if model.info.link == "exp" else 1.0)
        return _close(predictions, expected, relative, scale)
    # Class numbers may differ where rounding decides.
    if model.info.link == "hinge":
        clear = (np.abs(margins) > 10 * linear.rounding * scale).reshape(predictions.shape)
    else:
        largest = np.sort(margins, axis=1)
        clear = largest[:, -1] - largest[:, -2] > 10 * linear.rounding * scale
    return np.array_equal(predictions[clear], expected[clear])


def _close(ours: np.ndarray, wanted: np.ndarray, rounding: float, scale: float) -> bool:
    return np.allclose(ours, wanted, rtol=rounding, atol=rounding * scale, equal_nan=True)


def named(rows: np.ndarray, names: Any) -> Any:
    """A frame for an estimator that was fitted on one, which would warn about an array."""
    pandas = sys.modules.get("pandas")
    return rows if pandas is None else pandas.DataFrame(rows, columns=names)
