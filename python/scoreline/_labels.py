"""Labels of XGBoost's categories.

Comes in: a model file, JSON or UBJSON, that the importer has read before. Goes out: metadata "source.categories": the
labels of each feature in the order of their codes, as JSON.

XGBoost keeps labels since 3.1 (key "cats") for features that were columns of dtype category. Its Python package cuts
their UTF-8 by numbers of characters, so labels beyond ASCII are not whole in the file: null stands for them.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any, Dict, List, Sequence, Tuple

_JSON_KEY = re.compile(rb'"cats"\s*:\s*(?=\{)')
_UBJSON_KEY = b"L" + struct.pack(">q", 4) + b"cats"
_NUMBERS = {"d": "f", "D": "d", "i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "C": "b"}


def xgboost_labels(raw: bytes, features: Sequence[str]) -> Dict[str, str]:
    """The metadata of a model file; empty if it keeps no labels."""
    found: Dict[str, Any] = {}
    for name, column in zip(features, _container(raw).get("enc", [])):
        labels = column.get("values", [])
        if "offsets" in column:
            labels = _texts(bytes(byte & 0xFF for byte in labels), column["offsets"])
        if labels != []:
            found[name] = labels
    return {"source.categories": json.dumps(found)} if found else {}


def _texts(joined: bytes, ends: Sequence[int]) -> Any:
    if not joined.isascii():
        return None
    text = joined.decode("ascii")
    return [text[begin:end] for begin, end in zip(ends, ends[1:])]


def _container(raw: bytes) -> dict:
    """The value of the key "cats", without reading the trees before it."""
    at = raw.find(_UBJSON_KEY + b"{")
    if at >= 0:
        return _ubjson_value(raw, at + len(_UBJSON_KEY))[0]
    match = _JSON_KEY.search(raw)
    if match is None:
        return {}
    return json.JSONDecoder().raw_decode(raw[match.end() :].decode("utf-8", "replace"))[0]


def _ubjson_value(raw: bytes, at: int) -> Tuple[Any, int]:
    """A value and where it ends. Sequences of typed, counted and plain arrays, as XGBoost writes them."""
    marker = chr(raw[at])
    if marker == "{":
        return _ubjson_object(raw, at + 1)
    if marker == "[":
        return _ubjson_array(raw, at + 1)
    if marker == "S":
        size, begin = _ubjson_value(raw, at + 1)
        return raw[begin : begin + size].decode("utf-8", "replace"), begin + size
    if marker in "ZTF":
        return {"Z": None, "T": True, "F": False}[marker], at + 1
    code = ">" + _NUMBERS[marker]
    return struct.unpack_from(code, raw, at + 1)[0], at + 1 + struct.calcsize(code)


def _ubjson_object(raw: bytes, at: int) -> Tuple[dict, int]:
    found = {}
    while raw[at : at + 1] != b"}":
        size, begin = _ubjson_value(raw, at)
        key = raw[begin : begin + size].decode("utf-8", "replace")
        found[key], at = _ubjson_value(raw, begin + size)
    return found, at + 1


def _ubjson_array(raw: bytes, at: int) -> Tuple[List[Any], int]:
    code = None
    if raw[at : at + 1] == b"$":
        code = _NUMBERS[chr(raw[at + 1])]
        at += 2
    if raw[at : at + 1] == b"#":
        count, at = _ubjson_value(raw, at + 1)
        if code is not None:
            layout = f">{count}{code}"
            return list(struct.unpack_from(layout, raw, at)), at + struct.calcsize(layout)
        values = []
        for _ in range(count):
            value, at = _ubjson_value(raw, at)
            values.append(value)
        return values, at
    values = []
    while raw[at : at + 1] != b"]":
        value, at = _ubjson_value(raw, at)
        values.append(value)
    return values, at + 1
