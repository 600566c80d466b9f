"""Records of capture logs, as ``scoreline/log.h`` gives them.

Comes in: paths. Goes out: a Python object per record, and how each segment ends.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
from ctypes import POINTER, Structure, Union, byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint8
from ctypes import c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any, Iterator, List, Optional, Sequence, Union as AnyOf

from ._library import Error, Owner, c_path, check, filled, lib, text

Paths = AnyOf[str, "os.PathLike[str]", Sequence[AnyOf[str, "os.PathLike[str]"]]]
MISSING, NUMBER, INTEGER, UNSIGNED, TEXT = range(5)
SHADOW = 1
ENDS = ("whole", "torn", "corrupt")
OUTPUT_NAMES = ("prediction", "margin", "leaf", "class", "contribution")


class LogOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocator", c_void_p),
        ("max_frame_bytes", c_uint64),
        ("max_memory_bytes", c_uint64),
    ]


class LogModel(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("hash", c_uint8 * 16),
        ("name", c_char_p),
        ("link", c_char_p),
        ("n_features", c_uint32),
        ("n_outputs", c_uint32),
        ("n_predictions", c_uint32),
        ("n_labels", c_uint32),
        ("features", POINTER(c_char_p)),
        ("types", POINTER(c_int32)),
        ("labels", POINTER(c_char_p)),
    ]


class _LogValueUnion(Union):
    _fields_ = [
        ("number", c_double),
        ("integer", c_int64),
        ("unsigned_integer", c_uint64),
        ("text", c_void_p),  # not c_char_p: its length is known, and it may hold zero bytes
    ]


class LogValue(Structure):
    _fields_ = [("kind", c_int32), ("length", c_uint32), ("u", _LogValueUnion)]


class LogCall(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("model", POINTER(LogModel)),
        ("started_unix_ns", c_int64),
        ("latency_ns", c_int64),
        ("status", c_int32),
        ("output", c_int32),
        ("flags", c_uint32),
        ("out_width", c_uint32),
        ("sampling_fraction", c_double),
        ("request_id", c_char_p),
        ("endpoint", c_char_p),
        ("served_name", c_char_p),
        ("entity_name", c_char_p),
        ("entity_version", c_char_p),
        ("call_rows", c_uint64),
        ("first_row", c_uint64),
        ("n_rows", c_uint32),
        ("segment", c_uint32),
        ("inputs", POINTER(LogValue)),
        ("outputs", POINTER(c_double)),
    ]


class LogSegment(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("path", c_char_p),
        ("is_closed", c_int32),
        ("end", c_int32),
        ("bytes", c_uint64),
        ("good_bytes", c_uint64),
        ("n_records", c_uint64),
        ("damage", Error),
    ]


_open = lib.score_log_open
_open.restype = c_int32
_open.argtypes = [POINTER(c_char_p), c_size_t, POINTER(LogOptions), POINTER(c_void_p), POINTER(Error)]
_next = lib.score_log_next
_next.restype = c_int32
_next.argtypes = [c_void_p, POINTER(POINTER(LogCall)), POINTER(Error)]
_count = lib.score_log_segment_count
_count.restype = c_uint32
_count.argtypes = [c_void_p]
_segment = lib.score_log_get_segment
_segment.restype = c_int32
_segment.argtypes = [c_void_p, c_uint32, POINTER(LogSegment)]
_close = lib.score_log_close
_close.restype = None
_close.argtypes = [c_void_p]
_status_name = lib["score_status_name"]
_status_name.restype = c_char_p
_status_name.argtypes = [c_int32]


@dataclass(frozen=True)
class Segment:
    """A segment file, and how much of it was read.

    Attributes:
        path: where it is.
        closed: by its name; False: it is being written, or was when its process died.
        end: "whole"; "torn": it ends in the middle of a record; "corrupt": in bytes that are no record.
        bytes: its size when it was opened.
        good_bytes: up to here every record is complete.
        records: how many were read.
        message: what is wrong at ``good_bytes``, or "".
    """

    path: str
    closed: bool
    end: str
    bytes: int
    good_bytes: int
    records: int
    message: str


@dataclass(frozen=True)
class Record:
    """A call, or some rows of a large one. ``inputs`` and ``outputs`` are lists of rows."""

    request_id: Optional[str]
    started_unix_ns: int
    latency_ns: int
    endpoint: Optional[str]
    served_name: Optional[str]
    entity_name: Optional[str]
    entity_version: Optional[str]
    model_name: Optional[str]
    model_hash: Optional[str]
    status: str
    sampling_fraction: float
    shadow: bool
    output: str
    call_rows: int
    first_row: int
    features: List[str]
    inputs: List[list]
    outputs: List[List[float]]

    def frame(self) -> str:
        """The rows as JSON, column names first, as a platform's request has them."""
        return dump({"dataframe_split": {"columns": self.features, "data": self.inputs}})

    def row_object(self, row: int) -> str:
        """One row as a JSON object."""
        return dump(dict(zip(self.features, self.inputs[row])))


def _sound(value: Any) -> Any:
    """JSON has no NaN and no infinities: they become text."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_sound(item) for item in value]
    if isinstance(value, dict):
        return {key: _sound(item) for key, item in value.items()}
    return value


def dump(value: Any) -> str:
    """Compact JSON."""
    return json.dumps(_sound(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _value(value: LogValue) -> Any:
    kind = value.kind
    if kind == NUMBER:
        return value.u.number
    if kind == TEXT:
        return ctypes.string_at(value.u.text, value.length).decode("utf-8", "replace")
    if kind == INTEGER:
        return value.u.integer
    return value.u.unsigned_integer if kind == UNSIGNED else None


def _text(value: Optional[bytes]) -> Optional[str]:
    return None if value is None else value.decode("utf-8", "replace")


def _record(call: LogCall) -> Record:
    model = call.model.contents
    n, width = model.n_features, call.out_width
    hash_bytes = bytes(model.hash)
    return Record(
        request_id=_text(call.request_id),
        started_unix_ns=call.started_unix_ns,
        latency_ns=call.latency_ns,
        endpoint=_text(call.endpoint),
        served_name=_text(call.served_name),
        entity_name=_text(call.entity_name),
        entity_version=_text(call.entity_version),
        model_name=_text(model.name),
        model_hash=hash_bytes.hex() if any(hash_bytes) else None,
        status=text(_status_name(call.status)),
        sampling_fraction=call.sampling_fraction,
        shadow=bool(call.flags & SHADOW),
        output=OUTPUT_NAMES[call.output] if 0 <= call.output < len(OUTPUT_NAMES) else str(call.output),
        call_rows=call.call_rows,
        first_row=call.first_row,
        features=[text(model.features[i]) for i in range(n)],
        inputs=[[_value(call.inputs[row * n + i]) for i in range(n)] for row in range(call.n_rows)],
        outputs=[call.outputs[row * width : (row + 1) * width] for row in range(call.n_rows)] if width else [],
    )


class Log(Owner):
    """An open log: iterate over it once for the records, then look at ``segments()``."""

    def __init__(self, paths: Paths):
        self._handle = None
        names = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
        encoded = (c_char_p * len(names))(*[c_path(name) for name in names])
        options, handle, error = filled(LogOptions), c_void_p(), Error()
        check(_open(encoded, len(names), byref(options), byref(handle), byref(error)), error)
        self._handle = handle.value

    def __iter__(self) -> Iterator[Record]:
        call, error = POINTER(LogCall)(), Error()
        while True:
            check(_next(self._handle, byref(call), byref(error)), error)
            if not call:
                return
            yield _record(call.contents)

    def segments(self) -> List[Segment]:
        found = []
        for i in range(_count(self._handle)):
            s = filled(LogSegment)
            _segment(self._handle, i, byref(s))
            message = s.damage.message.decode("utf-8", "replace") if s.end else ""
            found.append(
                Segment(os.fsdecode(s.path), bool(s.is_closed), ENDS[s.end], s.bytes, s.good_bytes, s.n_records, message)
            )
        return found

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _close(self._handle)
            self._handle = None
