"""Models by calls, from arrays: the twin of ``scoreline/build.h``.

Comes in: nodes of trees or weights of a linear model as arrays. Goes out: a Model, checked as a whole.
"""

from __future__ import annotations

import ctypes
import dataclasses
from ctypes import byref
from typing import Any, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import _library
from ._errors import ShapeError
from ._library import BuildOptions, ColumnProgram, PartStruct, Contract, Error, F32, F64, ISAS, LinearLeaf, Node, Tree, c_text
from ._library import Owner, c_count, check, filled, lib, new_handle
from ._model import Model

_WIDTHS = {"f32": F32, "f64": F64}
_BASE_POSITIONS = {"first": 0, "last": 1}
_AVERAGES = {"none": 0, "margin": 1, "prediction": 2, "scale": 3}
_VOTES = {"none": 0, "largest": 1, "above": 2, "at_least": 3}
_COMBINATIONS = {"sum": 0, "median": 1}
_NO_PREDICTION = 0xFFFFFFFF
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
            "isolation",
            "parts",
            "complement",
            "normalised",
            "exp_catboost",
            "softmax_catboost",
            "mean_variance_catboost",
        )
    )
}

OPERATIONS = {
    name: code
    for code, name in enumerate(
        (
            "identity",
            "add",
            "subtract",
            "multiply",
            "divide",
            "clip",
            "replace_missing",
            "replace",
            "greater",
            "equal",
            "is_missing",
            "truncate",
            "lookup",
        )
    )
}
ROOTS = {
    name: code
    for code, name in enumerate(
        ("value", "hash", "norm_l1", "norm_l2", "norm_max", "norm_signed_max", "norm_l2_ratio")
    )
}
STEP_F32 = 1


@dataclasses.dataclass(frozen=True)
class Step:
    """One operation of a derived column on x, the value so far. `Step("subtract", mean)`, for example.

    Args:
        operation: "identity", "add", "subtract", "multiply", "divide" (by a), "clip" (to a … b), "replace_missing"
            (by a), "replace" (a by b), "greater" (x > a: 1 or 0, and b for NaN), "equal" (x == a, likewise),
            "is_missing" (1 or 0), "truncate" (toward zero), "lookup" (see `keys`).
        a, b: operands; of a look-up: the value of an unknown x, and of NaN.
        f32: round the result to float.
        keys: of a look-up: ascending, without NaN; None: 0, 1, 2, …
        values: of a look-up: what stands with each key.
    """

    operation: str
    a: float = 0.0
    b: float = 0.0
    f32: bool = False
    keys: Any = None
    values: Any = None

    def _arrays(self) -> Tuple[Optional[np.ndarray], np.ndarray]:
        values = np.ascontiguousarray(() if self.values is None else self.values, dtype=np.float64).reshape(-1)
        if self.keys is None:
            return None, values
        keys = np.ascontiguousarray(self.keys, dtype=np.float64).reshape(-1)
        if keys.size != values.size:
            raise ShapeError(f"expected as many keys as values, found {keys.size} and {values.size}")
        return keys, values


def _choice(what: str, names: Mapping[str, int], name: str) -> int:
    if name not in names:
        raise ValueError(f"expected {what} to be one of {', '.join(names)}, found {name!r}")
    return names[name]


def _whole(what: str, values: Any, most: int = 2**32 - 1, where: Any = True) -> np.ndarray:
    """Whole numbers from 0 on as int64; ShapeError if there are others `where` they count. NumPy would cut off fractions, and
    the library's types wrap."""
    given = np.asarray(values)
    if given.dtype.kind not in "iufb" and given.size:
        raise ShapeError(f"expected {what} as whole numbers, found an array of {given.dtype}")
    with np.errstate(invalid="ignore"):
        numbers = given.astype(np.int64)
    wrong = (numbers != given) | (numbers < 0) | (numbers > most)
    wrong = np.logical_and(wrong, where)
    if wrong.any():
        found = np.broadcast_to(given, wrong.shape)[wrong][0]
        raise ShapeError(f"expected {what} as whole numbers from 0 to {most}, found {found}")
    return numbers


def _test_codes(test: Union[str, Sequence[str]], n: int) -> Any:
    """Codes of the nodes' tests: one for all, or [n]. Each name is looked up once, since trees have many nodes."""
    if isinstance(test, str):
        return _choice("test", _TESTS, test)
    names = list(test)
    if len(names) != n:
        raise ShapeError(f"expected {n} tests, found {len(names)}")
    codes = {name: _choice("test", _TESTS, name) for name in set(names)}
    return np.array([codes[name] for name in names], dtype=np.uint8)


def _set_linear_leaves(tree: Tree, values: np.ndarray, given: Optional[Mapping[int, Any]]) -> Tuple[np.ndarray, ...]:
    """Lay the terms one after the other; returns the arrays that the tree now refers to."""
    if not given:
        return ()
    leaves = np.zeros(len(values), dtype=LinearLeaf)
    leaves["constant"] = values
    _whole("nodes of linear_leaves", list(given), len(values) - 1)
    features: List[int] = []
    coefficients: List[float] = []
    for node, (constant, terms) in given.items():
        leaves[node] = (constant, len(features), len(terms))
        features.extend(terms)
        coefficients.extend(terms.values())
    numbers = _whole("features of linear_leaves", features).astype(np.uint32)
    arrays = leaves, numbers, np.array(coefficients, dtype=np.float64)
    tree.linear_leaves, tree.term_features, tree.term_coefficients = (array.ctypes.data for array in arrays)
    tree.n_terms = len(features)
    return arrays


class Builder(Owner):
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
        scale: for base_position "last"; a factor, or with average "scale" a divisor.
        trees_per_iteration: None: n_outputs.
        average: "none", "margin" or "prediction": what is divided by the number of iterations; "scale": the margin is
            divided by `scale`.
        category_rule: "truncate" (-0.5 is category 0), "nonnegative" (-0.5 is none), "cityhash32" (by a hash of
            the category's text, as CatBoost does it) or "exact" (1.5 is none).
        link: from margins to predictions: the names in ``scoreline/build.h`` without SCORE_LINK_, in lower case.
        link_parameter: slope of a sigmoid or softmax, divisor of "isolation".
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
        contract.n_features, contract.n_outputs = c_count("n_features", n_features), c_count("n_outputs", n_outputs)
        per_iteration = n_outputs if trees_per_iteration is None else trees_per_iteration
        contract.trees_per_iteration = c_count("trees_per_iteration", per_iteration)
        contract.compare, contract.sum = _choice("compare", _WIDTHS, compare), _choice("sum", _WIDTHS, sum)
        contract.base_position = _choice("base_position", _BASE_POSITIONS, base_position)
        contract.average = _choice("average", _AVERAGES, average)
        contract.category_rule = _choice("category_rule", _CATEGORY_RULES, category_rule)
        contract.scale = scale
        options.isa = _choice("isa", ISAS, isa)
        self._free = lib.score_builder_free
        self._handle: Optional[int] = new_handle(lib.score_builder_new, byref(contract), byref(options))
        self._n_features, self._n_outputs = n_features, n_outputs
        self._n_columns = n_features
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

    def set_dictionary(
        self, feature: int, labels: Sequence[str], *, codes: Any = None, unknown: float = float("nan"),
        are_numbers: bool = False,
    ) -> "Builder":
        """Let a feature take strings: the text of each label stands for a code.

        Args:
            feature: an input.
            labels: distinct texts.
            codes: code of each; None: its position.
            unknown: code of any other string: NaN (missing), a number, or infinity (a row that has one is refused).
            are_numbers: the labels were numbers where the model was trained.
        """
        encoded = [c_text(label, "the label") for label in labels]
        pointers = (ctypes.c_char_p * len(encoded))(*encoded)
        values = None if codes is None else np.ascontiguousarray(codes, dtype=np.float64)
        if values is not None and values.shape != (len(encoded),):
            raise ShapeError(f"expected codes of {len(encoded)} labels, found an array of shape {values.shape}")
        address = None if values is None else values.ctypes.data
        flags = 2 if are_numbers else 0
        self._call(lib.score_builder_set_dictionary, feature, pointers, address, len(encoded), unknown, flags)
        return self

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
        linear_leaves: Optional[Mapping[int, Tuple[float, Mapping[int, float]]]] = None,
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
            linear_leaves: node number to (constant, coefficient by feature) of leaves that are linear in the row, summed
                in this order; `value` is what they give where one of the features is missing. Only with "f64".
        """
        left = np.asarray(left)
        n = left.size
        nodes = np.zeros(n, dtype=Node)
        is_leaf = left < 0
        try:
            for name, numbers, most in (("left", left, 2**31 - 1), ("right", right, 2**31 - 1), ("feature", feature, 2**32 - 1)):
                nodes[name] = np.where(is_leaf, 0, _whole(name, numbers, most, ~is_leaf))
            nodes["value"] = value
            nodes["missing"] = np.asarray(missing_left, dtype=bool) + 2 * np.asarray(zero_is_missing, dtype=np.uint8)
            nodes["leaf_id"] = np.arange(n) if leaf_ids is None else _whole("leaf_ids", leaf_ids)
        except ValueError as error:
            raise ShapeError(f"expected arrays of {n} nodes: {error}") from None
        nodes["test"] = np.where(is_leaf, 0, _test_codes(test, n))
        members = self._set_categories(nodes, categories or {})
        tree = filled(Tree)
        tree.nodes, tree.n_nodes, tree.output = nodes.ctypes.data, n, c_count("output", output)
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
        kept = _set_linear_leaves(tree, nodes["value"], linear_leaves)
        self._call(lib.score_builder_add_tree, byref(tree))
        del kept
        return self

    @staticmethod
    def _set_categories(nodes: np.ndarray, categories: Mapping[int, Sequence[int]]) -> np.ndarray:
        """Lay the sets one after the other and tell the nodes where theirs stands."""
        members: List[int] = []
        _whole("nodes of categories", list(categories), len(nodes) - 1)
        for node, values in categories.items():
            nodes["categories"][node], nodes["n_categories"][node] = len(members), len(values)
            members.extend(values)
        return _whole("categories", members).astype(np.uint32)

    def _add_column(self, program: ColumnProgram, steps: Sequence[Step]) -> int:
        held = [step._arrays() for step in steps]  # the structs point into them
        table = (_library.Step * len(steps))()
        for to, step, (keys, values) in zip(table, steps, held):
            to.operation = _choice("a step's operation", OPERATIONS, step.operation)
            to.flags = STEP_F32 if step.f32 else 0
            to.a, to.b = step.a, step.b
            to.values, to.n_keys = values.ctypes.data, values.size
            if keys is not None:
                to.keys = keys.ctypes.data
        program.steps, program.n_steps = ctypes.addressof(table), len(steps)
        column = ctypes.c_uint32()
        self._call(lib.score_builder_add_column, byref(program), byref(column))
        self._n_columns = column.value + 1
        return column.value

    def add_column(self, source: int, steps: Sequence[Step] = ()) -> int:
        """Add a derived column: a column, taken through steps in double. Returns its number, which trees and linear
        weights use as they use features: the first one is `n_features`.

        Args:
            source: a feature or an earlier derived column.
            steps: operations in order; none: a copy.
        """
        program = filled(ColumnProgram)
        program.source = c_count("source", source)
        return self._add_column(program, steps)

    def add_norm(
        self, norm: str, source: int, sources: Sequence[int], steps: Sequence[Step] = (), *, f32: bool = False,
        least: float = 0.0
    ) -> int:
        """Add a derived column: a column, divided by a norm of several.

        Args:
            norm: "l1", "l2", "max" (of magnitudes), "signed_max", or "l2_ratio": sqrt(x * x / sum of squares).
            source: the column that is divided.
            sources: the columns that the norm is made of, in this order.
            steps: operations on the result.
            f32: round every operation to float.
            least: a norm that is 0 or smaller than this leaves x as it is.
        """
        members = np.ascontiguousarray(_whole("sources", sources), dtype=np.uint32)
        program = filled(ColumnProgram)
        program.root = _choice("norm", ROOTS, f"norm_{norm}")
        program.flags, program.source, program.least = STEP_F32 if f32 else 0, c_count("source", source), least
        program.sources, program.n_sources = members.ctypes.data, members.size
        return self._add_column(program, steps)

    def add_hash(self, sources: Sequence[int], hashes: Any, steps: Sequence[Step] = ()) -> int:
        """Add a derived column: the place of CatBoost's hash of several columns among known hashes, or NaN.

        Args:
            sources: columns whose values are 32-bit integers: hashes of categories, or bits. Anything else is unknown.
            hashes: known hashes, ascending unsigned 64-bit integers.
            steps: operations on the place; usually ``Step("lookup", values=…, b=value of an unknown one)``.
        """
        members = np.ascontiguousarray(_whole("sources", sources), dtype=np.uint32)
        known = np.ascontiguousarray(hashes, dtype=np.uint64)
        program = filled(ColumnProgram)
        program.root = ROOTS["hash"]
        program.sources, program.n_sources = members.ctypes.data, members.size
        program.hashes, program.n_hashes = known.ctypes.data, known.size
        return self._add_column(program, steps)

    def set_linear(self, weights: Any, *, skip_missing: bool = False, first_column: int = 0) -> "Builder":
        """Make it a linear model: margin = base + X @ weights, summed in ascending feature order.

        Args:
            weights: [n_features, n_outputs], of one output in any shape; of all columns from `first_column` on, derived ones too.
            skip_missing: leave NaN features out of the sum; else NaN gives NaN.
            first_column: features and columns before it are not summed: they are sources of derived columns only.
        """
        weights = np.ascontiguousarray(weights, dtype=np.float64)
        n_columns = self._n_columns - first_column
        if weights.shape != (n_columns, self._n_outputs) and (self._n_outputs > 1 or weights.size != n_columns):
            hint = ". Give the transposed array" if weights.shape == (self._n_outputs, n_columns) else ""
            raise ShapeError(f"expected weights of shape {(n_columns, self._n_outputs)}, found {weights.shape}{hint}")
        if first_column:
            self._call(lib.score_builder_set_linear_columns, first_column)
        self._call(lib.score_builder_set_linear, weights.ctypes.data, int(skip_missing))
        return self

    def add_part(
        self,
        first_output: int,
        n_outputs: int,
        *,
        divisor: float = 1.0,
        slopes: Any = None,
        offsets: Any = None,
        curves: Optional[Sequence[Tuple[Any, Any]]] = None,
        link: str = "identity",
        link_parameter: float = 1.0,
        vote: str = "none",
        weight: float = 1.0,
        columns: Optional[Sequence[int]] = None,
    ) -> "Builder":
        """Add a part: outputs whose values, times a weight, are combined with those of other parts.

        Args:
            first_output, n_outputs: the margins that it takes.
            divisor: each margin is divided by it.
            slopes, offsets: [n_outputs] then x * slope + offset; None: x.
            curves: [n_outputs] of (x, y), points with ascending x; then linear between them, flat beyond. None: no curves.
            link, link_parameter: then, as of a model.
            vote: "largest": 1 for the first largest value, 0 for the others; "above", "at_least": of one output and
                without a link, two values: {0, 1} if x > 0 (x >= 0), else {1, 0}.
            columns: the prediction that each value adds to; None: 0, 1, 2, …
        """
        part, kept = filled(PartStruct), []

        def pointer(values: Any, dtype: Any) -> Optional[int]:
            if values is None:
                return None
            kept.append(np.ascontiguousarray(values, dtype=dtype))
            return kept[-1].ctypes.data

        for name, values in (("slopes", slopes), ("offsets", offsets), ("curves", curves)):
            if values is not None and len(values) != n_outputs:
                raise ShapeError(f"expected {n_outputs} {name}, found {len(values)}")
        if columns is not None:
            # As many as the part can have values, where the library may look: what is not given is no prediction.
            most = max(2, n_outputs)
            if len(columns) > most:
                raise ShapeError(f"expected at most {most} columns, found {len(columns)}")
            columns = [*columns, *[_NO_PREDICTION] * (most - len(columns))]
        part.first_output, part.n_outputs, part.divisor, part.weight = first_output, n_outputs, divisor, weight
        part.slopes, part.offsets = pointer(slopes, np.float64), pointer(offsets, np.float64)
        if curves is not None:
            part.curve_ends = pointer(np.cumsum([len(x) for x, _ in curves]), np.uint32)
            part.curve_x = pointer(np.concatenate([np.asarray(x, np.float64) for x, _ in curves]), np.float64)
            part.curve_y = pointer(np.concatenate([np.asarray(y, np.float64) for _, y in curves]), np.float64)
        part.link, part.link_parameter = _choice("link", LINKS, link), link_parameter
        part.vote, part.columns = _choice("vote", _VOTES, vote), pointer(columns, np.uint32)
        self._call(lib.score_builder_add_part, byref(part))
        return self

    def combine(self, how: str, n_predictions: int, *, total: float = 0.0) -> "Builder":
        """Combine the parts: their "sum" per prediction, divided by `total` unless that is 0, or the weighted "median" of
        parts of one value each."""
        self._call(lib.score_builder_combine, _choice("a combination", _COMBINATIONS, how), total, n_predictions)
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
