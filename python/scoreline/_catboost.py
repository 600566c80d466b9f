"""Rows of a model made from CatBoost, as CatBoost takes them.

Comes in: rows of doubles, in which a whole number stands for a category of integers and k + 0.5 for one whose hash is k.
Goes out: an array of objects that has the same categories. CatBoost knows categories by a hash of their bytes, and any
bytes are a category, so for every hash there are bytes that have it.
"""

from __future__ import annotations

from typing import Any, Sequence

import numpy as np

from ._errors import UnsupportedError

_MASK = (1 << 64) - 1
_MULTIPLIER = 0x9DDFEA08EB382D69
_INVERSE = pow(_MULTIPLIER, -1, 1 << 64)
_NONE = "no category that a model has seen"


def refuse_catboost(booster: Any) -> None:
    """Name what CatBoost does not write into JSON, which has no other form that could be read."""
    for kind in ("text", "embedding"):
        found: Sequence[int] = getattr(booster, f"_get_{kind}_feature_indices", list)()
        if found:
            raise UnsupportedError(
                f"{kind} features of CatBoost are not supported, and this model has {len(found)}: train it with "
                "numeric and categorical features only, for example those that you compute from them"
            )


def save_catboost(booster: Any, path: str) -> None:
    """Write the model as JSON, which has no infinities: an infinite value among the training rows may become a border."""
    try:
        booster.save_model(path, format="json")
    except Exception as failed:
        if "invalid float value" not in str(failed):
            raise
        raise UnsupportedError(
            "CatBoost cannot write this model as JSON, because a border or leaf of it is infinite or NaN: train without "
            "infinite values, for example clipped to the largest float"
        ) from failed


def text_of_hash(wanted: int) -> bytes:
    """16 bytes whose CityHash64 is `wanted`: of that length, it can be solved for the first 8."""
    last = b"category"
    tail = int.from_bytes(last, "little")
    v = _rotate((tail + 16) & _MASK, 16)
    x = _unfold(((wanted ^ tail) * _INVERSE) & _MASK) * _INVERSE & _MASK
    u = _unfold(x ^ v) * _INVERSE & _MASK ^ v
    return u.to_bytes(8, "little") + last


def _rotate(x: int, by: int) -> int:
    return (x >> by | x << (64 - by)) & _MASK


def _unfold(x: int) -> int:
    """x ^ x >> 47 is its own inverse."""
    return x ^ x >> 47


def _category(x: float) -> Any:
    if not -(2.0**63) <= x < 2.0**64:
        return _NONE
    if x == int(x):
        return str(int(x))
    return text_of_hash(int(x)) if 0 < x < 2.0**32 and x - int(x) == 0.5 else _NONE


def catboost_rows(rows: np.ndarray, categories: Sequence[int]) -> np.ndarray:
    """float32 without categories, else objects."""
    with np.errstate(over="ignore"):
        narrow = rows.astype(np.float32)
    if not categories:
        return narrow
    given = narrow.astype(object)
    for i in categories:
        given[:, i] = [_category(x) for x in rows[:, i].tolist()]
    return given
