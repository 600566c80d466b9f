"""Tree ensembles of scikit-learn, as models.

Comes in: a fitted estimator. Goes out: an ``Ensemble`` (what a Builder must be told, and the estimator's own answers), or
a model made of it. A pipeline whose last step is such an estimator gives the numbers of the columns that feed it::

    ensemble = ensemble_of(estimator)
    builder = Builder(n_features, ensemble.n_outputs, **ensemble.contract, metadata=ensemble.metadata)
    ensemble.add_to(builder, columns)

scikit-learn is never imported: attributes of the estimator say everything.
"""

from __future__ import annotations

import sys
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from . import _sklearn_combined, _sklearn_hist, _sklearn_trees
from ._build import Builder
from ._errors import UnsupportedError, VerifyError
from ._sklearn_ensemble import Ensemble, require_fitted
from ._sklearn_parts import Combined, differs

SUPPORTED: Dict[str, Callable[[Any], Ensemble]] = {
    **_sklearn_trees.KINDS,
    **_sklearn_hist.KINDS,
    **_sklearn_combined.KINDS,
}
# What is refused by name is recognised too.
KINDS: Dict[str, Callable[[Any], Ensemble]] = {**SUPPORTED, **_sklearn_combined.REFUSED}


def ensemble_of(estimator: Any) -> Ensemble:
    """Trees of a fitted estimator. UnsupportedError names what cannot be served."""
    for kind in type(estimator).__mro__:
        if kind.__module__.partition(".")[0] == "sklearn" and kind.__name__ in KINDS:
            require_fitted(estimator)
            version = _version(type(estimator).__name__)
            ensemble = KINDS[kind.__name__](estimator)
            ensemble.metadata = {
                "source.library": "scikit-learn",
                "source.version": version,
                "objective": type(estimator).__name__,
                **ensemble.metadata,
            }
            return ensemble
    raise UnsupportedError(
        f"{type(estimator).__name__} of scikit-learn is no ensemble of trees that is supported: expected one of "
        f"{', '.join(SUPPORTED)}"
    )


def _version(name: str) -> str:
    """The release of scikit-learn, which must be one that keeps trees as we read them."""
    version = getattr(sys.modules.get("sklearn"), "__version__", "")
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    if numbers and numbers < [1, 4]:
        raise UnsupportedError(
            f"{name} of scikit-learn {version}: releases before 1.4 keep trees and categories in another form. "
            "Train with a later release"
        )
    return version


def verify_predictions(model: Any, ensemble: Combined, rows: np.ndarray, asked: Any = None) -> None:
    """Compare the predictions of a model of parts with the estimator's own, to rows that it takes."""
    if asked is None:
        rows = asked = ensemble.acceptable(rows)
    with np.errstate(all="ignore"):
        theirs = ensemble.predictions(asked)
    if differs(model.predict(rows), theirs):
        raise VerifyError(
            f"{ensemble.metadata['objective']} of scikit-learn {ensemble.metadata['source.version']} answers other predictions "
            "than its parts say: it is not supported in this form"
        )


def of_sklearn_ensemble(estimator: Any) -> Tuple[Any, Optional[Callable], dict]:
    """A converter for convert(): the model, its source's margins, more metadata."""
    ensemble = ensemble_of(estimator)
    builder = Builder(
        ensemble.n_features,
        ensemble.n_outputs,
        feature_names=getattr(estimator, "feature_names_in_", None),
        feature_types=["category" if i in ensemble.tables else "numeric" for i in range(ensemble.n_features)],
        metadata=ensemble.metadata,
        **ensemble.contract,
    )
    ensemble.add_to(builder)

    if isinstance(ensemble, Combined):
        model = builder.finish()
        verify_predictions(model, ensemble, model.golden()[0])
        return model, None, {}

    def margins_of(rows: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        rows = ensemble.acceptable(rows)
        return rows, ensemble.margins(rows)

    return builder.finish(), margins_of, {}
