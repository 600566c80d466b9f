"""Pipelines of scikit-learn as one model: preprocessing becomes derived columns, the last step trees or weights over them.

Comes in: a fitted Pipeline, a search over one, or a calibrated classifier. Goes out: a Model over the columns that the
pipeline is given, compared with the pipeline's own answers: bit for bit where it ends in trees.
"""

from __future__ import annotations

import warnings
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ._build import Builder
from ._errors import UnsupportedError, VerifyError
from ._model import Model
from ._sklearn import KINDS, SUPPORTED, ensemble_of
from ._sklearn_ensemble import Ensemble, class_metadata
from ._sklearn_columns import Column, Inputs, Norm, Placed, Table, members_of
from ._sklearn_linear import READERS, Linear, answers, calibrated, calibrated_parts, linear_of, mean_of, metadata_of
from ._sklearn_parts import Combined, calibrated_ensemble, calibration_keywords, differs
from ._sklearn_transformers import transform

N_PROBES = 64
_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
HOLDERS = (*_SEARCHES, "FrozenEstimator")
WRAPPERS = ("Pipeline", "CalibratedClassifierCV")


def _is(obj: Any, *names: str) -> bool:
    return any(kind.__module__.startswith("sklearn.") and kind.__name__ in names for kind in type(obj).__mro__)


class Chain(NamedTuple):
    """Transformers one after the other, and the estimator behind them."""

    stages: List[Any]
    last: Any
    calibration: Optional[Any] = None  # a CalibratedClassifierCV; `last` is what its first member calibrates

    def transformed(self, rows: Any) -> Any:
        for stage in self.stages:
            if not (stage is None or isinstance(stage, str)):
                rows = stage.transform(rows)
        return rows


def held(obj: Any) -> Any:
    """What a search found, or a FrozenEstimator holds; anything else is itself."""
    while _is(obj, *HOLDERS):
        if _is(obj, *_SEARCHES) and not hasattr(obj, "best_estimator_"):
            raise ValueError(f"this {type(obj).__name__} is not fitted yet, or with refit=False: call fit() first")
        obj = obj.best_estimator_ if _is(obj, *_SEARCHES) else obj.estimator
    return obj


def chain_of(obj: Any) -> Chain:
    stages: List[Any] = []
    calibration = None
    while True:
        if _is(obj, "Pipeline"):
            stages += [one for _, one in obj.steps[:-1]]
            obj = obj.steps[-1][1]
        elif _is(obj, *HOLDERS):
            obj = held(obj)
        elif _is(obj, "CalibratedClassifierCV") and calibration is None:
            calibration = obj
            obj = _members_of(obj)[0].estimator
        else:
            return Chain(stages, obj, calibration)


def _members_of(classifier: Any) -> List[Any]:
    if not hasattr(classifier, "calibrated_classifiers_"):
        raise ValueError("this CalibratedClassifierCV is not fitted yet: call fit() first")
    found = classifier.calibrated_classifiers_
    if found[0].method not in ("sigmoid", "isotonic"):
        raise UnsupportedError(
            f"CalibratedClassifierCV with method={found[0].method!r} is not supported: train it with method='sigmoid' or "
            "'isotonic'"
        )
    if len(found) > 1 and any(_is(held(one.estimator), "Pipeline") for one in found):
        raise UnsupportedError(
            f"CalibratedClassifierCV over {len(found)} pipelines, each with steps of its own, is not supported: train it with "
            "ensemble=False, or put the steps before it"
        )
    return found


def _calibrations(chain: Chain) -> List[Tuple[Any, Any]]:
    """Members of the CalibratedClassifierCV, each with what it calibrates."""
    members = _members_of(chain.calibration)
    if len(members) == 1:
        return [(members[0], chain.last)]
    return [(one, held(one.estimator)) for one in members]


def of_sklearn_pipeline(obj: Any) -> Tuple[Model, Optional[Callable], dict]:
    """A converter for convert(): the model, its source's margins, more metadata."""
    chain = chain_of(obj)
    inputs = _inputs_of(chain)
    table = inputs.table()
    for stage in chain.stages:
        table = transform(stage, table, inputs)
    last = type(chain.last).__name__
    columns = tuple(inputs.number(column, last) for column in table.columns)
    if _is(chain.last, *READERS):
        return _of_linear(chain, inputs, columns), None, {}
    if _is(chain.last, *KINDS):
        _refuse_rounded_norms(columns, last)
        return _of_trees(chain, inputs, columns)
    raise UnsupportedError(
        f"a pipeline that ends in {type(chain.last).__module__.partition('.')[0]}'s {last} is not supported: expected "
        f"one of {', '.join([*READERS, *SUPPORTED])}. Otherwise convert the last step alone and give it what the steps "
        "before make"
    )


def _inputs_of(chain: Chain) -> Inputs:
    for stage in [*chain.stages, chain.last]:
        if hasattr(stage, "n_features_in_"):
            return Inputs(stage.n_features_in_, getattr(stage, "feature_names_in_", None))
        if not (stage is None or isinstance(stage, str)):
            raise ValueError(f"this {type(stage).__name__} is not fitted yet: call fit() first")
    raise UnsupportedError("a pipeline without a model is not supported: its last step must be one")


def _refuse_rounded_norms(columns: Sequence[Column], last: str) -> None:
    for column in columns:
        if isinstance(column.source, Norm) and column.source.kind != "max":
            raise UnsupportedError(
                f"Normalizer with norm={column.source.kind!r} before {last} is not supported: NumPy sums norms in an "
                "order that depends on the processor, and trees would tell the difference. norm='max' is the same "
                "everywhere"
            )


# ---- building ----------------------------------------------------------------------------------------------------------


class Scheme(NamedTuple):
    """Which inputs the model has. Those that the pipeline drops are left out if columns have names."""

    inputs: Inputs
    used: List[int]

    def builder(self, n_outputs: int, **keywords: Any) -> Tuple[Builder, Placed]:
        inputs, used = self
        builder = Builder(
            len(used),
            n_outputs,
            feature_names=None if inputs.names is None else [inputs.names[i] for i in used],
            feature_types=["category" if i in inputs.labels else "numeric" for i in used],
            **keywords,
        )
        for place, i in enumerate(used):
            if i in inputs.labels:
                unknown = np.inf if i in inputs.refuses else -1.0
                builder.set_dictionary(place, list(inputs.labels[i]), unknown=unknown)
        return builder, Placed(builder, {i: place for place, i in enumerate(used)})

    def asked(self, rows: np.ndarray) -> Any:
        """Rows of the model as the pipeline takes them: with strings and names, and all its columns."""
        inputs = self.inputs
        values = np.zeros((len(rows), inputs.n), dtype=object if inputs.labels else np.float64)
        values[:, self.used] = rows
        for i in set(inputs.labels) & set(self.used):
            labels = dict(enumerate(inputs.labels[i]))
            missing = None if i in inputs.nones else np.nan
            values[:, i] = [
                missing if code != code else labels.get(code, "\u2400 nobody knows this") for code in values[:, i]
            ]
        if inputs.names is None:
            return values
        import pandas  # the pipeline was trained on a table with names

        columns = {
            name: pandas.Series(values[:, i], dtype=object if i in inputs.labels else np.float64)
            for i, name in enumerate(inputs.names)
        }
        return pandas.DataFrame(columns)


def _scheme(inputs: Inputs, columns: Sequence[Column]) -> Scheme:
    used = sorted({i for column in columns for i in members_of(column)})
    if not used:
        raise UnsupportedError("the pipeline hands no column to its last step: let it keep one")
    return Scheme(inputs, used if inputs.names is not None else list(range(inputs.n)))


def _of_trees(chain: Chain, inputs: Inputs, columns: Tuple[Column, ...]) -> Tuple[Model, Optional[Callable], dict]:
    ensemble = _ensemble_of(chain)
    scheme = _scheme(inputs, columns)
    builder, placed = scheme.builder(ensemble.n_outputs, metadata=ensemble.metadata, **ensemble.contract)
    ensemble.add_to(builder, [placed.place(column) for column in columns])

    def answer(made: Any) -> np.ndarray:
        made = _dense(made)
        if not np.array_equal(made, ensemble.acceptable(made), equal_nan=True):
            raise ValueError("the estimator refuses such rows")
        return ensemble.predictions(made) if isinstance(ensemble, Combined) else ensemble.margins(made)

    def margins_of(rows: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        rows = np.vstack([rows, _probes(scheme, columns)])
        return accepted(chain, scheme, columns, rows, answer)

    model = builder.finish()
    if isinstance(ensemble, Combined):
        rows, theirs = margins_of(model.golden()[0])
        if len(rows) and differs(model.predict(rows), theirs):
            raise VerifyError(
                f"a pipeline of scikit-learn that ends in {ensemble.metadata['objective']} answers other predictions than its "
                "parts say: it is not supported in this form"
            )
        return model, None, {}
    return model, margins_of, {}


def _ensemble_of(chain: Chain) -> Ensemble:
    if chain.calibration is None:
        return ensemble_of(chain.last)
    calibrations, classes = _calibrations(chain), chain.calibration.classes_
    first = ensemble_of(chain.last).metadata
    metadata = {
        **{key: first[key] for key in ("source.library", "source.version")},
        "objective": type(chain.calibration).__name__,
        **class_metadata(classes, "largest prediction"),
    }
    return calibrated_ensemble(chain.calibration, calibrations, ensemble_of, metadata, mean_of(calibrations))


def _linear_of(chain: Chain) -> Linear:
    if chain.calibration is None:
        return linear_of(chain.last)
    calibrations = _calibrations(chain)
    if len(calibrations) == 1 and calibrations[0][0].method == "sigmoid":
        return calibrated(*calibrations[0])
    return calibrated_parts(calibrations, chain.calibration.classes_, calibration_keywords)


def _of_linear(chain: Chain, inputs: Inputs, columns: Tuple[Column, ...]) -> Model:
    linear = _linear_of(chain)
    scheme = _scheme(inputs, columns)
    for link in linear.links:
        builder, placed = scheme.builder(
            linear.n_outputs, base=linear.bias, base_position="last", link=link, metadata=metadata_of(linear)
        )
        if [column.source for column in columns if not column.steps] == scheme.used:
            builder.set_linear(linear.weights)
        else:
            placed.prepare(columns)
            first = [placed.add(column) for column in columns][0]
            builder.set_linear(linear.weights, first_column=first)
        if linear.finish is not None:
            linear.finish(builder)
        model = builder.finish()
        if _agrees(chain, scheme, columns, linear, model):
            return model
    raise VerifyError(
        f"a pipeline of scikit-learn {metadata_of(linear)['source.version']} that ends in {linear.name} does not answer "
        "what its steps say: it is not supported in this form"
    )


def _agrees(chain: Chain, scheme: Scheme, columns: Tuple[Column, ...], linear: Linear, model: Model) -> bool:
    def transformed(rows: Any) -> Any:
        linear.margins_of(rows)  # or the estimator refuses them
        return rows

    rows, asked = accepted(chain, scheme, columns, _probes(scheme, columns), transformed)
    return len(rows) == 0 or answers(linear, model, rows, asked, np.abs(_dense(asked)))


def _dense(rows: Any) -> np.ndarray:
    return np.ascontiguousarray(rows.toarray() if hasattr(rows, "toarray") else rows, dtype=np.float64)


# ---- asking the pipeline -------------------------------------------------------------------------------------------------


def accepted(
    chain: Chain, scheme: Scheme, columns: Tuple[Column, ...], rows: np.ndarray, answer: Callable
) -> Tuple[np.ndarray, Any]:
    """The rows that the pipeline does not refuse, and its answers to them. What it always refuses is replaced first."""

    def ask(some: np.ndarray) -> Any:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return answer(chain.transformed(scheme.asked(some)))

    def takes(some: np.ndarray) -> bool:
        try:
            ask(some)
        except (ValueError, TypeError):
            return False
        return True

    base = next((row for row in rows if takes(row[np.newaxis])), None)
    if base is None:
        return rows[:0], np.empty(0)
    rows = np.where(np.isinf(rows), np.copysign(1e30, rows), rows)
    _replace_refused(rows, base, np.nan, np.isnan(rows), takes)
    unknown = np.zeros(rows.shape, dtype=bool)
    for place, i in enumerate(scheme.used):
        keys = _keys_of(columns, i)
        if keys:
            unknown[:, place] = ~np.isnan(rows[:, place]) & ~np.isin(rows[:, place], keys)
    _replace_refused(rows, base, 0.1234567, unknown, takes)
    kept = _taken(rows, takes)
    return kept, ask(kept) if len(kept) else np.empty(0)


def _replace_refused(rows: np.ndarray, base: np.ndarray, odd: float, where: np.ndarray, takes: Callable) -> None:
    """Put the value of `base` where `where` says so, in columns in which the pipeline does not take `odd`."""
    columns = np.flatnonzero(where.any(axis=0))
    one = base.copy()
    one[columns] = odd
    if takes(one[np.newaxis]):
        return
    for i in columns:
        one = base.copy()
        one[i] = odd
        if not takes(one[np.newaxis]):
            rows[where[:, i], i] = base[i]


def _taken(rows: np.ndarray, takes: Callable[[np.ndarray], bool]) -> np.ndarray:
    """The rows that are taken, by halves."""
    waiting, kept = [rows], [rows[:0]]
    while waiting:
        some = waiting.pop()
        if takes(some):
            kept.append(some)
        elif len(some) > 1:
            waiting += [some[len(some) // 2 :], some[: len(some) // 2]]
    return np.vstack(kept)


def _probes(scheme: Scheme, columns: Tuple[Column, ...]) -> np.ndarray:
    """Rows around what the steps say: known categories, unknown ones, values near centers, missing ones."""
    rng = np.random.default_rng(0)
    rows = np.empty((N_PROBES, len(scheme.used)))
    for place, i in enumerate(scheme.used):
        near = rng.choice(_values_of(columns, i), N_PROBES)
        rows[:, place] = near
        if i in scheme.inputs.labels:
            rows[:, place] = rng.integers(-1, len(scheme.inputs.labels[i]), N_PROBES)
        elif not _keys_of(columns, i):
            rows[:, place] += rng.normal(size=N_PROBES) * (np.abs(near) + 1.0)
        rows[rng.random(N_PROBES) < 0.5 / len(scheme.used), place] = np.nan
    return rows


def _steps_on(columns: Tuple[Column, ...], i: int) -> List[Any]:
    found: List[Any] = []
    for column in columns:
        if column.source == i:
            found += column.steps
        elif isinstance(column.source, Norm):
            found += [step for one in column.source.members if one.source == i for step in one.steps]
    return found


def _keys_of(columns: Tuple[Column, ...], i: int) -> List[float]:
    return [key for step in _steps_on(columns, i) if step.operation in ("equal", "lookup") for key in step.keys or [step.a]]


def _values_of(columns: Tuple[Column, ...], i: int) -> List[float]:
    centers = [step.a for step in _steps_on(columns, i) if step.operation in ("subtract", "greater", "clip")]
    keys = _keys_of(columns, i)
    return [value for value in keys + centers if abs(value) < 1e300] + ([max(keys) + 1.0] if keys else []) or [0.0]
