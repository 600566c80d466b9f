"""Which feature of a model the name of a column or key means.

Comes in: names as callers' tables have them. Goes out: the features' own names. The library decides, so that C, the command
line, SQL engines and Python agree; a table here knows most of its answers already.
"""

from __future__ import annotations

from ctypes import byref, c_uint32
from typing import Dict, Iterable, List, Optional, Sequence

from ._library import lib

_MOST_KEPT = 4096  # other spellings of names


class Names:
    """The names of a model's features."""

    __slots__ = ("_handle", "_features", "_own", "_spaced")

    def __init__(self, handle: int, features: Sequence[str]):
        self._handle = handle
        self._features = features
        self._own = frozenset(features)
        self._spaced: Dict[str, Optional[str]] = {}

    def as_features(self, names: List[str]) -> List[str]:
        """The same list with the feature's own name for every column that feeds it under another one; a feature that has a
        column of its own name takes no other. Columns that feed no feature keep their names. A feature's name that is
        there twice then is ambiguous."""
        wanted = self._own.difference(names)
        if not wanted:
            return names
        found = [self._meant(name) for name in names]
        return [feature if feature in wanted else name for name, feature in zip(names, found)]

    def columns(self, labels: Iterable[object]) -> Dict[str, object]:
        """The labels of the columns that feed features, by the feature."""
        own = list(labels)
        return {name: label for name, label in zip(self.as_features([str(label) for label in own]), own) if name in self._own}

    def _meant(self, name: str) -> Optional[str]:
        if name in self._own:
            return name
        if " " not in name:  # only spaces make another name of one
            return None
        if name not in self._spaced:
            data, feature = name.encode("utf-8", "surrogatepass"), c_uint32()
            match = lib.score_model_feature_find(self._handle, data, len(data), byref(feature))
            if len(self._spaced) >= _MOST_KEPT:
                self._spaced.clear()
            self._spaced[name] = self._features[feature.value] if match else None
        return self._spaced[name]
