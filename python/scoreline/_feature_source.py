"""The class :class:`FeatureSource`: what stands behind a lookup in place of a ``.sft`` file.

Comes in: keys, names, event times. Goes out: looked-up columns as ``_tables.Values``, like those of a table. The source itself
only answers keys with its latest values; which of them count at a time is decided here, once for all sources.
"""

from __future__ import annotations

import datetime
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from . import _tables
from ._errors import ArgumentError, ShapeError
from ._library import STRING
from ._tables import Values


class Fetched(NamedTuple):
    """What a source found.

    Attributes:
        columns: by name, n_rows values each; None (or NaN) where there is none.
        found: [n_rows], whether the key has a row.
        times: datetime64 [n_rows] in UTC, of the rows that were found; None: the source keeps none.
    """

    columns: Mapping[str, Sequence[Any]]
    found: Sequence[bool]
    times: Optional[np.ndarray] = None


class FeatureSource:
    """A store that holds the latest features of each key, for :class:`FeatureLookup`. Subclasses give these:

    Attributes:
        path: name for messages.
        keys: names of the key columns, in order.
        columns: feature columns and their types: "f64", "f32", "i64", "i32", "bool" or "string".
        ttl: how long a row counts, from its time on; None or 0: for ever. A lookup's ``lookback_window`` takes its place.

    As of a time, a source can only say what its latest row says: a key whose row is later has no row.
    """

    path: str
    keys: List[str]
    columns: Dict[str, str]
    ttl: Optional[datetime.timedelta] = None

    def fetch(self, keys: List[List[Any]], columns: List[str]) -> Fetched:
        """The latest row of each key.

        Args:
            keys: for each key column n_rows values: int or str, None for a missing one.
            columns: which features.
        """
        raise NotImplementedError

    def refresh(self) -> bool:
        """As of :class:`FeatureTable`, called before each use; a store that changes in place has nothing to do."""
        return False

    def lookup(
        self, keys: Sequence[Any], columns: Optional[Sequence[str]] = None, at: Any = None, lookback: Any = None
    ) -> Tuple[Dict[str, Values], np.ndarray]:
        """As :meth:`FeatureTable.lookup`; ``lookback`` is a timedelta."""
        names = list(self.columns if columns is None else columns)
        unknown = [name for name in names if name not in self.columns]
        if unknown:
            raise ShapeError(f"{self.path!r} has no column {unknown[0]!r}; it has {', '.join(map(repr, self.columns))}")
        if len(keys) != len(self.keys):
            raise ShapeError(f"{self.path!r} has the key columns {', '.join(self.keys)}; found {len(keys)}")
        listed = [_key_objects(values, f"key column {name!r} of {self.path!r}") for values, name in zip(keys, self.keys)]
        fetched = self.fetch(listed, names)
        found = np.array(fetched.found, dtype=bool) & self._counts(fetched.times, at, lookback, len(listed[0]))
        return {name: _values(fetched.columns[name], _tables.TYPES[self.columns[name]], found) for name in names}, found

    def _counts(self, times: Optional[np.ndarray], at: Any, lookback: Any, n_rows: int) -> np.ndarray:
        """Where a row of that time counts: not after the event, and not older than the window before it (or before now)."""
        lookback = _tables.window_of(lookback)
        if lookback is not None and not isinstance(lookback, datetime.timedelta):
            raise ShapeError(f"{self.path!r} takes a look-back window as timedelta, found {lookback!r}")
        if lookback is not None and lookback <= datetime.timedelta(0):
            raise ArgumentError(f"the look-back window {lookback} is none: give a longer one, or None for rows of any age")
        window = (self.ttl if lookback is None or at is None else lookback) or None
        if at is None and window is None:
            return np.ones(n_rows, dtype=bool)
        if times is None:
            raise ShapeError(f"{self.path!r} keeps no times of its rows, so that it cannot answer as of a time")
        reference = _event_times(at) if at is not None else np.full(n_rows, np.datetime64(_now(), "us"))
        # Comparisons with NaT, a missing time, are false.
        counts = times <= reference if at is not None else ~np.isnat(times)
        return counts if window is None else counts & (times >= reference - np.timedelta64(window))


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


def _event_times(at: Any) -> np.ndarray:
    """datetime64[us] in UTC, NaT where a time is missing."""
    packed = _tables.pack_times(at, "us", "the time of the lookup")
    times, bits = packed.owned
    if bits is None:
        return times.view("datetime64[us]")
    valid = np.unpackbits(bits, count=len(times), bitorder="little").astype(bool)
    return np.where(valid, times, np.iinfo(np.int64).min).view("datetime64[us]")


def _key_objects(values: Any, what: str) -> List[Any]:
    """Whole floats, as pandas makes of integers with gaps, become integers."""
    objects = _tables.plain_objects(values)
    for i, value in enumerate(objects):
        if isinstance(value, float):
            objects[i] = _tables.whole(value, what, "whole numbers or texts")
    return objects


def _values(given: Sequence[Any], code: int, found: np.ndarray) -> Values:
    objects = _tables.plain_objects(given)
    valid = found & np.array([value is not None for value in objects], dtype=bool)
    if code == STRING:
        texts, numbers = np.unique([str(value) if ok else "" for value, ok in zip(objects, valid)], return_inverse=True)
        return Values(code, numbers.astype(np.int32), valid, texts.astype(object))
    return Values(code, np.array([value if ok else 0 for value, ok in zip(objects, valid)], dtype=_tables.NUMPY[code]), valid, None)
