"""The capture log: finished calls, through a ring in memory, into segment files.

Comes in: calls, from endpoints. Goes out: segments that ``scoreline.log`` and the command read. Scoring is never held up:
what the ring has no room for is lost and counted.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Dict, Optional, Union

from ._library import Error, Owner, c_path, c_text, check, declare, filled, lib, new_handle

SYNC = {"never": 0, "segment": 1, "drain": 2}


class CaptureOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocator", c_void_p),
        ("directory", c_char_p),
        ("prefix", c_char_p),
        ("sampling_fraction", c_double),
        ("ring_bytes", c_uint64),
        ("max_record_bytes", c_uint64),
        ("segment_bytes", c_uint64),
        ("segment_age_ns", c_int64),
        ("sync", c_int32),
        ("reserved", c_uint32),
    ]


class CaptureInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_sampled_out", c_uint64),
        ("n_kept", c_uint64),
        ("n_lost_full", c_uint64),
        ("n_lost_size", c_uint64),
        ("n_lost_invalid", c_uint64),
        ("n_records", c_uint64),
        ("n_written", c_uint64),
        ("n_bytes", c_uint64),
        ("n_segments", c_uint64),
        ("n_failed_drains", c_uint64),
        ("ring_bytes", c_uint64),
        ("ring_used", c_uint64),
        ("last_drain", c_int32),
        ("reserved", c_uint32),
    ]


_ERROR = POINTER(Error)
declare(
    {
        "score_capture_new": (c_int32, [POINTER(CaptureOptions), POINTER(c_void_p), _ERROR]),
        "score_capture_free": (None, [c_void_p]),
        "score_capture_drain": (c_int32, [c_void_p, POINTER(c_uint64), _ERROR]),
        "score_capture_rotate": (c_int32, [c_void_p, _ERROR]),
        "score_capture_start": (c_int32, [c_void_p, c_int64, _ERROR]),
        "score_capture_stop": (c_int32, [c_void_p, _ERROR]),
        "score_capture_get_info": (c_int32, [c_void_p, POINTER(CaptureInfo)]),
    }
)


class Capture(Owner):
    """A log of calls for :class:`Endpoint`. Drain it now and then, or let :meth:`start` make a thread that does.

    Args:
        directory: of the segment files; must exist.
        prefix: their names begin with it.
        sampling_fraction: of the calls to keep, above 0 and at most 1.
        ring_bytes, max_record_bytes, segment_bytes: 0: 4 MiB, 64 KiB, 64 MiB.
        segment_seconds: a segment is closed when it is so old. 0: an hour.
        sync: "never", "segment" or "drain": when what was written is forced to the disk.

    Raises:
        ArgumentError: names the option that is wrong. FileError: the directory is none.
    """

    def __init__(
        self,
        directory: Union[str, "os.PathLike[str]"],
        *,
        prefix: Optional[str] = None,
        sampling_fraction: float = 1.0,
        ring_bytes: int = 0,
        max_record_bytes: int = 0,
        segment_bytes: int = 0,
        segment_seconds: float = 0.0,
        sync: str = "never",
    ):
        if sync not in SYNC:
            raise ValueError(f"expected sync to be one of {', '.join(SYNC)}, found {sync!r}")
        options = filled(CaptureOptions)
        options.directory, options.sync = c_path(directory), SYNC[sync]
        options.prefix = None if prefix is None else c_text(prefix, "the prefix")
        # The library takes 0 for the default, and nobody who writes 0 here means "all".
        options.sampling_fraction = sampling_fraction if sampling_fraction != 0 else float("nan")
        options.ring_bytes, options.max_record_bytes = ring_bytes, max_record_bytes
        options.segment_bytes, options.segment_age_ns = segment_bytes, round(segment_seconds * 1e9)
        self._free = lib.score_capture_free
        self._handle = new_handle(lib.score_capture_new, byref(options))

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._free(handle)

    def drain(self) -> int:
        """Write what is in the ring; returns the number of records. After a FileError nothing is lost: drain again."""
        n, error = c_uint64(), Error()
        check(lib.score_capture_drain(self._handle, byref(n), byref(error)), error)
        return n.value

    def rotate(self) -> None:
        """Drain, and close the segment."""
        error = Error()
        check(lib.score_capture_rotate(self._handle, byref(error)), error)

    def start(self, interval_seconds: float = 0.1) -> None:
        """Make a thread that drains."""
        error = Error()
        check(lib.score_capture_start(self._handle, max(1, round(interval_seconds * 1e9)), byref(error)), error)

    def stop(self) -> None:
        """End that thread after a last drain."""
        error = Error()
        check(lib.score_capture_stop(self._handle, byref(error)), error)

    @property
    def info(self) -> Dict[str, int]:
        """Counts since the capture was made: n_kept, n_lost_full, n_written, …, as in ``scoreline/capture.h``."""
        info = filled(CaptureInfo)
        check(lib.score_capture_get_info(self._handle, byref(info)), Error())
        return {name: getattr(info, name) for name, *_ in CaptureInfo._fields_ if name not in ("struct_size", "reserved")}
