"""What a model is: its features, categories, classes, sizes and self-test.

Comes in: a handle of the C library. Goes out: the base of ``Model``, without what scores.
"""

from __future__ import annotations

import json
from ctypes import POINTER, byref, c_double, c_uint64
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

import numpy as np

from ._labels import Labels
from ._library import Error, ISAS, Info, check, filled, lib, text


@dataclass(frozen=True)
class ModelInfo:
    """What a model is. Counts are numbers of things, sizes are bytes."""

    kind: str  # "trees" or "linear"
    n_features: int
    n_outputs: int  # margins per row
    n_predictions: int  # values per row after the link
    n_trees: int
    trees_per_iteration: int
    n_splits: int
    n_leaves: int
    n_tests: int  # distinct split tests
    max_leaves: int  # of one tree
    max_depth: int  # splits on the longest path
    max_cuts: int  # distinct thresholds of one feature
    n_categories: int  # categories named by all splits
    n_derived: int  # columns that the model computes from its features
    link: str  # from margins to predictions
    code_bytes: int  # of a binned feature value
    isa: str  # instruction set of the kernels
    batch_regime: str  # how large batches are scored
    row_regime: str  # how single rows are scored
    n_golden_rows: int
    margin_is_f32: bool
    has_covers: bool  # trees know the weight of their training rows
    memory_bytes: int
    file_bytes: int  # of the .slm it was opened from, or 0
    hash: str  # XXH3-128 of that file in hexadecimal, or ""


ModelInfo.__module__ = "scoreline._model"  # where those look for it that were pickled


class Described:
    """The part of a model that answers questions about it."""

    __slots__ = ("_handle", "_features", "_info", "_metadata", "_labels")
    _handle: int
    _features: List[str]
    _info: ModelInfo
    _metadata: Dict[str, str]
    _labels: Labels

    def _describe(self, handle: int) -> None:
        """Ask the library once for what does not change."""
        self._handle = handle
        info = filled(Info)
        check(lib.score_model_get_info(handle, byref(info)), Error())
        self._info = _info_of(handle, info)
        self._features = [text(lib.score_model_feature_name(handle, i)) for i in range(info.n_features)]
        self._metadata = {
            text(lib.score_model_metadata_key(handle, i)): text(lib.score_model_metadata_value(handle, i))
            for i in range(lib.score_model_metadata_count(handle))
        }
        self._labels = Labels(handle, self._features, self._metadata)

    @property
    def features(self) -> List[str]:
        """Names of the features in the model's order; unnamed ones are "f0", "f1", …"""
        return list(self._features)

    @property
    def feature_types(self) -> List[str]:
        """ "numeric" or "category" for every feature."""
        return [
            "category" if lib.score_model_feature_type(self._handle, i) else "numeric"
            for i in range(len(self._features))
        ]

    @property
    def categories(self) -> Dict[str, Dict[str, float]]:
        """Labels of the categories that the model knows by name, with their codes, by feature."""
        return {name: self._labels.all(i) for i, name in enumerate(self._features) if self._labels.flags[i]}

    @property
    def metadata(self) -> Dict[str, str]:
        """Metadata of the model, a copy."""
        return dict(self._metadata)

    @property
    def classes(self) -> Optional[np.ndarray]:
        """Labels of the classes in the order of their numbers, in their own type; None if the model names none."""
        if lib.score_model_class_count(self._handle) == 0:
            return None
        labels = json.loads(self._metadata["class_labels"])
        kinds = {type(label) for label in labels}
        if len(kinds) == 1 or kinds == {int, float}:  # CatBoost writes the class 3.0 as 3
            return np.array(labels)
        mixed = np.empty(len(labels), dtype=object)
        mixed[:] = labels
        return mixed

    @property
    def info(self) -> ModelInfo:
        """Sizes, link, instruction set and regimes."""
        return self._info

    @property
    def n_outputs(self) -> int:
        """Margins per row."""
        return self._info.n_outputs

    def golden(self) -> Tuple[np.ndarray, np.ndarray]:
        """The self-test inside the model: rows [n, n_features] and the margins [n, n_outputs] they must give."""
        rows, margins = POINTER(c_double)(), POINTER(c_double)()
        n = lib.score_model_golden(self._handle, byref(rows), byref(margins))
        if n == 0:
            return np.empty((0, self._info.n_features)), np.empty((0, self._info.n_outputs))
        return (
            np.ctypeslib.as_array(rows, (n, self._info.n_features)).copy(),
            np.ctypeslib.as_array(margins, (n, self._info.n_outputs)).copy(),
        )

    def verify(self, isa: str = "auto") -> int:
        """Score the golden rows with every regime on an instruction set: "auto" or a name that `info.isa` can have.

        Returns the number of margins compared. Raises VerifyError if one bit differs.
        """
        if isa not in ISAS:
            raise ValueError(f"expected isa to be one of {', '.join(ISAS)}, found {isa!r}")
        checked, error = c_uint64(), Error()
        check(lib.score_model_verify(self._handle, ISAS[isa], byref(checked), byref(error)), error)
        return checked.value

    def __repr__(self) -> str:
        info, metadata = self._info, self._metadata
        source = " ".join(metadata[key] for key in ("source.library", "source.version") if metadata.get(key))
        name = f" {metadata['name']!r}" if metadata.get("name") else ""
        size = f"{info.n_trees} trees" if info.kind == "trees" else "linear"
        outputs = f", {info.n_outputs} outputs" if info.n_outputs > 1 else ""
        objective = metadata.get("objective")
        link = f"{objective} ({info.link})" if objective else info.link
        return (
            f"<scoreline.Model{name}: {source or 'built by calls'}, {size}, {info.n_features} features{outputs}, "
            f"{link}, {info.batch_regime} on {info.isa}>"
        )


def _info_of(handle: int, info: Info) -> ModelInfo:
    same = {
        name: getattr(info, name)
        for name in (
            "n_features",
            "n_outputs",
            "n_predictions",
            "n_trees",
            "trees_per_iteration",
            "n_splits",
            "n_leaves",
            "n_tests",
            "max_leaves",
            "max_depth",
            "max_cuts",
            "n_categories",
            "n_derived",
            "code_bytes",
            "n_golden_rows",
            "memory_bytes",
            "file_bytes",
        )
    }
    identity = bytes(info.hash)
    return ModelInfo(
        kind={1: "trees", 2: "linear"}[info.kind],
        link=text(lib.score_model_link_name(handle)),
        isa=text(lib.score_isa_name(info.isa)),
        batch_regime=text(lib.score_regime_name(info.batch_regime)),
        row_regime=text(lib.score_regime_name(info.row_regime)),
        margin_is_f32=bool(info.margin_is_f32),
        has_covers=bool(info.has_covers),
        hash=identity.hex() if any(identity) else "",
        **same,
    )
