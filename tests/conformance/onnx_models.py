"""Random tree ensembles as ONNX graphs, in all three generations of the operator, and what onnxruntime answers.

Comes in: a random generator. Goes out: a file's bytes, the thresholds by feature, and sessions on one thread (with more,
onnxruntime sums in other orders).
"""
import dataclasses

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
LEAF = "LEAF"
ELEMENT = {np.float32: TensorProto.FLOAT, np.float64: TensorProto.DOUBLE}


@dataclasses.dataclass
class Node:
    tree: int
    id: int
    mode: str = LEAF
    feature: int = 0
    value: float = 0.0
    yes: int = 0
    no: int = 0
    missing: int = 0
    votes: list = dataclasses.field(default_factory=list)  # (target, weight)
    members: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Forest:
    nodes: list
    n_features: int
    n_targets: int
    dtype: type

    def thresholds(self) -> dict:
        found = {}
        for node in self.nodes:
            if node.mode != LEAF:
                found.setdefault(node.feature, []).extend(node.members or [node.value])
        return {feature: np.array(values, float) for feature, values in found.items()}


def random_forest(rng, n_trees=8, depth=4, n_features=5, n_targets=1, modes=MODES[:1], dtype=np.float32, votes="one",
                  missing=0.5, spread=0.0, integral=frozenset(), specials=True) -> Forest:
    """`votes`: "one" target per tree, "leaf": one per leaf, "all": every target, "some". `integral` features are
    compared with small integers."""
    nodes = []
    special = np.array([0.0, -0.0, 1e-45, 1e-40, -1e-40, np.inf, -np.inf, 3.4e38, 0.1, 1.0], dtype)

    def weight():
        return float(dtype(rng.normal() * 10.0 ** (rng.uniform(-spread, spread) if spread else 0)))

    def threshold(feature):
        if feature in integral:
            return float(rng.integers(0, 8))
        if specials and rng.random() < 0.1:
            return float(rng.choice(special))
        return float(dtype(rng.normal()))

    def grow(tree, at, level, target):
        node = Node(tree, len([n for n in nodes if n.tree == tree]))
        nodes.append(node)
        if level == 0 or (level < depth and rng.random() < 0.2):
            targets = {"one": [target], "leaf": [int(rng.integers(n_targets))], "all": list(range(n_targets)),
                       "some": [t for t in range(n_targets) if rng.random() < 0.6]}[votes]
            node.votes = [(t, weight()) for t in targets]
            return node
        node.mode = str(rng.choice(modes))
        node.feature = int(rng.integers(n_features))
        node.missing = int(rng.random() < missing)
        node.value = threshold(node.feature)
        if node.mode == "BRANCH_MEMBER":
            node.members = [threshold(node.feature) for _ in range(int(rng.integers(1, 6)))]
        node.yes = grow(tree, at, level - 1, target).id
        node.no = grow(tree, at, level - 1, target).id
        return node

    for tree in range(n_trees):
        grow(tree, 0, int(rng.integers(0, depth + 1)) if rng.random() < 0.2 else depth, tree % n_targets)
    return Forest(nodes, n_features, n_targets, dtype)


# ---- graphs ----------------------------------------------------------------------------------------------------------

def values(name: str, array, dtype) -> dict:
    """Attribute `name`, as a tensor where its type is double."""
    if dtype is np.float64:
        return {name + "_as_tensor": helper.make_tensor(name, TensorProto.DOUBLE, [len(array)], array)}
    return {name: [float(x) for x in array]}


def node_attributes(f: Forest, wide: bool) -> dict:
    return {"nodes_treeids": [n.tree for n in f.nodes], "nodes_nodeids": [n.id for n in f.nodes],
            "nodes_featureids": [n.feature for n in f.nodes], "nodes_modes": [n.mode for n in f.nodes],
            "nodes_truenodeids": [n.yes for n in f.nodes], "nodes_falsenodeids": [n.no for n in f.nodes],
            "nodes_missing_value_tracks_true": [n.missing for n in f.nodes],
            **values("nodes_values", [n.value for n in f.nodes], np.float64 if wide else np.float32)}


def votes_of(f: Forest, prefix: str, wide: bool) -> dict:
    listed = [(n.tree, n.id, t, w) for n in f.nodes for t, w in n.votes]
    return {f"{prefix}_treeids": [v[0] for v in listed], f"{prefix}_nodeids": [v[1] for v in listed],
            f"{prefix}_ids": [v[2] for v in listed],
            **values(f"{prefix}_weights", [v[3] for v in listed], np.float64 if wide else np.float32)}


def regressor(f: Forest, version=1, base=None, **attributes):
    wide = version == 3 and f.dtype is np.float64
    more = values("base_values", base, np.float64 if wide else np.float32) if base is not None else {}
    return helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], name="trees", domain="ai.onnx.ml",
                            n_targets=f.n_targets, **node_attributes(f, wide), **votes_of(f, "target", wide), **more,
                            **attributes)


def classifier(f: Forest, version=1, base=None, labels=None, **attributes):
    wide = version == 3 and f.dtype is np.float64
    more = values("base_values", base, np.float64 if wide else np.float32) if base is not None else {}
    labels = list(range(f.n_targets)) if labels is None else labels
    key = "classlabels_strings" if isinstance(labels[0], str) else "classlabels_int64s"
    return helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "y"], name="trees", domain="ai.onnx.ml",
                            **{key: labels}, **node_attributes(f, wide), **votes_of(f, "class", wide), **more, **attributes)


def ensemble5(f: Forest, **attributes):
    """The same trees as version 5 of the operator set has them: one vote per leaf."""
    element = ELEMENT[f.dtype]
    inner = [n for n in f.nodes if n.mode != LEAF]
    leaves = [n for n in f.nodes if n.mode == LEAF]
    place = {(n.tree, n.id): i for group in (inner, leaves) for i, n in enumerate(group)}
    by_key = {(n.tree, n.id): n for n in f.nodes}
    splits, more, roots = list(inner), {}, []
    sides = {"yes": [], "no": []}
    is_leaf = {"yes": [], "no": []}
    for n in inner:
        for side in ("yes", "no"):
            key = (n.tree, getattr(n, side))
            sides[side].append(place[key])
            is_leaf[side].append(int(by_key[key].mode == LEAF))
    for n in f.nodes:
        if n.id:
            continue
        if n.mode == LEAF:  # one leaf: a root with the same leaf twice
            splits.append(Node(n.tree, 0, "BRANCH_LEQ"))
            for side in ("yes", "no"):
                sides[side].append(place[n.tree, 0])
                is_leaf[side].append(1)
            roots.append(len(splits) - 1)
        else:
            roots.append(place[n.tree, 0])
    members = [x for n in splits if n.mode == "BRANCH_MEMBER" for x in [*n.members, np.nan]]
    if members:
        more["membership_values"] = helper.make_tensor("members", element, [len(members)], members)
    return helper.make_node(
        "TreeEnsemble", ["x"], ["y"], name="trees", domain="ai.onnx.ml", n_targets=f.n_targets,
        nodes_splits=helper.make_tensor("splits", element, [len(splits)], [n.value for n in splits]),
        nodes_modes=helper.make_tensor("modes", TensorProto.UINT8, [len(splits)],
                                       [[*MODES, "BRANCH_MEMBER"].index(n.mode) for n in splits]),
        nodes_featureids=[n.feature for n in splits], nodes_truenodeids=sides["yes"], nodes_falsenodeids=sides["no"],
        nodes_trueleafs=is_leaf["yes"], nodes_falseleafs=is_leaf["no"],
        nodes_missing_value_tracks_true=[n.missing for n in splits], tree_roots=roots,
        leaf_targetids=[n.votes[0][0] for n in leaves],
        leaf_weights=helper.make_tensor("weights", element, [len(leaves)], [n.votes[0][1] for n in leaves]),
        **more, **attributes)


def graph(nodes, inputs, outputs, initializers=(), version=1, opset=13) -> bytes:
    model = helper.make_model(
        helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs],
                          [helper.make_tensor_value_info(o, t, None) for o, t in outputs], list(initializers)),
        opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", version)], ir_version=8)
    return model.SerializeToString()


def single(node, f: Forest, version=1) -> bytes:
    """A graph of one operator."""
    element = ELEMENT[f.dtype]
    label = TensorProto.STRING if any(a.name == "classlabels_strings" for a in node.attribute) else TensorProto.INT64
    outputs = [("y", element if node.op_type == "TreeEnsemble" else TensorProto.FLOAT)]
    if node.op_type == "TreeEnsembleClassifier":
        outputs.insert(0, ("label", label))
    return graph([node], [("x", element, [None, f.n_features])], outputs, version=version)


# ---- onnxruntime -----------------------------------------------------------------------------------------------------

def session(data: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def answers(s: onnxruntime.InferenceSession, x: np.ndarray) -> list:
    """Every output of the session for rows of a single input."""
    return s.run(None, {s.get_inputs()[0].name: x})


def scores(s: onnxruntime.InferenceSession, x: np.ndarray) -> np.ndarray:
    """The last output as [n, width]; dictionaries as ZipMap makes them included. A list of the classes is not meant."""
    found = answers(s, x)[:2][-1]
    if isinstance(found, list):
        return np.array([list(row.values()) for row in found])
    return np.asarray(found).reshape(len(x), -1)
