"""The golden set for hosts' tests: rows with the host's own NULL, answers to compare bit for bit, and pattern 1's query.

Needs nothing but Python, so that it runs in every host's own environment.

>>> iot = golden_set.load("iot")
>>> scores = [host_score(*row) for row in iot.rows]      # None is NULL
>>> golden_set.compare("the host", iot.prediction, scores)
"""
from __future__ import annotations

import dataclasses
import json
import pathlib
import struct
from typing import Iterable, Sequence, Union

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
Value = Union[float, str, None]

# The query as users find it, word for word: Azure Stream Analytics' dialect.
PATTERN_1 = (HERE / "pattern1.sql").read_text()


@dataclasses.dataclass(frozen=True)
class Golden:
    """One model of the set. rows: [n][n_features] of float, str or None; margin and prediction: [n]."""

    path: pathlib.Path
    names: list[str]
    types: list[str]  # "double" or "string"
    rows: list[list[Value]]
    margin: list[float]
    prediction: list[float]


def load(name: str) -> Golden:
    """The model `name`: "iot", "fraud" or "wide"."""
    entry = json.loads((GOLDEN / "golden.json").read_text(encoding="utf-8"))[name]
    names, types = map(list, zip(*entry["features"]))
    rows = [[v if v is None or kind == "string" else float.fromhex(v) for v, kind in zip(row, types)]
            for row in entry["rows"]]
    numbers = [[float.fromhex(v) for v in entry[key]] for key in ("margin", "prediction")]
    return Golden(GOLDEN / f"{name}.slm", names, types, rows, *numbers)


def bits(value: float) -> str:
    return struct.pack(">d", value).hex()


def compare(who: str, expected: Sequence[float], found: Iterable[float | None]) -> None:
    """Raise AssertionError, naming the rows, unless both are the same numbers to the last bit. NULL equals nothing."""
    found = list(found)
    assert len(expected) == len(found), f"{who}: {len(found)} scores for {len(expected)} rows"
    wrong = [f"row {i}: {who} says {f if f is None else float(f).hex()}, expected {e.hex()}"
             for i, (e, f) in enumerate(zip(expected, found)) if f is None or bits(e) != bits(f)]
    assert not wrong, "\n".join(wrong[:10])


def status(score: float) -> str:
    """What pattern 1's CASE makes of a score."""
    return "CRITICAL" if score > 0.8 else "WARNING" if score > 0.5 else "NORMAL"


def replaced(text: str, *fixes: tuple[str, str]) -> str:
    """`text` with each (from, to) applied; a fix that fits nowhere is an error, so that none is listed in vain."""
    for old, new in fixes:
        assert old in text, f"{old!r} does not occur: this fix is not needed"
        text = text.replace(old, new)
    return text
