"""Models by calls, from arrays: the twin of ``scoreline/build.h``.

Comes in: nodes of trees or weights of a linear model as arrays. Goes out: a Model, checked as a whole.
"""

from __future__ import annotations

from ctypes import byref
from typing import Any, List, Mapping, Optional, Sequence, Union

import numpy as np

from ._errors import ShapeError
from ._library import BuildOptions, Contract, Error, F32, F64, ISAS, Node, Tree, c_text, check, filled, lib, new_handle
from ._model import Model

_WIDTHS = {"f32": F32, "f64": F64}
_BASE_POSITIONS = {"first": 0, "last": 1}
_AVERAGES = {"none": 0, "margin": 1, "prediction": 2}
_CATEGORY_RULES = {"truncate": 0, "nonnegative": 1, "cityhash32": 2, "exact": 3}
_TESTS = {"leaf": 0, "lt": 1, "le": 2, "in_left": 3, "in_right": 4}
_TYPES = {"numeric": 0, "category": 1}
LINKS = {
    name: code
    for code, name in enumerate(
        (
            "identity",
            "sigmoid_xgboost",
            "sigmoid",
            "exp",
            "hinge",
            "softmax_xgboost",
            "softmax",
            "argmax",
            "signed_square",
            "log1p_exp",
            "sort",
            "binary_pair",
            "ovr_normalised",
            "softmax_pair",
            "exp_f64",
            "mean_variance",
            "modified_huber",
            "sigmoid_onnx",
            "softmax_onnx",
            "softmax_zero_onnx",
            "probit_onnx",
            "float",
            "complement_onnx",
            "opposite_onnx",
            "sigmoid_pair_onnx",
            "exp_scaled",
        )
    )
}


def _choice(what: str, names: Mapping[str, int], name: str) -> int:
    if name not in names:
        raise ValueError(f"expected {what} to be one of {', '.join(names)}, found {name!r}")
    return names[name]


def _test_codes(test: Union[str, Sequence[str]], n: int) -> Any:
    """Codes of the nodes' tests: one for all, or [n]. Each name is looked up once, since trees have many nodes."""
    if isinstance(test, str):
        return _choice("test", _TESTS, test)
    names = list(test)
    if len(names) != n:
        raise ShapeError(f"expected {n} tests, found {len(names)}")
    codes = {name: _choice("test", _TESTS, name) for name in set(names)}
    return np.array([codes[name] for name in names], dtype=np.uint8)


class Builder:
    """Make a model from trees or linear weights.

    Args:
        n_features: features per row.
        n_outputs: margins per row.
        feature_names: unique names; None: "f0", "f1", …
        feature_types: "numeric" or "category" for every feature; None: all numeric.
        base: margin before any tree, one number or one per output (the bias of a linear model).
        compare: "f32" or "f64": type in which values are compared with thresholds.
        sum: "f32" or "f64": type of leaves and of the running sum.
        base_position: "first": the sum starts at the base; "last": margin = scale * sum + base.
        scale: for base_position "last".
        trees_per_iteration: None: n_outputs.
        average: "none", "margin" or "prediction": what is divided by the number of iterations.
        category_rule: "truncate" (-0.5 is category 0), "nonnegative" (-0.5 is none), "cityhash32" (by a hash of
            the category's text, as CatBoost does it) or "exact" (1.5 is none).
        link: from margins to predictions: the names in ``scoreline/build.h`` without SCORE_LINK_, in lower case.
        link_parameter: slope of the link "sigmoid".
        metadata: free text by key.
        isa: "auto" or an instruction set to force.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int = 1,
        *,
        feature_names: Optional[Sequence[str]] = None,
        feature_types: Optional[Sequence[str]] = None,
        base: Any = 0.0,
        compare: str = "f64",
        sum: str = "f64",
        base_position: str = "first",
        scale: float = 1.0,
        trees_per_iteration: Optional[int] = None,
        average: str = "none",
        category_rule: str = "truncate",
        link: str = "identity",
        link_parameter: float = 1.0,
        metadata: Optional[Mapping[str, str]] = None,
        isa: str = "auto",
    ):
        contract, options = filled(Contract), filled(BuildOptions)
        contract.n_features, contract.n_outputs = n_features, n_outputs
        contract.trees_per_iteration = n_outputs if trees_per_iteration is None else trees_per_iteration
        contract.compare, contract.sum = _choice("compare", _WIDTHS, compare), _choice("sum", _WIDTHS, sum)
        contract.base_position = _choice("base_position", _BASE_POSITIONS, base_position)
        contract.average = _choice("average", _AVERAGES, average)
        contract.category_rule = _choice("category_rule", _CATEGORY_RULES, category_rule)
        contract.scale = scale
        options.isa = _choice("isa", ISAS, isa)
        self._free = lib.score_builder_free
        self._handle: Optional[int] = new_handle(lib.score_builder_new, byref(contract), byref(options))
        self._n_features, self._n_outputs = n_features, n_outputs
        self._set_features(feature_names, feature_types)
        base = np.ascontiguousarray(base, dtype=np.float64).reshape(-1)
        self._call(lib.score_builder_set_base, base.ctypes.data, base.size)
        self._call(lib.score_builder_set_link, _choice("link", LINKS, link), link_parameter)
        for key, value in (metadata or {}).items():
            self._call(
                lib.score_builder_set_metadata, c_text(key, "the metadata key"), c_text(value, "the metadata value")
            )

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._free(handle)

    def _call(self, function: Any, *arguments: Any) -> None:
        if not self._handle:
            raise ValueError("the builder is spent: finish() was called")
        error = Error()
        check(function(self._handle, *arguments, byref(error)), error)

    def _set_features(self, names: Optional[Sequence[str]], types: Optional[Sequence[str]]) -> None:
        for what, given in (("feature_names", names), ("feature_types", types)):
            if given is not None and len(given) != self._n_features:
                raise ShapeError(f"expected {self._n_features} {what}, found {len(given)}")
        if names is None and types is None:
            return
        for i in range(self._n_features):
            name = None if names is None else c_text(names[i], "the feature name")
            kind = "numeric" if types is None else types[i]
            self._call(lib.score_builder_set_feature, i, name, _choice("a feature type", _TYPES, kind))

    def add_tree(
        self,
        left: Any,
        right: Any,
        feature: Any,
        value: Any,
        *,
        test: Union[str, Sequence[str]] = "le",
        missing_left: Any = False,
        zero_is_missing: Any = False,
        categories: Optional[Mapping[int, Sequence[int]]] = None,
        leaf_ids: Any = None,
        output: int = 0,
        vectors: Any = None,
        covers: Any = None,
    ) -> "Builder":
        """Add a tree of n nodes; node 0 is the root.

        Args:
            left, right: [n] node numbers of the children; -1 in `left` makes a leaf.
            feature: [n] feature that a split asks, ignored in leaves.
            value: [n] threshold of a split or value of a leaf.
            test: "lt", "le" (left when x < or <= value), "in_left" or "in_right" (set tests); one for all splits
                or [n].
            missing_left: where NaN goes; one for all or [n].
            zero_is_missing: values within 1e-35 of zero are missing too; one for all or [n].
            categories: for set tests: node number to its categories.
            leaf_ids: [n] numbers that output "leaf" gives; None: node numbers.
            output: output that the tree adds to.
            vectors: [n, n_outputs] leaf values of a vector tree, instead of `value`.
            covers: [n] weight of the training rows that reached a node; contributions need it for all trees.
        """
        left = np.asarray(left)
        n = left.size
        nodes = np.zeros(n, dtype=Node)
        is_leaf = left < 0
        try:
            nodes["left"], nodes["right"] = np.where(is_leaf, 0, left), np.where(is_leaf, 0, right)
            nodes["feature"] = np.where(is_leaf, 0, feature)
            nodes["value"] = value
            nodes["missing"] = np.asarray(missing_left, dtype=bool) + 2 * np.asarray(zero_is_missing, dtype=np.uint8)
            nodes["leaf_id"] = np.arange(n) if leaf_ids is None else leaf_ids
        except ValueError as error:
            raise ShapeError(f"expected arrays of {n} nodes: {error}") from None
        nodes["test"] = np.where(is_leaf, 0, _test_codes(test, n))
        members = self._set_categories(nodes, categories or {})
        tree = filled(Tree)
        tree.nodes, tree.n_nodes, tree.output = nodes.ctypes.data, n, output
        tree.categories, tree.n_categories = members.ctypes.data, members.size
        if vectors is not None:
            vectors = np.ascontiguousarray(vectors, dtype=np.float64)
            if vectors.shape != (n, self._n_outputs):
                raise ShapeError(f"expected vectors of shape {(n, self._n_outputs)}, found {vectors.shape}")
            nodes["leaf_vector"] = np.arange(n)
            tree.vectors, tree.n_vectors = vectors.ctypes.data, n
        if covers is not None:
            covers = np.ascontiguousarray(covers, dtype=np.float64)
            if covers.shape != (n,):
                raise ShapeError(f"expected covers of {n} nodes, found an array of shape {covers.shape}")
            tree.covers = covers.ctypes.data
        self._call(lib.score_builder_add_tree, byref(tree))
        return self

    @staticmethod
    def _set_categories(nodes: np.ndarray, categories: Mapping[int, Sequence[int]]) -> np.ndarray:
        """Lay the sets one after the other and tell the nodes where theirs stands."""
        members: List[int] = []
        for node, values in categories.items():
            nodes["categories"][node], nodes["n_categories"][node] = len(members), len(values)
            members.extend(values)
        return np.array(members, dtype=np.uint32)

    def set_linear(self, weights: Any, *, skip_missing: bool = False) -> "Builder":
        """Make it a linear model: margin = base + X @ weights, summed in ascending feature order.

        Args:
            weights: [n_features] or [n_features, n_outputs].
            skip_missing: leave NaN features out of the sum; else NaN gives NaN.
        """
        weights = np.ascontiguousarray(weights, dtype=np.float64)
        if weights.size != self._n_features * self._n_outputs:
            raise ShapeError(f"expected weights of shape {(self._n_features, self._n_outputs)}, found {weights.shape}")
        self._call(lib.score_builder_set_linear, weights.ctypes.data, int(skip_missing))
        return self

    def finish(self) -> Model:
        """Check everything and return the model. The builder is spent."""
        if not self._handle:
            raise ValueError("the builder is spent: finish() was called")
        try:
            return Model._of_handle(new_handle(lib.score_builder_finish, self._handle))
        finally:
            handle, self._handle = self._handle, None
            self._free(handle)
