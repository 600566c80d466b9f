"""The class :class:`FeatureTable`: a ``.sft`` file, and building one from Arrow.

Comes in: a path; tables with the Arrow PyCapsule interface; keys. Goes out: looked-up columns as ``_tables.Values``.
pyarrow is imported when a table is built.
"""

from __future__ import annotations

import ctypes
import datetime
import os
import sys
from ctypes import byref, c_int32
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import _tables
from ._errors import ArgumentError, ShapeError
from ._library import BOOL, Column, Error, Owner, STRING, Strings, c_path, c_text, check, filled, lib, new_handle
from ._tables import Packed, TableField, TableOptions, TableSchema, Values

_PathLike = Union[str, "os.PathLike[str]"]


class FeatureTable(Owner):
    """A ``.sft`` file: keys to typed columns, optionally rows over time. Safe to share between threads.

    Args:
        path: the file. It may be replaced by rename; :meth:`refresh` then goes over to the new one.
        verify: read all of the file and compare its hash.
        preload: bring all of it into memory now.
        copy: into memory of this process, in huge pages where the system has them; faster for large tables, not shared.

    Raises:
        FileError, CorruptError, VersionError: with the library's message.
    """

    def __init__(self, path: _PathLike, *, verify: bool = False, preload: bool = False, copy: bool = False):
        options = filled(TableOptions)
        options.flags = (_tables.VERIFY if verify else 0) | (_tables.PRELOAD if preload else 0) | (_tables.COPY if copy else 0)
        self._free = lib.score_table_source_free
        self._close = lib.score_table_close
        self._source: Optional[int] = None
        self._source = new_handle(lib.score_table_source_open, c_path(path), byref(options))
        self.path = os.fspath(path)
        self._texts: Dict[str, Dict[int, np.ndarray]] = {}
        handle = lib.score_table_acquire(self._source)
        try:
            self._described = _tables.describe(handle)
        finally:
            self._close(handle)

    def __del__(self) -> None:
        if getattr(self, "_source", None) is not None:
            self._free(self._source)

    def __len__(self) -> int:
        """Rows of the table as it was when it was opened or refreshed last."""
        return self._described.n_rows

    @property
    def keys(self) -> List[str]:
        """Names of the key columns, in order."""
        return [name for name, _ in self._described.keys]

    @property
    def columns(self) -> Dict[str, str]:
        """Feature columns and their types: "f64", "f32", "i64", "i32", "bool" or "string"."""
        return {name: _tables.NAMES[code] for name, code in self._described.columns}

    @property
    def timestamp(self) -> Optional[str]:
        """Name of the time column, or None."""
        return self._described.timestamp

    @property
    def hash(self) -> str:
        """XXH3-128 of the file in hexadecimal."""
        return self._described.hash

    def verify(self) -> None:
        """Read everything and compare the hash; CorruptError if it differs."""
        handle, error = lib.score_table_acquire(self._source), Error()
        try:
            check(lib.score_table_verify(handle, byref(error)), error)
        finally:
            self._close(handle)

    def refresh(self) -> bool:
        """Go over to a file that has replaced this one; True if there is one. Lookups that run keep the old one.

        Raises:
            ShapeError: the new file has other keys or columns; FileError, CorruptError: it cannot be used. The old table stays.
        """
        changed, error = c_int32(), Error()
        check(lib.score_table_source_refresh(self._source, byref(changed), byref(error)), error)
        if changed.value:
            handle = lib.score_table_acquire(self._source)
            try:
                self._described = _tables.describe(handle)
            finally:
                self._close(handle)
        return bool(changed.value)

    def get(self, *key: Any, at: Any = None) -> Optional[Dict[str, Any]]:
        """The features of one key as a dictionary, None for nulls; None if there is no row. `at`: the latest row not after it."""
        if len(key) != len(self.keys):
            raise ShapeError(f"the key has the parts {', '.join(self.keys)}; found {len(key)}")
        values, found = self.lookup([[part] for part in key], at=None if at is None else [at])
        return {name: column.objects()[0] for name, column in values.items()} if found[0] else None

    def lookup(
        self, keys: Sequence[Any], columns: Optional[Sequence[str]] = None, at: Any = None, lookback: Any = None
    ) -> Tuple[Dict[str, Values], np.ndarray]:
        """Features of many keys.

        Args:
            keys: one sequence [n_rows] per key column, in the table's order: NumPy, pandas, Arrow or lists.
            columns: which; all of them if None.
            at: event times [n_rows], dates or numbers in the table's unit; for each the latest row not after it.
            lookback: timedelta, or number in the table's unit, of at least one unit: older rows count as not found. None: any
                age counts.

        Returns:
            Values by column name (``values`` [n_rows], ``valid`` [n_rows], ``texts``), and bool [n_rows]: there is a row.
        """
        numbers = self._numbers(columns)
        packed = self._pack_keys(keys)
        n_rows = len(keys[0])
        if any(len(key) != n_rows for key in keys):
            raise ShapeError(f"the key columns have {', '.join(str(len(key)) for key in keys)} rows; expected as many in each")
        times = None if at is None else _tables.pack_times(at, self._described.unit, "the time of the lookup")
        handle = lib.score_table_acquire(self._source)
        try:
            # Texts have other numbers in every file.
            info = filled(_tables.TableInfo)
            check(lib.score_table_get_info(handle, byref(info)), Error())
            version = bytes(info.hash).hex()
            texts = self._texts.get(version)
            if texts is None:
                texts = {}
                self._texts = {version: texts}
            values, found = _tables.look_up(handle, packed, times, self._lookback(lookback), n_rows, numbers, texts)
        finally:
            self._close(handle)
        names = [self._described.columns[number][0] for number, _ in numbers]
        return dict(zip(names, values)), found

    def _numbers(self, columns: Optional[Sequence[str]]) -> List[Tuple[int, int]]:
        places = {name: (i, code) for i, (name, code) in enumerate(self._described.columns)}
        unknown = [name for name in columns or () if name not in places]
        if unknown:
            raise ShapeError(f"{self.path!r} has no column {unknown[0]!r}; it has {', '.join(map(repr, places))}")
        return [places[name] for name in (places if columns is None else columns)]

    def _pack_keys(self, keys: Sequence[Any]) -> List[Packed]:
        if len(keys) != len(self._described.keys):
            raise ShapeError(f"{self.path!r} has the key columns {', '.join(self.keys)}; found {len(keys)}")
        return [
            _tables.pack_key(values, code, f"key column {name!r} of {self.path!r}")
            for values, (name, code) in zip(keys, self._described.keys)
        ]

    def _lookback(self, lookback: Any) -> int:
        """The window in the table's unit; 0, which is any age to the library, only for None."""
        if lookback is None:
            return 0
        window, unit = _tables.window_of(lookback), self._described.unit
        if isinstance(window, datetime.timedelta):
            if unit not in _tables.UNITS:
                raise ShapeError(
                    f"a look-back window as timedelta needs dates; the timestamp of {self.path!r} is a plain number"
                )
            number = window // datetime.timedelta(microseconds=1) * _tables.UNITS[unit] // 1_000_000
        else:
            number = _tables.whole(window, "the look-back window")
        if number < 1:
            raise ArgumentError(
                f"the look-back window {lookback} is less than one {unit or 'unit'} of the timestamp of {self.path!r}: give at "
                "least that, or None for rows of any age"
            )
        return number

    # ---- building ----------------------------------------------------------------------------------------------------

    @classmethod
    def build(
        cls,
        path: _PathLike,
        data: Any,
        *,
        key: Union[str, Sequence[str]],
        timestamp: Optional[str] = None,
        unit: Optional[str] = None,
        memory_bytes: int = 0,
    ) -> "FeatureTable":
        """Write a table and open it. The file replaces an older one in one step.

        Args:
            path: where.
            data: anything with the Arrow PyCapsule interface (pyarrow, polars, DuckDB, pandas), read batch by batch, so that
                a ``pyarrow.RecordBatchReader`` of any length takes bounded memory. Needs pyarrow.
            key: name or names of the key columns, in order: integers or strings.
            timestamp: name of the time column: dates, or whole numbers. A key then has rows over time.
            unit: what a timestamp in numbers counts since 1970: "s", "ms", "us" or "ns".
            memory_bytes: upper bound of what the builder takes; 0 is 512 MiB.

        Raises:
            ShapeError: a key twice, or missing (the message counts rows from 1), or a column of another type.
        """
        import pyarrow

        reader = _record_batches(data, pyarrow)
        keys = [key] if isinstance(key, str) else list(key)
        plan = _BuildPlan(reader.schema, keys, timestamp, unit, pyarrow)
        builder = new_handle(lib.score_table_builder_new, c_path(path), byref(plan.schema(memory_bytes)))
        error = Error()
        try:
            for batch in reader:
                packed = plan.pack(batch)
                columns = (Column * len(packed))(*(part.column for part in packed))
                check(lib.score_table_builder_add(builder, columns, len(packed), batch.num_rows, None, byref(error)), error)
            check(lib.score_table_builder_finish(builder, byref(error)), error)
        finally:
            lib.score_table_builder_free(builder)
        return cls(path)


def _record_batches(data: Any, pyarrow: Any) -> Any:
    if isinstance(data, pyarrow.RecordBatchReader):
        return data
    if isinstance(data, pyarrow.RecordBatch):
        data = pyarrow.Table.from_batches([data])
    if isinstance(data, pyarrow.Table):
        return data.to_reader()
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return pyarrow.Table.from_pandas(data, preserve_index=False).to_reader()
    if hasattr(data, "__arrow_c_stream__"):
        return pyarrow.RecordBatchReader.from_stream(data)
    raise TypeError(f"expected a table with the Arrow PyCapsule interface, found {type(data).__name__}")


class _BuildPlan:
    """Which Arrow column becomes what, and the conversions of a batch."""

    def __init__(self, schema: Any, keys: List[str], timestamp: Optional[str], unit: Optional[str], pyarrow: Any):
        self._arrow = pyarrow
        before = keys + ([timestamp] if timestamp is not None else [])
        for name in before:
            if schema.get_field_index(name) < 0:
                raise ShapeError(f"the data has no column {name!r} (or has it twice); it has {', '.join(map(repr, schema.names))}")
        self.names = before + [name for name in schema.names if name not in before]
        self._n_keys, self._timestamp, self._unit = len(keys), timestamp, unit
        self._places = [schema.get_field_index(name) for name in self.names]
        self._targets = [self._target(schema.field(place).type, name) for place, name in zip(self._places, self.names)]

    def _target(self, kind: Any, name: str) -> Tuple[int, Any]:
        """Type in the table, and the Arrow type to cast to."""
        types, arrow = self._arrow.types, self._arrow
        if types.is_dictionary(kind):
            kind = kind.value_type
        is_key = name in self.names[: self._n_keys]
        if name == self._timestamp and (types.is_timestamp(kind) or types.is_date(kind)):
            if self._unit is not None:
                raise ShapeError(f"unit is for timestamps that are numbers; {name!r} holds dates")
            self._unit = kind.unit if types.is_timestamp(kind) else "s"
            return _tables.TYPES["i64"], arrow.timestamp(self._unit)
        if types.is_string(kind) or types.is_large_string(kind) or kind == getattr(arrow, "string_view", lambda: None)():
            return STRING, arrow.large_string()
        if types.is_integer(kind):
            narrow = kind.bit_width < 32 or kind == arrow.int32()
            if narrow and not is_key and name != self._timestamp:
                return _tables.TYPES["i32"], arrow.int32()
            return _tables.TYPES["i64"], arrow.int64()
        if types.is_boolean(kind) and not is_key:
            return BOOL, arrow.bool_()
        if types.is_floating(kind) and not is_key and name != self._timestamp:
            is_single = kind.bit_width <= 32
            return _tables.TYPES["f32" if is_single else "f64"], arrow.float32() if is_single else arrow.float64()
        if (types.is_decimal(kind) or types.is_null(kind)) and not is_key:
            return _tables.TYPES["f64"], arrow.float64()
        expected = "integers or strings" if is_key else "numbers, booleans or strings"
        raise ShapeError(f"column {name!r} holds {kind}; expected {expected}")

    def schema(self, memory_bytes: int) -> TableSchema:
        names = [c_text(name, "the column name") for name in self.names]
        fields = (TableField * len(names))()
        for field, name, (code, _) in zip(fields, names, self._targets):
            field.name, field.type = name, code
        n_before = self._n_keys + (self._timestamp is not None)
        schema = filled(TableSchema)
        schema.keys, schema.n_keys = fields, self._n_keys
        schema.columns = ctypes.cast(ctypes.byref(fields, n_before * ctypes.sizeof(TableField)), ctypes.POINTER(TableField))
        schema.n_columns = len(names) - n_before
        schema.memory_bytes = memory_bytes
        if self._timestamp is not None:
            schema.timestamp = c_text(self._timestamp, "the timestamp")
            schema.timestamp_unit = c_text(self._unit or "", "the unit")
        return schema

    def pack(self, batch: Any) -> List[Packed]:
        out = []
        for place, (code, kind) in zip(self._places, self._targets):
            array = batch.column(place).cast(kind)
            valid = None if array.null_count == 0 else array.is_valid().to_numpy(zero_copy_only=False)
            if code == STRING:
                out.append(_pack_arrow_texts(array, valid))
                continue
            if kind.id == self._arrow.timestamp("us").id:
                array = array.cast(self._arrow.int64())
            if valid is not None:
                array = array.fill_null(False if code == BOOL else 0)
            out.append(_tables.pack(array.to_numpy(zero_copy_only=False), code, valid))
        return out


def _pack_arrow_texts(array: Any, valid: Optional[np.ndarray]) -> Packed:
    """Strings of a large_string array in place."""
    _, offsets, data = array.buffers()
    strings = filled(Strings)
    strings.offsets, strings.offset_type = offsets.address, _tables.TYPES["i64"]
    strings.data = data.address if data is not None else None
    column = Column(dtype=STRING, values=ctypes.addressof(strings), offset=array.offset)
    bits = None
    if valid is not None:
        bits = np.packbits(np.concatenate([np.zeros(array.offset, dtype=bool), valid]), bitorder="little")
        column.validity = bits.ctypes.data
    return Packed(column, (strings, array, bits))
