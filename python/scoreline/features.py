"""Feature tables, and scoring with features that are looked up by key.

>>> from scoreline.features import FeatureTable, FeatureLookup, score_batch
>>> FeatureTable.build("profile.sft", frame, key="customer_id")
>>> score_batch(model_uri="fraud.slm", df=transactions, feature_lookups=[
...     FeatureLookup(table_name="profile.sft", lookup_key="customer_id", feature_names=["avg_amount"])])

The semantics are those of Databricks' feature store: the answer has the columns of ``df``, the looked-up features and
``prediction``, one row for each of ``df`` in its order; a key that a table does not have gives missing features (or their
default); a feature that stands in ``df`` itself wins wherever it is not null. pandas and pyarrow are imported when they
are needed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from ._errors import FileError, ShapeError
from ._feature_source import FeatureSource, Fetched
from ._feature_table import FeatureTable
from ._model import Model, load
from ._tables import Values

_PathLike = Union[str, "os.PathLike[str]"]

__all__ = ["FeatureEngineeringClient", "FeatureLookup", "FeatureSource", "FeatureTable", "Fetched", "score_batch"]

_Table = Union[FeatureTable, FeatureSource]


# ---- lookups ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FeatureLookup:
    """What to take from a table, with the names of Databricks' class.

    Attributes:
        table_name: name that the resolver knows, a path, a :class:`FeatureTable`, or a :class:`FeatureSource`.
        lookup_key: columns of ``df``, in the order of the table's keys; their names may differ from the table's.
        feature_names: columns of the table; None: all.
        rename_outputs: names that features get in the answer, by their name in the table.
        timestamp_lookup_key: column of ``df`` with the time of the event: the latest row not after it is taken.
        lookback_window: timedelta (or number in the table's unit): older rows count as missing. None: any age counts.
        default_values: by feature name, for what is missing: the key, the row, or the value.
    """

    table_name: Any
    lookup_key: Union[str, Sequence[str]] = ()
    feature_names: Union[None, str, Sequence[str]] = None
    rename_outputs: Optional[Mapping[str, str]] = None
    timestamp_lookup_key: Union[None, str, Sequence[str]] = None
    lookback_window: Any = None
    default_values: Optional[Mapping[str, Any]] = None

    def _keys(self) -> List[str]:
        return [self.lookup_key] if isinstance(self.lookup_key, str) else list(self.lookup_key)

    def _time(self) -> Optional[str]:
        """Databricks takes a list of one as well."""
        name = self.timestamp_lookup_key
        if name is None or isinstance(name, str):
            return name
        if len(name) != 1:
            raise ValueError(f"timestamp_lookup_key names one column, found {list(name)!r}")
        return name[0]

    def _names(self, table: _Table) -> List[str]:
        if self.feature_names is None:
            return list(table.columns)
        return [self.feature_names] if isinstance(self.feature_names, str) else list(self.feature_names)

    def _checked(self, names: List[str]) -> None:
        for what, given in (("rename_outputs", self.rename_outputs), ("default_values", self.default_values)):
            unknown = [name for name in given or () if name not in names]
            if unknown:
                raise ValueError(f"{what} names {unknown[0]!r}, which is not looked up in {self.table_name!r}")


def _fetch(lookup: FeatureLookup, table: _Table, columns: "_Frame") -> Dict[str, Values]:
    """Looked-up columns by their output names, with defaults in place of what is missing."""
    names = lookup._names(table)
    lookup._checked(names)
    time = lookup._time()
    keys = [columns.get(name, f"lookup_key of {table.path!r}") for name in lookup._keys()]
    at = None if time is None else columns.get(time, f"timestamp_lookup_key of {table.path!r}")
    if not keys:
        raise ValueError(f"the lookup in {lookup.table_name!r} has no lookup_key")
    values, _ = table.lookup(keys, names, at, lookup.lookback_window)
    renamed = lookup.rename_outputs or {}
    return {renamed.get(name, name): _with_default(column, lookup, name) for name, column in values.items()}


def _with_default(column: Values, lookup: FeatureLookup, name: str) -> Values:
    default = (lookup.default_values or {}).get(name)
    if default is None:
        return column
    if column.texts is not None:
        objects = column.objects()
        objects[~column.valid] = str(default)
        texts, numbers = np.unique(objects.astype(str), return_inverse=True)
        return Values(column.type, numbers.astype(np.int32), np.ones(len(objects), bool), texts.astype(object))
    values = column.values.copy()
    values[~column.valid] = default
    return Values(column.type, values, np.ones(len(values), bool), None)


# ---- frames ----------------------------------------------------------------------------------------------------------


class _Frame:
    """The columns of ``df``, and how new ones are put beside them."""

    def __init__(self, df: Any):
        self.df = df

    def names(self) -> List[str]:
        raise NotImplementedError

    def column(self, name: str) -> Any:
        raise NotImplementedError

    def put(self, name: Any, values: Values) -> None:
        """Set a column, by its label; pandas has labels that are no strings."""
        raise NotImplementedError

    def rows(self, model: Model) -> Any:
        raise NotImplementedError

    def add(self, name: str, values: np.ndarray) -> Any:
        raise NotImplementedError

    def get(self, name: str, what: str) -> Any:
        if name not in self.names():
            raise ShapeError(f"df has no column {name!r}, which is the {what}; it has {', '.join(map(repr, self.names()))}")
        return self.column(name)


class _PandasFrame(_Frame):
    def names(self) -> List[str]:
        return list(self.df.columns)

    def column(self, name: str) -> Any:
        return self.df[name]

    def put(self, name: Any, values: Values) -> None:
        """A column in pandas' own way to hold nulls; the frame's own values stay."""
        import pandas

        if values.texts is not None:
            series = pandas.Series(list(values.objects()), index=self.df.index)
        elif values.valid.all():
            series = pandas.Series(values.values, index=self.df.index)
        elif values.values.dtype.kind == "f":
            series = pandas.Series(np.where(values.valid, values.values, np.nan).astype(values.values.dtype), index=self.df.index)
        else:
            kind = {"i": "Int", "b": "boolean"}[values.values.dtype.kind]
            dtype = kind if kind == "boolean" else f"{kind}{8 * values.values.dtype.itemsize}"
            series = pandas.Series(values.values, index=self.df.index).astype(dtype).mask(~values.valid)
        if name in self.df.columns:
            own = self.df[name]
            if getattr(own.dtype, "name", "") == "category":
                own = own.astype(object)
            series = own.where(own.notna(), series) if own.notna().any() else series
        self.df = self.df.assign(**{name: series})

    def rows(self, model: Model) -> Any:
        """What predict() takes. LightGBM models count the columns of dtype category, so texts become such."""
        return _as_categories(self.df, model) if model._labels.n_lists else self.df

    def add(self, name: str, values: np.ndarray) -> Any:
        return self.df.assign(**{name: list(values) if values.ndim > 1 else values})


class _ArrowFrame(_Frame):
    def names(self) -> List[str]:
        return self.df.column_names

    def column(self, name: str) -> Any:
        return self.df.column(name)

    def put(self, name: str, values: Values) -> None:
        import pyarrow

        if values.texts is not None:
            array = pyarrow.array(values.objects(), type=pyarrow.string())
        else:
            array = pyarrow.array(values.values, mask=~values.valid)
        place = self.df.schema.get_field_index(name)
        if place < 0:
            self.df = self.df.append_column(name, array)
            return
        own = self.df.column(place).combine_chunks()
        kind = own.type
        if pyarrow.types.is_dictionary(kind):
            own, kind = own.dictionary_decode(), kind.value_type
        kind = array.type if pyarrow.types.is_null(kind) else kind
        if kind != array.type and pyarrow.types.is_floating(array.type):
            kind = array.type  # 3 of the request and 0.5 of the table do not become 3 and 0
        merged = pyarrow.compute.coalesce(own.cast(kind), array.cast(kind))
        self.df = self.df.set_column(place, name, merged)

    def rows(self, model: Model) -> Any:
        return _as_categories(self.df.to_pandas(), model) if model._labels.n_lists else self.df

    def add(self, name: str, values: np.ndarray) -> Any:
        import pyarrow

        array = pyarrow.array(list(values)) if values.ndim > 1 else pyarrow.array(values)
        place = self.df.schema.get_field_index(name)
        return self.df.set_column(place, name, array) if place >= 0 else self.df.append_column(name, array)


def _as_categories(frame: Any, model: Model) -> Any:
    import pandas.api.types as types

    fed = model._names.columns(frame.columns)
    kinds = zip(model.features, model.feature_types)
    names = [fed[feature] for feature, kind in kinds if kind == "category" and feature in fed]
    with_categories = frame.copy(deep=False)
    for name in names:
        if types.is_string_dtype(frame[name].dtype) or frame[name].dtype == object:
            with_categories[name] = frame[name].astype("category")
    return with_categories


def _frame_of(df: Any) -> _Frame:
    module = type(df).__module__.partition(".")[0]
    if module == "pandas" and hasattr(df, "columns"):
        return _PandasFrame(df)
    if module == "pyarrow":
        import pyarrow
        import pyarrow.compute

        return _ArrowFrame(pyarrow.Table.from_batches([df]) if isinstance(df, pyarrow.RecordBatch) else df)
    raise TypeError(f"expected df as a pandas DataFrame or a pyarrow Table, found {type(df).__module__}.{type(df).__qualname__}")


# ---- results and models ----------------------------------------------------------------------------------------------

_RESULTS = {
    "double": np.float64, "float": np.float32, "long": np.int64, "bigint": np.int64, "int": np.int32, "integer": np.int32,
    "boolean": np.bool_, "string": object,
}


def _result(predictions: np.ndarray, result_type: str) -> np.ndarray:
    """Predictions as the type that Spark calls so; ``array<…>`` for models with several per row."""
    inner = result_type[6:-1] if result_type.startswith("array<") and result_type.endswith(">") else result_type
    if inner not in _RESULTS:
        raise ValueError(f"expected result_type to be one of {', '.join(_RESULTS)}, or array<…> of one, found {result_type!r}")
    if predictions.ndim > 1 and inner == result_type:
        raise ValueError(f"the model gives {predictions.shape[1]} predictions per row: result_type='array<{inner}>' takes them")
    if inner != result_type and predictions.ndim == 1:
        predictions = predictions[:, np.newaxis]
    kind = _RESULTS[inner]
    if kind is object:
        return np.array([repr(float(value)) for value in predictions.ravel()], dtype=object).reshape(predictions.shape)
    if np.dtype(kind).kind in "ib" and not np.array_equal(predictions, np.trunc(predictions)):
        raise ValueError(f"result_type={result_type!r} would cut off predictions that are no whole numbers; take 'double'")
    if np.dtype(kind).kind == "i" and len(predictions) and float(np.abs(predictions).max()) > np.iinfo(kind).max:
        raise ValueError(f"result_type={result_type!r} does not hold predictions up to {np.abs(predictions).max():g}; take 'double'")
    return predictions.astype(kind)


_Registry = Union[None, Mapping[str, Any], Callable[[str, str], Any]]


def _model_of(model_uri: Any, registry: _Registry) -> Model:
    if isinstance(model_uri, Model):
        return model_uri
    name = os.fspath(model_uri)
    if name.startswith("models:/"):
        found = _registered(name[len("models:/"):], name, registry)
        return found if isinstance(found, Model) else _load_from(found)
    return _load_from(name)


def _registered(rest: str, uri: str, registry: _Registry) -> Any:
    """``name/version``, ``name/stage`` or ``name@alias``: from the caller's registry, a folder of models, or MLflow."""
    name, _, version = rest.partition("@" if "@" in rest else "/")
    if not name or not version:
        raise ValueError(f"expected models:/name/version or models:/name@alias, found {uri!r}")
    if callable(registry):
        return registry(name, version)
    if registry is not None:
        for known in (rest, uri, f"{name}/{version}"):
            if known in registry:
                return registry[known]
        raise FileError(f"the registry has no model {uri!r}; it has {', '.join(map(repr, registry)) or 'none'}")
    folder = os.environ.get("SCORELINE_MODELS")
    if folder:
        return Path(folder, *_parts(name, "/"), f"{_part(version)}.slm")
    if _has_mlflow():
        import mlflow.artifacts

        return mlflow.artifacts.download_artifacts(uri)
    raise FileError(f"{uri!r} needs a registry: pass one, set SCORELINE_MODELS to a folder of name/version.slm, or install mlflow")


def _has_mlflow() -> bool:
    import importlib.util

    return importlib.util.find_spec("mlflow") is not None


def _load_from(path: _PathLike) -> Model:
    """A .slm file, or a folder with exactly one below it."""
    place = Path(path)
    if not place.is_dir():
        return load(place)
    files = sorted(place.rglob("*.slm"))
    if len(files) != 1:
        raise FileError(f"expected one .slm file in {str(place)!r}, found {len(files)}")
    return load(files[0])


def _part(name: str) -> str:
    """One component of a path that a name becomes; never a way out of the folder."""
    if not name or name in (".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise ValueError(f"expected a name, found {name!r}")
    return name


def _parts(name: str, separator: str) -> List[str]:
    return [_part(part) for part in name.split(separator)]


# ---- scoring ---------------------------------------------------------------------------------------------------------


def score_batch(
    *,
    model_uri: Any,
    df: Any,
    feature_lookups: Sequence[FeatureLookup] = (),
    result_type: str = "double",
    tables: Union[None, _PathLike, Mapping[str, Any], Callable[[str], Any]] = None,
    registry: _Registry = None,
) -> Any:
    """``df`` with looked-up features and a column ``prediction``.

    Args:
        model_uri: a :class:`scoreline.Model`, a path, or ``models:/name/version``.
        df: pandas DataFrame or pyarrow Table; not changed.
        feature_lookups: in order; two of them must not give the same name.
        result_type: "double", "float", "long", "int", "boolean", "string", or ``array<…>`` of one.
        tables, registry: as for :class:`FeatureEngineeringClient`.

    Returns:
        A frame of the same kind with as many rows, in the same order: the columns of ``df``, where a feature of the same name
        fills only its nulls, the other features, then ``prediction``.

    Raises:
        ShapeError: a key or feature is missing or of another type; its name is in the message.
    """
    client = FeatureEngineeringClient(tables, registry)
    return client.score_batch(model_uri=model_uri, df=df, feature_lookups=feature_lookups, result_type=result_type)


class FeatureEngineeringClient:
    """The calls of Databricks' client that score, over tables in files.

    Args:
        tables: where ``ml.features.customer_profile`` is: a folder (``ml/features/customer_profile.sft`` or
            ``ml.features.customer_profile.sft`` below it), a mapping from names to paths, :class:`FeatureTable` or
            :class:`FeatureSource`, or a function.
            None: the folder that SCORELINE_FEATURE_TABLES names, or names are paths.
        registry: mapping from ``name/version`` to a path or model, or a function of (name, version). None: the folder that
            SCORELINE_MODELS names (``fraud_model/Production.slm``), or MLflow if it is installed.

    Tables stay open between calls; each call looks whether their files were replaced.
    """

    def __init__(
        self,
        tables: Union[None, _PathLike, Mapping[str, Any], Callable[[str], Any]] = None,
        registry: _Registry = None,
    ):
        self._tables = os.environ.get("SCORELINE_FEATURE_TABLES") if tables is None else tables
        self._registry = registry
        self._open: Dict[str, _Table] = {}

    def score_batch(
        self, *, model_uri: Any, df: Any, feature_lookups: Sequence[FeatureLookup] = (), result_type: str = "double"
    ) -> Any:
        """As :func:`score_batch`."""
        model = _model_of(model_uri, self._registry)
        frame = _frame_of(df)
        fetched: Dict[str, Values] = {}
        for lookup in feature_lookups:
            columns = _fetch(lookup, self._table(lookup.table_name), frame)
            twice = [name for name in columns if name in fetched]
            if twice:
                raise ValueError(f"the feature {twice[0]!r} is looked up twice; rename_outputs gives one another name")
            fetched.update(columns)
        own = model._names.columns(frame.names())
        for name, values in fetched.items():
            feature = model._names.as_features([name])[0]
            frame.put(name if name in frame.names() else own.get(feature, name), values)
        predictions = model.predict(frame.rows(model)) if len(frame.df) else np.empty(0)
        return frame.add("prediction", _result(predictions, result_type))

    def _table(self, name: Any) -> _Table:
        if isinstance(name, (FeatureTable, FeatureSource)):
            return name
        known = self._open.get(name)
        if known is not None:
            known.refresh()
            return known
        place = self._place(os.fspath(name))
        table = place if isinstance(place, (FeatureTable, FeatureSource)) else FeatureTable(place)
        self._open[name] = table
        return table

    def _place(self, name: str) -> Any:
        if callable(self._tables):
            return self._tables(name)
        if isinstance(self._tables, Mapping):
            if name in self._tables:
                return self._tables[name]
            raise FileError(f"there is no feature table {name!r}; there are {', '.join(map(repr, self._tables)) or 'none'}")
        if name.endswith(".sft") or self._tables is None:
            return name
        folder = Path(self._tables)
        nested = folder.joinpath(*_parts(name, ".")).with_suffix(".sft")
        return nested if nested.exists() else folder / f"{_part(name)}.sft"
