"""Capture logs as Arrow streams, and as tables of DuckDB, PostgreSQL and Delta Lake.

>>> import scoreline.log
>>> scoreline.log.read("calls/").read_all()                                    # a record per call
>>> scoreline.log.read("calls/", "predictions", score_name="fraud_score")      # a row per prediction
>>> scoreline.log.to_duckdb("calls/", "ml.db", "fraud_detection", score_name="fraud_score")
>>> scoreline.log.to_delta("calls/", "lake/fraud_detection", score_name="fraud_score")     # what is new since last time

Relies on pyarrow; on duckdb, psycopg (3) or deltalake only where their tables are written.
"""

from __future__ import annotations

import os
import re
import time
import warnings
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple, Union

import pyarrow as pa

from ._errors import CorruptError, FileError
from ._log_records import Log, Paths, Record, Segment, dump

__all__ = ["Segment", "read", "segments", "to_delta", "to_duckdb", "to_postgres"]

_STRING, _DOUBLE, _LONG, _INT = pa.string(), pa.float64(), pa.int64(), pa.int32()
# UTC without a zone, so that DATE(…) in a database does not depend on the session.
_TIME = pa.timestamp("us")
_REFUSED = {"argument", "shape", "limit", "unsupported"}

Row = Tuple[Any, ...]


def _status_code(status: str) -> int:
    """As an HTTP server would have answered."""
    return 200 if status == "ok" else 400 if status in _REFUSED else 500


def _micros(ns: int) -> int:
    return ns // 1000


def _outputs(record: Record) -> list:
    """Of one value per row the value itself, else a list."""
    return [row[0] if len(row) == 1 else row for row in record.outputs]


def _response(record: Record) -> str:
    return dump({"predictions": _outputs(record)} if record.status == "ok" else {"error_code": record.status})


def _calls(record: Record) -> Iterator[Row]:
    yield (
        record.request_id,
        record.started_unix_ns,
        record.endpoint,
        record.served_name,
        record.entity_name,
        record.entity_version,
        record.model_name,
        record.model_hash,
        record.status,
        record.latency_ns,
        record.sampling_fraction,
        record.shadow,
        record.output,
        record.call_rows,
        record.first_row,
        record.frame(),
        record.outputs,
    )


def _payload(record: Record) -> Iterator[Row]:
    metadata = {
        "endpoint_name": record.endpoint,
        "model_name": record.entity_name or record.model_name,
        "model_version": record.entity_version,
    }
    yield (
        record.request_id,
        None,
        record.started_unix_ns // (86400 * 10**9),
        record.started_unix_ns // 10**6,
        _status_code(record.status),
        record.latency_ns // 10**6,
        record.frame(),
        _response(record),
        record.sampling_fraction,
        list(metadata.items()),
    )


def _gateway(record: Record) -> Iterator[Row]:
    yield (
        record.started_unix_ns // (86400 * 10**9),
        record.request_id,
        _micros(record.started_unix_ns),
        _status_code(record.status),
        record.sampling_fraction,
        record.latency_ns // 10**6,
        record.frame(),
        _response(record),
        record.served_name,
        [],
        None,
    )


def _predictions(record: Record, score_index: int) -> Iterator[Row]:
    for row in range(len(record.inputs)):
        outputs = record.outputs[row] if record.outputs else []
        yield (
            record.request_id,
            _micros(record.started_unix_ns),
            record.first_row + row,
            record.endpoint,
            record.served_name,
            record.entity_name or record.model_name,
            record.entity_version,
            record.model_hash,
            record.latency_ns / 1e6,
            record.sampling_fraction,
            record.shadow,
            outputs[score_index] if score_index < len(outputs) else None,
            record.row_object(row),
            outputs,
        )


_COLUMNS: Dict[str, List[Tuple[str, pa.DataType]]] = {
    "calls": [
        ("request_id", _STRING), ("started_at", pa.timestamp("ns", "UTC")), ("endpoint", _STRING),
        ("served_name", _STRING), ("entity_name", _STRING), ("entity_version", _STRING), ("model_name", _STRING),
        ("model_hash", _STRING), ("status", _STRING), ("latency_ns", _LONG), ("sampling_fraction", _DOUBLE),
        ("shadow", pa.bool_()), ("output", _STRING), ("call_rows", _LONG), ("first_row", _LONG), ("inputs", _STRING),
        ("outputs", pa.list_(pa.list_(_DOUBLE))),
    ],
    "payload": [
        ("databricks_request_id", _STRING), ("client_request_id", _STRING), ("date", pa.date32()), ("timestamp_ms", _LONG),
        ("status_code", _INT), ("execution_time_ms", _LONG), ("request", _STRING), ("response", _STRING),
        ("sampling_fraction", _DOUBLE), ("request_metadata", pa.map_(_STRING, _STRING)),
    ],
    "gateway": [
        ("request_date", pa.date32()), ("databricks_request_id", _STRING), ("request_time", _TIME), ("status_code", _INT),
        ("sampling_fraction", _DOUBLE), ("execution_duration_ms", _LONG), ("request", _STRING), ("response", _STRING),
        ("served_entity_id", _STRING), ("logging_error_codes", pa.list_(_STRING)), ("requester", _STRING),
    ],
    "predictions": [
        ("request_id", _STRING), ("scored_at", _TIME), ("row", _LONG), ("endpoint", _STRING), ("served_name", _STRING),
        ("model_name", _STRING), ("model_version", _STRING), ("model_hash", _STRING), ("latency_ms", _DOUBLE),
        ("sampling_fraction", _DOUBLE), ("shadow", pa.bool_()), ("score", _DOUBLE), ("inputs", _STRING),
        ("outputs", pa.list_(_DOUBLE)),
    ],
}


def _view(view: str, score_name: str, score_index: int) -> Tuple[pa.Schema, Callable[[Record], Iterator[Row]]]:
    if view not in _COLUMNS:
        raise ValueError(f"view is {view!r}: expected one of {', '.join(_COLUMNS)}")
    if score_index < 0:
        raise ValueError(f"score_index is {score_index}: expected the number of an output, from 0")
    columns = _COLUMNS[view]
    if view != "predictions":
        return pa.schema(columns), {"calls": _calls, "payload": _payload, "gateway": _gateway}[view]
    others = [name for name, _ in columns if name != "score"]
    if score_name in others or not score_name:
        raise ValueError(f"score_name is {score_name!r}: it must not be empty or one of {', '.join(others)}")
    schema = pa.schema([(score_name if name == "score" else name, kind) for name, kind in columns])
    return schema, lambda record: _predictions(record, score_index)


def _report(found: List[Segment], on_damage: str) -> None:
    for segment in found:
        if segment.end == "whole" or on_damage == "ignore":
            continue
        message = f"{segment.path}: {segment.message} (byte {segment.good_bytes})"
        if segment.end == "corrupt" or on_damage == "raise":
            raise CorruptError(message, offset=segment.good_bytes)
        warnings.warn(message, RuntimeWarning, stacklevel=2)


class _Rows:
    """Rows of records, column by column, until they become a batch."""

    def __init__(self, schema: pa.Schema, rows_of: Callable[[Record], Iterator[Row]], shadows: bool):
        self._schema, self._rows_of, self._shadows = schema, rows_of, shadows
        self._columns: List[list] = [[] for _ in schema]

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, record: Record) -> None:
        if record.shadow and not self._shadows:
            return
        for row in self._rows_of(record):
            for column, value in zip(self._columns, row):
                column.append(value)

    def take(self) -> pa.RecordBatch:
        columns, self._columns = self._columns, [[] for _ in self._schema]
        return pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, self._schema)], schema=self._schema)


def _batches(log: Log, rows: _Rows, batch_rows: int, on_damage: str) -> Iterator[pa.RecordBatch]:
    for record in log:
        rows.add(record)
        if len(rows) >= batch_rows:
            yield rows.take()
    if len(rows):
        yield rows.take()
    _report(log.segments(), on_damage)


def _checked(view: str, score_name: str, score_index: int, shadows: "bool | None", on_damage: str) -> Tuple[pa.Schema, _Rows]:
    if on_damage not in ("warn", "raise", "ignore"):
        raise ValueError(f"on_damage is {on_damage!r}: expected warn, raise or ignore")
    schema, rows_of = _view(view, score_name, score_index)
    return schema, _Rows(schema, rows_of, view == "calls" if shadows is None else shadows)


def read(paths: Paths, view: str = "calls", *, score_name: str = "score", score_index: int = 0,
         shadows: "bool | None" = None, batch_rows: int = 65536, on_damage: str = "warn") -> pa.RecordBatchReader:
    """Read logs as a stream of Arrow record batches; memory holds one batch.

    Args:
        paths: a directory of segments, a segment file, or a list of these.
        view: "calls": a row per record as it was captured; "payload" and "gateway": the columns of the platforms'
            inference tables; "predictions": a row per scored row.
        score_name: column of the score in "predictions".
        score_index: which output is the score.
        shadows: whether calls of shadow versions are there; default: in "calls" only.
        batch_rows: rows after which a batch is complete.
        on_damage: what a segment that ends in the middle of a record does: "warn" (RuntimeWarning, at the end), "raise"
            (CorruptError) or "ignore". Bytes that are no record raise unless it is "ignore".

    Raises:
        FileError: a path cannot be read. CorruptError: see ``on_damage``. ValueError: a bad argument.
    """
    if batch_rows < 1:
        raise ValueError(f"batch_rows is {batch_rows}: expected at least 1")
    schema, rows = _checked(view, score_name, score_index, shadows, on_damage)
    return pa.RecordBatchReader.from_batches(schema, _batches(Log(paths), rows, batch_rows, on_damage))


def segments(paths: Paths) -> List[Segment]:
    """Read logs to their end, and say of each segment how it ends."""
    log = Log(paths)
    for _ in log:
        pass
    return log.segments()


def _quoted(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
        raise ValueError(f"{name!r} is no plain name: give up to 63 letters, digits and '_'")
    return f'"{name}"'


def to_duckdb(paths: Paths, database: Any, table: str, *, schema: str = "inference_logs", view: str = "predictions",
              replace: bool = False, **options: Any) -> int:
    """Write logs as a table of a DuckDB database. ``ATTACH 'FILE' AS ml`` makes it ``ml.inference_logs.TABLE``.

    Args:
        paths: as in :func:`read`, as are ``view`` and ``options``.
        database: path of the database, made if it does not exist, or an open ``duckdb.DuckDBPyConnection``.
        table, schema: plain names; the schema is made if it does not exist.
        replace: whether a table of this name is replaced; otherwise it is an error of DuckDB.

    Returns:
        The number of rows written. All of them are, or none.
    """
    import duckdb

    where = f"{_quoted(schema)}.{_quoted(table)}"
    reader = read(paths, view, **options)
    connection = database if isinstance(database, duckdb.DuckDBPyConnection) else duckdb.connect(str(database))
    try:
        connection.execute("BEGIN")
        try:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
            connection.register("_scoreline_log", reader)
            connection.execute(f"CREATE {'OR REPLACE ' if replace else ''}TABLE {where} AS SELECT * FROM _scoreline_log")
            connection.unregister("_scoreline_log")
            ((n_rows,),) = connection.execute(f"SELECT COUNT(*) FROM {where}").fetchall()
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    finally:
        if connection is not database:
            connection.close()
    return n_rows


def _postgres_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    if pa.types.is_list(kind):
        return "jsonb" if pa.types.is_list(kind.value_type) else _postgres_type(kind.value_type) + "[]"
    if pa.types.is_map(kind):
        return "jsonb"
    return {_STRING: "text", _DOUBLE: "double precision", _LONG: "bigint", _INT: "integer", pa.bool_(): "boolean",
            pa.date32(): "date"}[kind]


def _postgres_values(batch: pa.RecordBatch) -> Iterator[list]:
    columns = []
    for field, column in zip(batch.schema, batch.columns):
        if pa.types.is_timestamp(field.type):
            column = column.cast(pa.timestamp("us", field.type.tz), safe=False)
        values = column.to_pylist()
        if _postgres_type(field.type) == "jsonb":
            values = [dump(dict(value) if pa.types.is_map(field.type) else value) for value in values]
        elif field.type == _STRING:  # PostgreSQL has no zero bytes in text
            values = [value if value is None else value.replace("\0", "\ufffd") for value in values]
        columns.append(values)
    return map(list, zip(*columns))


def to_postgres(paths: Paths, connection: Any, table: str, *, schema: str = "inference_logs", view: str = "predictions",
                replace: bool = False, **options: Any) -> int:
    """Write logs as a table of the PostgreSQL database behind a psycopg (3) connection, by COPY.

    Args:
        paths: as in :func:`read`, as are ``view`` and ``options``.
        connection: an open ``psycopg.Connection``. The table is made in a transaction of its own, or in a savepoint if one
            is open already.
        table, schema: plain names; the schema is made if it does not exist.
        replace: whether a table of this name is replaced; otherwise it is an error of PostgreSQL.

    Returns:
        The number of rows written. All of them are, or none.
    """
    where = f"{_quoted(schema)}.{_quoted(table)}"
    reader = read(paths, view, **options)
    columns = ", ".join(f"{_quoted(field.name)} {_postgres_type(field.type)}" for field in reader.schema)
    n_rows = 0
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
        if replace:
            cursor.execute(f"DROP TABLE IF EXISTS {where}")
        cursor.execute(f"CREATE TABLE {where} ({columns})")
        with cursor.copy(f"COPY {where} FROM STDIN") as copy:
            for batch in reader:
                for row in _postgres_values(batch):
                    copy.write_row(row)
                    n_rows += 1
    return n_rows


# ---- Delta Lake ------------------------------------------------------------------------------------------------------

_ACTIVE = ".active"


class _DeltaSink:
    """Rows and how far their segments were read, in one commit: a Delta table that has the one has the other.

    A segment's progress is the version of a Delta transaction of its name: twice the records taken, and one more when the
    segment is closed and was read to its end.
    """

    def __init__(self, table: Any, storage_options: Optional[Mapping[str, str]]):
        import deltalake

        self._lake, self._options = deltalake, None if storage_options is None else dict(storage_options)
        self._table = os.fspath(table)
        if deltalake.DeltaTable.is_deltatable(self._table, self._options):
            self._table = deltalake.DeltaTable(self._table, storage_options=self._options)
        self.n_rows = 0

    def taken(self, name: str) -> int:
        return 0 if isinstance(self._table, str) else self._table.transaction_version(name) or 0

    def write(self, batch: pa.RecordBatch, progress: Dict[str, int]) -> None:
        """One commit. Another process that took one of these segments since this one began makes it fail."""
        lake, now = self._lake, int(time.time() * 1000)
        properties = lake.CommitProperties(
            app_transactions=[lake.Transaction(name, version, now) for name, version in progress.items()])
        schema = pa.schema([field.with_type(_delta_type(field.type)) for field in batch.schema])
        rows = pa.Table.from_batches([batch]).cast(schema, safe=False)  # nanoseconds become microseconds
        lake.write_deltalake(self._table, rows, mode="append", commit_properties=properties, storage_options=self._options,
                             writer_properties=lake.WriterProperties(compression="ZSTD"))
        self.n_rows += batch.num_rows
        if isinstance(self._table, str):
            self._table = lake.DeltaTable(self._table, storage_options=self._options)
        else:
            self._table.update_incremental()


def _delta_type(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else kind


def _segment_log(path: str) -> Log:
    """A segment that was closed since it was listed has lost the end of its name."""
    try:
        return Log(path)
    except FileError:
        if not path.endswith(_ACTIVE):
            raise
        return Log(path[: -len(_ACTIVE)])


def to_delta(paths: Paths, table: "Union[str, os.PathLike[str]]", *, view: str = "predictions", score_name: str = "score",
             score_index: int = 0, shadows: "bool | None" = None, commit_rows: int = 250_000, on_damage: str = "warn",
             storage_options: Optional[Mapping[str, str]] = None) -> int:
    """Append to a Delta table what it does not have yet, by delta-rs (``deltalake``), without Java.

    Each commit holds rows and, as Delta transactions (``txn``), how far their segments were read. So it may be run again and
    again, also while segments are written, and after a crash at any point: every record is in the table exactly once. Keep one
    table for one view, and segments' names as they are. Times of the view "calls" are cut to microseconds.

    Args:
        paths, view, score_name, score_index, shadows, on_damage: as in :func:`read`.
        table: where; made if it does not exist.
        commit_rows: rows after which a commit is made; memory holds as many.
        storage_options: as in ``deltalake``, for tables in object stores.

    Returns:
        The number of rows appended.

    Raises:
        deltalake.exceptions.CommitFailedError: another process appended the same segments meanwhile. What this commit had is
            not written; run again.
    """
    if commit_rows < 1:
        raise ValueError(f"commit_rows is {commit_rows}: expected at least 1")
    _, rows = _checked(view, score_name, score_index, shadows, on_damage)
    sink = _DeltaSink(table, storage_options)
    progress: Dict[str, int] = {}
    found: List[Segment] = []
    for listed in Log(paths).segments():
        name = os.path.basename(listed.path).removesuffix(_ACTIVE)
        before = sink.taken(name)
        if before % 2:
            continue
        log, n = _segment_log(listed.path), 0
        for n, record in enumerate(log, 1):
            if n <= before // 2:
                continue
            rows.add(record)
            progress[name] = 2 * n
            if len(rows) >= commit_rows:
                sink.write(rows.take(), progress)
                progress = {}
        found += log.segments()
        if found[-1].closed and found[-1].end == "whole":
            progress[name] = 2 * n + 1
    if len(rows):
        sink.write(rows.take(), progress)
    _report(found, on_damage)
    return sink.n_rows
