"""Exceptions. Comes in: a status and a message of the library. Goes out: one exception class per status."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple, Type

ARGUMENT, MEMORY, IO, CORRUPT, VERSION, UNSUPPORTED, SHAPE, LIMIT, VERIFY = range(1, 10)


class ScorelineError(RuntimeError):
    """Base of everything that Scoreline raises. The text says what was expected, what was found and what to do.

    Attributes:
        status: number of the failure, the same as in ``scoreline.h``.
        offset: byte position in the input, or None.
        line: line number from 1 in the input, or None.
    """

    status: int = 0

    def __init__(
        self, message: str, *, status: Optional[int] = None, offset: Optional[int] = None, line: Optional[int] = None
    ):
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status
        self.offset = offset
        self.line = line

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.status, self.offset, self.line)


def _rebuild(kind: Type[ScorelineError], message: str, status: Optional[int], offset: int, line: int) -> ScorelineError:
    return kind(message, status=status, offset=offset, line=line)


class ArgumentError(ScorelineError, ValueError):
    """The call itself is wrong: a bad option or a value out of range."""

    status = ARGUMENT


class OutOfMemoryError(ScorelineError, MemoryError):
    """The library could not allocate."""

    status = MEMORY


class FileError(ScorelineError, OSError):
    """A file could not be opened, read or written."""

    status = IO


class CorruptError(ScorelineError, ValueError):
    """The bytes are not a valid file of the format they claim to be."""

    status = CORRUPT


class VersionError(ScorelineError):
    """Made for a newer library or a newer file format."""

    status = VERSION


class UnsupportedError(ScorelineError):
    """Valid, but uses something that Scoreline does not have. The message names it."""

    status = UNSUPPORTED


class ShapeError(ScorelineError, ValueError):
    """The rows do not fit the model: columns, names, types or the shape of ``out``."""

    status = SHAPE


class LimitError(ScorelineError, ValueError):
    """Larger than a limit."""

    status = LIMIT


class VerifyError(ScorelineError):
    """Margins differ in at least one bit from what the model was stored or made with."""

    status = VERIFY


_BY_STATUS: Dict[int, Type[ScorelineError]] = {
    kind.status: kind
    for kind in (
        ArgumentError,
        OutOfMemoryError,
        FileError,
        CorruptError,
        VersionError,
        UnsupportedError,
        ShapeError,
        LimitError,
        VerifyError,
    )
}


def make_error(status: int, message: str, offset: int = -1, line: int = -1) -> ScorelineError:
    """The exception for a failed call; -1 means that there is no offset or line."""
    kind = _BY_STATUS.get(status, ScorelineError)
    return kind(
        message or f"failed with status {status}",
        status=status,
        offset=None if offset < 0 else offset,
        line=None if line < 0 else line,
    )
