"""Transformers of scikit-learn as steps on columns.

Comes in: a fitted transformer, and the columns before it. Goes out: the columns behind it, with the operations in the order
in which scikit-learn 1.9 computes them in double; docs/numerics.md tells them.
"""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from ._build import Step
from ._errors import UnsupportedError
from ._sklearn_columns import Column, Inputs, Norm, Table, is_missing_value, is_text_value
from ._sklearn_encoders import encode

Apply = Callable[[Any, Table, Inputs], Table]


def transform(transformer: Any, table: Table, inputs: Inputs) -> Table:
    """The table behind a transformer, which may be made of others."""
    if transformer is None or isinstance(transformer, str) and transformer == "passthrough":
        return table
    for kind in type(transformer).__mro__:
        apply = TRANSFORMERS.get(kind.__name__) if kind.__module__.partition(".")[0] == "sklearn" else None
        if apply is not None:
            return apply(transformer, table, inputs)
    name = type(transformer).__name__
    if hasattr(transformer, "get_support") and type(transformer).__module__.startswith("sklearn."):
        return _selection(transformer, table, inputs)
    raise UnsupportedError(
        f"{name} in a pipeline is not supported: expected one of {', '.join(sorted(TRANSFORMERS))}, or a feature "
        "selection. Take this step out of the pipeline and give the model what it makes"
    )


def _refused(name: str, why: str, instead: str) -> UnsupportedError:
    return UnsupportedError(f"{name} {why} is not supported: {instead}")


def _numbers(transformer: Any, table: Table, inputs: Inputs) -> List[Column]:
    return [inputs.number(column, type(transformer).__name__) for column in table.columns]


def _dense(transformer: Any, table: Table) -> None:
    if table.is_sparse:
        raise _refused(
            type(transformer).__name__, "behind a sparse matrix", "train with sparse_output=False or sparse_threshold=0"
        )


# ---- scalers -------------------------------------------------------------------------------------------------------


def _scaled(columns: Sequence[Column], table: Table, center: Any, scale: Any) -> List[Column]:
    """(x - center) / scale, each None for not at all; a sparse matrix is multiplied by 1 / scale."""
    made = list(columns)
    if center is not None and not table.is_sparse:
        made = [column.then(Step("subtract", float(c))) for column, c in zip(made, center)]
    if scale is not None and table.is_sparse:
        made = [column.then(Step("multiply", 1.0 / float(s))) for column, s in zip(made, scale)]
    elif scale is not None:
        made = [column.then(Step("divide", float(s))) for column, s in zip(made, scale)]
    return made


def _standard(scaler: Any, table: Table, inputs: Inputs) -> Table:
    center = scaler.mean_ if scaler.with_mean else None
    scale = scaler.scale_ if scaler.with_std else None
    return table._replace(columns=tuple(_scaled(_numbers(scaler, table, inputs), table, center, scale)))


def _robust(scaler: Any, table: Table, inputs: Inputs) -> Table:
    center = scaler.center_ if scaler.with_centering else None
    scale = scaler.scale_ if scaler.with_scaling else None
    return table._replace(columns=tuple(_scaled(_numbers(scaler, table, inputs), table, center, scale)))


def _max_abs(scaler: Any, table: Table, inputs: Inputs) -> Table:
    made = _scaled(_numbers(scaler, table, inputs), table, None, scaler.scale_)
    if getattr(scaler, "clip", False):
        made = [column.then(Step("clip", -1.0, 1.0)) for column in made]
    return table._replace(columns=tuple(made))


def _min_max(scaler: Any, table: Table, inputs: Inputs) -> Table:
    _dense(scaler, table)
    made = []
    for column, scale, least in zip(_numbers(scaler, table, inputs), scaler.scale_, scaler.min_):
        column = column.then(Step("multiply", float(scale)), Step("add", float(least)))
        if scaler.clip:
            low, high = scaler.feature_range
            column = column.then(Step("clip", float(low), float(high)))
        made.append(column)
    return table._replace(columns=tuple(made))


def _binarizer(binarizer: Any, table: Table, inputs: Inputs) -> Table:
    step = Step("greater", float(binarizer.threshold), math.nan)
    return table._replace(columns=tuple(column.then(step) for column in _numbers(binarizer, table, inputs)))


def _normalizer(normalizer: Any, table: Table, inputs: Inputs) -> Table:
    _dense(normalizer, table)
    members = tuple(_numbers(normalizer, table, inputs))
    if any(isinstance(column.source, Norm) for column in members):
        raise _refused("Normalizer", "behind another Normalizer", "take one of them out")
    made = tuple(Column(Norm(normalizer.norm, members, i)) for i in range(len(members)))
    return Table(made)


# ---- missing values --------------------------------------------------------------------------------------------------


def _marker(transformer: Any, what: Any) -> Optional[Any]:
    """What stands for a missing value: None for a missing one, else a number or a string."""
    if is_missing_value(what):
        return None
    if is_text_value(what) or isinstance(what, (int, float, np.number)):
        return what
    raise _refused(type(transformer).__name__, f"with missing_values={what!r}", "train with NaN")


def _imputer(imputer: Any, table: Table, inputs: Inputs) -> Table:
    _dense(imputer, table)
    marker = _marker(imputer, imputer.missing_values)
    statistics = np.asarray(imputer.statistics_)
    made, seen = [], []
    for column, fill in zip(table.columns, statistics):
        is_text = column.is_text or is_text_value(fill) or is_text_value(marker)
        who = type(imputer).__name__
        column = inputs.text(column, who) if is_text else inputs.number(column, who)
        seen.append(column)
        if is_text and imputer.missing_values is None:
            inputs.nones.add(column.input)
        if is_missing_value(fill) and not imputer.keep_empty_features:
            continue  # a column without any value in the training data is dropped
        made.append(column.then(_imputed(imputer, inputs, column, marker, fill)))
    if imputer.add_indicator:
        made += _indicators(imputer.indicator_, Table(tuple(seen)), inputs)
    return table._replace(columns=tuple(made))


def _imputed(imputer: Any, inputs: Inputs, column: Column, marker: Any, fill: Any) -> Step:
    if column.is_text:
        if not is_text_value(fill):
            raise _refused("SimpleImputer", f"that fills a column of strings with {fill!r}", "fill it with a string")
        value = inputs.code(column, fill)
        return Step("replace_missing", value) if marker is None else Step("replace", inputs.code(column, marker), value)
    value = float(np.asarray(fill).astype(getattr(imputer, "_fill_dtype", np.float64)))
    return Step("replace_missing", value) if marker is None else Step("replace", float(marker), value)


def _indicators(indicator: Any, table: Table, inputs: Inputs) -> List[Column]:
    """1 where a value of a feature is missing, for the features that the indicator shows."""
    marker = _marker(indicator, indicator.missing_values)
    made = []
    for i in indicator.features_:
        column = table.columns[i]
        if marker is None:
            step = Step("is_missing")
        else:
            step = Step("equal", inputs.code(column, marker) if column.is_text else float(marker), 0.0)
        made.append(column._replace(is_text=False).then(step))
    return made


def _missing_indicator(indicator: Any, table: Table, inputs: Inputs) -> Table:
    _dense(indicator, table)
    if indicator.sparse is True:
        raise _refused("MissingIndicator", "with sparse=True", "train with sparse=False")
    for column in table.columns:
        if not column.is_text:
            inputs.number(column, "MissingIndicator")
    return Table(tuple(_indicators(indicator, table, inputs)))


# ---- bins ------------------------------------------------------------------------------------------------------------


def _discretizer(discretizer: Any, table: Table, inputs: Inputs) -> Table:
    _dense(discretizer, table)
    if getattr(discretizer, "dtype", None) not in (None, np.float64):
        raise _refused("KBinsDiscretizer", f"with dtype={discretizer.dtype!r}", "train with dtype=np.float64")
    made: List[Column] = []
    for column, edges in zip(_numbers(discretizer, table, inputs), discretizer.bin_edges_):
        bins = column.then(*_bin_steps([float(edge) for edge in edges[1:-1]]))
        if discretizer.encode == "ordinal":
            made.append(bins)
        else:
            made += [bins.then(Step("equal", float(k), math.nan)) for k in range(len(edges) - 1)]
    return Table(tuple(made), discretizer.encode == "onehot")


def _bin_steps(edges: List[float]) -> List[Step]:
    """The number of edges that are at most x. The bins, from the lowest on, move above the last edge, a value each."""
    if not edges:
        return [Step("clip", 0.0, 0.0)]
    above = [edges[-1]]
    for _ in edges:
        above.append(_after(above[-1]))
    if len(edges) > 100 or math.isinf(above[-1]):
        raise _refused("KBinsDiscretizer", "with more than 101 bins, or edges near infinity,", "train with fewer bins")
    steps = [Step("clip", _before(edges[0]), edges[-1])]
    for number, edge in enumerate(edges):
        if number:
            steps.append(Step("clip", _before(edge), above[-1]))
        steps.append(Step("replace", _before(edge), above[number + 1]))
    numbers = [float(len(edges))] + [float(number) for number in range(len(edges))]
    return steps + [Step("lookup", math.nan, math.nan, keys=tuple(above), values=tuple(numbers))]


def _before(x: float) -> float:
    return float(np.nextafter(x, -np.inf))


def _after(x: float) -> float:
    return float(np.nextafter(x, np.inf))


# ---- columns chosen, and transformers made of others -------------------------------------------------------------------


def _selection(selector: Any, table: Table, inputs: Inputs) -> Table:
    kept = selector.get_support()
    return table._replace(columns=tuple(column for column, keep in zip(table.columns, kept) if keep))


def _function(function: Any, table: Table, inputs: Inputs) -> Table:
    if function.func is not None:
        raise _refused(
            "FunctionTransformer", f"with func={function.func!r}", "apply the function before, and train without it"
        )
    return table


def _weighted(table: Table, weight: Any) -> Table:
    if weight is None:
        return table
    return table._replace(columns=tuple(column.then(Step("multiply", float(weight))) for column in table.columns))


def _column_transformer(transformer: Any, table: Table, inputs: Inputs) -> Table:
    _dense(transformer, table)
    weights = transformer.transformer_weights or {}
    parts = []
    for name, one, _ in transformer.transformers_:
        places = transformer._transformer_to_input_indices.get(name, [])
        if len(places) == 0 or isinstance(one, str) and one == "drop":
            continue
        part = transform(one, Table(tuple(table.columns[i] for i in places)), inputs)
        parts.append(_weighted(part, weights.get(name)))
    return Table(tuple(column for part in parts for column in part.columns), bool(transformer.sparse_output_))


def _union(union: Any, table: Table, inputs: Inputs) -> Table:
    weights = union.transformer_weights or {}
    parts = []
    for name, one in union.transformer_list:
        if not (isinstance(one, str) and one == "drop"):
            parts.append(_weighted(transform(one, table, inputs), weights.get(name)))
    return Table(
        tuple(column for part in parts for column in part.columns), any(part.is_sparse for part in parts)
    )


def _pipeline(pipeline: Any, table: Table, inputs: Inputs) -> Table:
    for _, one in pipeline.steps:
        table = transform(one, table, inputs)
    return table


TRANSFORMERS: Dict[str, Apply] = {
    "StandardScaler": _standard,
    "MinMaxScaler": _min_max,
    "MaxAbsScaler": _max_abs,
    "RobustScaler": _robust,
    "Binarizer": _binarizer,
    "Normalizer": _normalizer,
    "SimpleImputer": _imputer,
    "MissingIndicator": _missing_indicator,
    "OneHotEncoder": encode,
    "OrdinalEncoder": encode,
    "TargetEncoder": encode,
    "KBinsDiscretizer": _discretizer,
    "FunctionTransformer": _function,
    "ColumnTransformer": _column_transformer,
    "FeatureUnion": _union,
    "Pipeline": _pipeline,
}
