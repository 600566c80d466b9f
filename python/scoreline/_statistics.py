"""What was scored: counts and histograms while scoring, drift against the training data, Prometheus text.

Comes in: a model, and rows in any form that ``_input`` knows with their scores. Goes out: snapshots, which can be merged
across threads and processes, written, read, compared with the training data and published.
"""

from __future__ import annotations

import ctypes
import os
import time
from contextlib import closing
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import _input
from ._errors import ShapeError
from ._library import Error, Input, OUTPUTS, Owner, c_count, c_path, c_text, check, declare, filled, lib, new_handle, text

if TYPE_CHECKING:
    from ._model import Model


class StatisticsOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocator", c_void_p),
        ("reference", c_void_p),
        ("endpoint", c_char_p),
        ("served_name", c_char_p),
        ("entity_name", c_char_p),
        ("entity_version", c_char_p),
        ("output", c_int32),
        ("sample_every", c_uint32),
        ("n_shards", c_uint32),
        ("max_features", c_uint32),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


class Call(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("model", c_void_p),
        ("plan", c_void_p),
        ("input", POINTER(Input)),
        ("out", c_void_p),
        ("out_width", c_size_t),
        ("output", c_int32),
        ("status", c_int32),
        ("started_unix_ns", c_int64),
        ("latency_ns", c_int64),
        ("request_id", c_char_p),
        ("endpoint", c_char_p),
        ("served_name", c_char_p),
        ("entity_name", c_char_p),
        ("entity_version", c_char_p),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


class SnapshotInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("endpoint", c_char_p),
        ("served_name", c_char_p),
        ("entity_name", c_char_p),
        ("entity_version", c_char_p),
        ("model_hash", c_uint8 * 16),
        ("first_unix_ns", c_int64),
        ("last_unix_ns", c_int64),
        ("calls", c_uint64),
        ("rows", c_uint64),
        ("errors", c_uint64),
        ("shadow_calls", c_uint64),
        ("sampled_rows", c_uint64),
        ("unscored_rows", c_uint64),
        ("latency_sum_ns", c_uint64),
        ("expected_rows", c_uint64),
        ("n_features", c_uint32),
        ("n_scores", c_uint32),
        ("output", c_int32),
        ("reserved", c_uint32),
    ]


class HistogramStruct(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("type", c_int32),
        ("n_edges", c_uint32),
        ("edges", POINTER(c_double)),
        ("counts", POINTER(c_uint64)),
        ("missing", c_uint64),
        ("unknown", c_uint64),
        ("expected", POINTER(c_uint64)),
        ("expected_missing", c_uint64),
        ("expected_unknown", c_uint64),
        ("sum", c_double),
    ]


class ReferenceOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("plan", c_void_p),
        ("output", c_int32),
        ("n_bins", c_uint32),
        ("n_categories", c_uint32),
        ("max_features", c_uint32),
    ]


class DriftStruct(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("level", c_int32),
        ("chi2_df", c_uint32),
        ("expected_rows", c_uint64),
        ("actual_rows", c_uint64),
        ("psi", c_double),
        ("js_distance", c_double),
        ("ks_statistic", c_double),
        ("ks_p_value", c_double),
        ("chi2", c_double),
        ("chi2_p_value", c_double),
        ("missing_rate", c_double),
        ("missing_change", c_double),
        ("unknown_rate", c_double),
        ("noise", c_double),
    ]


class PrometheusOptions(ctypes.Structure):
    _fields_ = [("struct_size", c_size_t), ("flags", c_uint32), ("reserved", c_uint32)]


_H, _OUT, _ERROR = c_void_p, POINTER(c_void_p), POINTER(Error)
declare(
    {
        "score_statistics_new": (c_int32, [_H, POINTER(StatisticsOptions), _OUT, _ERROR]),
        "score_statistics_free": (None, [_H]),
        "score_statistics_record": (None, [_H, POINTER(Call)]),
        "score_statistics_snapshot": (c_int32, [_H, _OUT, _ERROR]),
        "score_snapshot_free": (None, [_H]),
        "score_snapshot_get_info": (c_int32, [_H, POINTER(SnapshotInfo)]),
        "score_snapshot_errors": (c_uint64, [_H, c_int32]),
        "score_snapshot_feature": (c_int32, [_H, c_uint32, POINTER(HistogramStruct)]),
        "score_snapshot_score": (c_int32, [_H, c_uint32, POINTER(HistogramStruct)]),
        "score_snapshot_latency": (c_double, [_H, c_double]),
        "score_snapshot_latency_within": (c_uint64, [_H, c_uint32]),
        "score_snapshot_merge": (c_int32, [_H, _H, _ERROR]),
        "score_snapshot_serialise": (c_int32, [_H, _OUT, POINTER(c_size_t), _ERROR]),
        "score_snapshot_free_bytes": (None, [_H, c_void_p, c_size_t]),
        "score_snapshot_read": (c_int32, [c_char_p, c_size_t, c_void_p, _OUT, _ERROR]),
        "score_snapshot_save_file": (c_int32, [_H, c_char_p, _ERROR]),
        "score_snapshot_open_file": (c_int32, [c_char_p, c_void_p, _OUT, _ERROR]),
        "score_reference_new": (c_int32, [_H, POINTER(Input), POINTER(ReferenceOptions), _OUT, _ERROR]),
        "score_reference_text": (c_int32, [_H, _OUT, POINTER(c_size_t), _ERROR]),
        "score_reference_of": (c_int32, [_H, c_void_p, _OUT, _ERROR]),
        "score_drift_of": (c_int32, [POINTER(HistogramStruct), POINTER(DriftStruct), _ERROR]),
        "score_drift_level_name": (c_char_p, [c_int32]),
        "score_prometheus_text": (
            c_int32,
            [POINTER(c_void_p), c_size_t, POINTER(PrometheusOptions), c_char_p, c_size_t, POINTER(c_size_t), _ERROR],
        ),
    }
)
REFERENCE_KEY = "reference.histograms"
NO_REFERENCE, CALL_SHADOW = 1, 1
OPENMETRICS, NO_FEATURES, FEATURE_BINS = 1, 2, 4
_OUTPUT_NAMES = {number: name for name, number in OUTPUTS.items()}


@dataclass(frozen=True)
class Drift:
    """How far counts are from the expected ones; NaN where something cannot be said.

    `level` is "stable" (psi < 0.1), "moderate" (psi < 0.25), "shifted", or "unknown" without a reference or rows,
    and where psi is 0.1 or more by chance: below three times the noise, or of fewer than five rows per bin.
    """

    level: str
    expected_rows: int
    actual_rows: int
    psi: float  # shares below 1e-4 taken as 1e-4
    js_distance: float  # base 2
    ks_statistic: float  # numeric only, at the edges
    ks_p_value: float
    chi2: float
    chi2_df: int
    chi2_p_value: float
    missing_rate: float
    missing_change: float
    unknown_rate: float
    noise: float  # psi to expect from sampling alone


@dataclass(frozen=True, eq=False)  # arrays have no equality that is one answer
class Histogram:
    """Counts of one feature or score: bin k is edges[k-1] < x <= edges[k]; of a category x == edges[k], the last others."""

    name: str
    type: str  # "numeric" or "category"
    edges: np.ndarray  # float64 [n_edges]
    counts: np.ndarray  # uint64 [n_edges + 1]
    missing: int
    unknown: int
    expected: Optional[np.ndarray]  # uint64 [n_edges + 1], of the training data
    expected_missing: int
    expected_unknown: int
    sum: float  # of scores; 0 for features
    drift: Drift


class Snapshot:
    """What was counted up to some moment. Made by :meth:`Statistics.snapshot`, :meth:`open` or :meth:`from_bytes`."""

    __slots__ = ("_handle", "_free")
    _handle: int
    _free: Callable[[int], None]

    def __init__(self) -> None:
        raise TypeError("scoreline.Snapshot is made by Statistics.snapshot(), Snapshot.open() or Snapshot.from_bytes()")

    @classmethod
    def _of_handle(cls, handle: int) -> "Snapshot":
        self = object.__new__(cls)
        self._free, self._handle = lib.score_snapshot_free, handle
        return self

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._free(handle)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Snapshot":
        """Read what :meth:`to_bytes` made. The bytes are not trusted: CorruptError, VersionError."""
        data = bytes(data)
        return cls._of_handle(new_handle(lib.score_snapshot_read, data, len(data), None))

    @classmethod
    def open(cls, path: Union[str, "os.PathLike[str]"]) -> "Snapshot":
        """Read a ``.sls`` file."""
        return cls._of_handle(new_handle(lib.score_snapshot_open_file, c_path(path), None))

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Write a ``.sls`` file; it appears only when it is complete."""
        error = Error()
        check(lib.score_snapshot_save_file(self._handle, c_path(path), byref(error)), error)

    def to_bytes(self) -> bytes:
        """msgpack; the same counts give the same bytes."""
        data, size, error = c_void_p(), c_size_t(), Error()
        check(lib.score_snapshot_serialise(self._handle, byref(data), byref(size), byref(error)), error)
        try:
            return ctypes.string_at(data, size.value)
        finally:
            lib.score_snapshot_free_bytes(self._handle, data, size)

    def merge(self, other: "Snapshot") -> "Snapshot":
        """A new snapshot with the counts of both. ShapeError if they count different things."""
        merged, error = Snapshot.from_bytes(self.to_bytes()), Error()
        check(lib.score_snapshot_merge(merged._handle, other._handle, byref(error)), error)
        return merged

    def __reduce__(self) -> Tuple[Any, ...]:
        return Snapshot.from_bytes, (self.to_bytes(),)

    def _info(self) -> SnapshotInfo:
        info = filled(SnapshotInfo)
        check(lib.score_snapshot_get_info(self._handle, byref(info)), Error())
        return info

    @property
    def info(self) -> Dict[str, Any]:
        """Labels and totals: endpoint, served_name, entity_name, entity_version, calls, rows, errors, sampled_rows, …"""
        info = self._info()
        skipped = ("struct_size", "reserved", "model_hash", "output")
        found = {name: getattr(info, name) for name, *_ in SnapshotInfo._fields_ if name not in skipped}
        found = {name: text(value) if isinstance(value, bytes) else value for name, value in found.items()}
        identity = bytes(info.model_hash)
        found["model_hash"] = identity.hex() if any(identity) else ""
        found["output"] = _OUTPUT_NAMES[info.output]
        return found

    @property
    def rows(self) -> int:
        """Rows of calls that succeeded."""
        return self._info().rows

    @property
    def calls(self) -> int:
        """Calls, failed ones too."""
        return self._info().calls

    @property
    def errors(self) -> Dict[str, int]:
        """Failed calls by status: {"shape": 3}."""
        names = {code: text(lib.score_status_name(code)) for code in range(1, 10)}
        names[-1] = "other"
        counts = {name: lib.score_snapshot_errors(self._handle, code) for code, name in names.items()}
        return {name: count for name, count in counts.items() if count}

    @property
    def features(self) -> List[Histogram]:
        """Histograms of the features, over the sampled rows."""
        n = self._info().n_features
        return [self._histogram(lib.score_snapshot_feature, i) for i in range(n)]

    @property
    def scores(self) -> List[Histogram]:
        """Histograms of the scores, one for each value per row, over all rows."""
        n = self._info().n_scores
        return [self._histogram(lib.score_snapshot_score, i) for i in range(n)]

    def _histogram(self, function: Any, i: int) -> Histogram:
        h, d, error = filled(HistogramStruct), filled(DriftStruct), Error()
        check(function(self._handle, i, byref(h)), error)
        check(lib.score_drift_of(byref(h), byref(d), byref(error)), error)
        measures = {name: getattr(d, name) for name, *_ in DriftStruct._fields_[2:]}
        n = h.n_edges
        return Histogram(
            name=text(h.name),
            type="category" if h.type else "numeric",
            edges=np.array(h.edges[:n], dtype=np.float64),
            counts=np.array(h.counts[: n + 1], dtype=np.uint64),
            missing=h.missing,
            unknown=h.unknown,
            expected=np.array(h.expected[: n + 1], dtype=np.uint64) if h.expected else None,
            expected_missing=h.expected_missing,
            expected_unknown=h.expected_unknown,
            sum=h.sum,
            drift=Drift(level=text(lib.score_drift_level_name(d.level)), **measures),
        )

    def drift(self) -> Dict[str, Drift]:
        """Drift of every feature and score by name, the largest PSI first. A feature with the name of a score, as those of
        models over others' predictions have it, stands under "feature " and its name."""
        scores, features = self.scores, self.features
        taken = {h.name for h in scores}
        found = {h.name: h.drift for h in scores}
        found.update({f"feature {h.name}" if h.name in taken else h.name: h.drift for h in features})
        return dict(sorted(found.items(), key=lambda item: -np.nan_to_num(item[1].psi, nan=-1)))

    def latency(self, q: float) -> float:
        """Seconds below which a share `q` of the calls stayed, within 1 %; NaN without calls."""
        return lib.score_snapshot_latency(self._handle, q) * 1e-9

    def __repr__(self) -> str:
        info = self.info
        name = "/".join(info[key] for key in ("endpoint", "served_name", "entity_name", "entity_version") if info[key])
        return f"<scoreline.Snapshot {name}: {info['rows']} rows in {info['calls']} calls, {info['errors']} errors>"


class Statistics(Owner):
    """Counters of one served version. Any number of threads may record at once.

    Args:
        model: whose calls are counted.
        endpoint, served_name, entity_name, entity_version: labels.
        output: "prediction", "margin" or "class": whose values have histograms.
        sample_every: one row in so many has its features looked at, on average. 0: the default, 128.
        n_shards: threads that may record at once without sharing. 0: 16.
        reference: whether to use the edges and expected counts that stand in the model.
    """

    __slots__ = ("_handle", "_free", "model", "_output")

    def __init__(
        self,
        model: "Model",
        *,
        endpoint: Optional[str] = None,
        served_name: Optional[str] = None,
        entity_name: Optional[str] = None,
        entity_version: Optional[str] = None,
        output: str = "prediction",
        sample_every: int = 0,
        n_shards: int = 0,
        reference: bool = True,
    ):
        options = filled(StatisticsOptions)
        labels = {"endpoint": endpoint, "served_name": served_name, "entity_name": entity_name, "entity_version": entity_version}
        for key, value in labels.items():
            setattr(options, key, None if value is None else c_text(value, key))
        if output not in OUTPUTS:
            raise ValueError(f"expected output 'prediction', 'margin' or 'class', found {output!r}")
        options.output, options.sample_every = OUTPUTS[output], c_count("sample_every", sample_every)
        options.n_shards = c_count("n_shards", n_shards)
        options.flags = 0 if reference else NO_REFERENCE
        self.model, self._output = model, output
        self._free = lib.score_statistics_free
        self._handle = new_handle(lib.score_statistics_new, model._handle, byref(options))

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._free(handle)

    def predict(self, X: Any, *, absent: Optional[str] = None) -> np.ndarray:
        """Score rows as :meth:`Model.predict` does, and count the call, failed or not. The rows are asked for once: a stream
        counts as a call for each of its chunks."""
        started, began = time.time_ns(), time.perf_counter_ns()

        def count(rows: Any, values: np.ndarray) -> None:
            nonlocal started, began
            latency = time.perf_counter_ns() - began
            self._count(rows, np.ascontiguousarray(values, dtype=np.float64), started, latency, 0)
            started, began = time.time_ns(), time.perf_counter_ns()

        try:
            return self.model._predict(X, self._output, None, None, absent, observe=count)
        except Exception as error:
            self._count(None, None, started, time.perf_counter_ns() - began, getattr(error, "status", 0) or 1)
            raise

    def record(
        self,
        X: Any,
        values: np.ndarray,
        *,
        latency: float,
        started: Optional[int] = None,
        shadow: bool = False,
        absent: Optional[str] = None,
    ) -> None:
        """Count a call that has been answered elsewhere.

        Args:
            X: the rows that were scored, as for :meth:`Model.predict`.
            values: what was answered: [n_rows] or [n_rows, values].
            latency: of the call, in seconds.
            started: nanoseconds since 1970, UTC; None: now.
            shadow: nobody received the answer.

        A stream of several chunks counts as that many calls, each with its share of the latency.
        """
        values = np.ascontiguousarray(values, dtype=np.float64)
        position = 0
        with closing(_input.tables(X, self.model, absent)) as tables:
            for rows in tables:
                part = values[position : position + rows.n_rows]
                if len(part) != rows.n_rows:
                    raise ShapeError(f"expected a value for every row, found {len(values)} values for more rows")
                share = latency * len(part) / max(len(values), 1)
                self._count(rows, part, started, int(share * 1e9), 0, shadow)
                position += rows.n_rows
        if position != len(values):
            raise ShapeError(f"expected values of {position} rows, found {len(values)}")

    def _count(
        self, rows: Any, values: Any, started: Optional[int], latency_ns: int, status: int, shadow: bool = False
    ) -> None:
        call = filled(Call)
        call.model = self.model._handle
        call.output, call.status = OUTPUTS[self._output], status
        call.started_unix_ns = time.time_ns() if started is None else started
        call.latency_ns, call.flags = latency_ns, CALL_SHADOW if shadow else 0
        if rows is not None:
            call.plan = rows.plan.handle if rows.plan is not None else None
            call.input = ctypes.pointer(rows.input)
            call.out = values.ctypes.data
            call.out_width = values.shape[1] if values.ndim > 1 else 1
        lib.score_statistics_record(self._handle, byref(call))

    def snapshot(self) -> Snapshot:
        """What was counted so far."""
        return Snapshot._of_handle(new_handle(lib.score_statistics_snapshot, self._handle))


def reference_text(
    model: "Model", X: Any, *, output: str = "prediction", n_bins: int = 10, absent: Optional[str] = None
) -> str:
    """The reference of training rows as it stands in a model's metadata."""
    options = filled(ReferenceOptions)
    options.output, options.n_bins = OUTPUTS[output], c_count("n_bins", n_bins)
    with closing(_input.tables(X, model, absent)) as tables:
        parts = iter(tables)
        rows = next(parts, None)
        if rows is None or rows.n_rows == 0:
            raise ShapeError("expected a reference of at least one row, found none")
        options.plan = rows.plan.handle if rows.plan is not None else None
        found = new_handle(lib.score_reference_new, model._handle, byref(rows.input), byref(options))
        reference = Snapshot._of_handle(found)
        if next(parts, None) is not None:
            raise ShapeError("expected a reference in one piece, found a stream of several: combine its chunks")
    data, size, error = c_void_p(), c_size_t(), Error()
    check(lib.score_reference_text(reference._handle, byref(data), byref(size), byref(error)), error)
    try:
        return ctypes.string_at(data, size.value).decode("ascii")
    finally:
        lib.score_snapshot_free_bytes(reference._handle, data, size.value + 1)


def reference_of(model: "Model") -> Optional[Snapshot]:
    """The reference that stands in a model; None if there is none."""
    handle = new_handle(lib.score_reference_of, model._handle, None)
    return Snapshot._of_handle(handle) if handle else None


def prometheus_text(
    snapshots: Sequence[Snapshot], *, openmetrics: bool = False, features: bool = True, feature_bins: bool = False
) -> str:
    """The metrics of snapshots, whose labels must differ, for a Prometheus server to scrape.

    Args:
        openmetrics: as application/openmetrics-text; version=1.0.0, else as text/plain; version=0.0.4.
        features: metrics per feature too.
        feature_bins: value histograms of features too: many series.
    """
    options = filled(PrometheusOptions)
    options.flags = (OPENMETRICS * openmetrics) | (NO_FEATURES * (not features)) | (FEATURE_BINS * feature_bins)
    handles = (c_void_p * len(snapshots))(*[s._handle for s in snapshots])
    needed, error = c_size_t(), Error()

    def write(buffer: Any, size: int) -> int:
        return lib.score_prometheus_text(
            handles, len(snapshots), byref(options), buffer, size, byref(needed), byref(error)
        )

    check(write(None, 0), error)
    buffer = ctypes.create_string_buffer(needed.value + 1)
    check(write(buffer, len(buffer)), error)
    return buffer.value.decode("utf-8")
