"""Small ONNX files with one thing each that cannot be converted. Goes out: (name, bytes, what the message must say, options)."""
import numpy as np
from onnx import TensorProto as T
from onnx import helper, numpy_helper

ML = {"domain": "ai.onnx.ml"}
X, WIDE, WHOLE, TEXT = ("x", T.FLOAT, [None, 2]), ("w", T.DOUBLE, [None, 2]), ("i", T.INT64, [None, 2]), ("t", T.STRING, [None, 1])
AS_RUNTIME = ["--onnx-compat", "onnxruntime"]


def graph(nodes, inputs=(X,), constants=(), version=3, output="y", sparse=(), change=None) -> bytes:
    infos = [i if not isinstance(i, tuple) else helper.make_tensor_value_info(*i) for i in inputs]
    made = helper.make_graph(nodes, "g", infos, [helper.make_tensor_value_info(output, T.FLOAT, None)],
                             [numpy_helper.from_array(np.array(v), n) for n, v in constants], sparse_initializer=sparse)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", version)])
    if change:
        change(model)
    return model.SerializeToString()


def stump(source="x", result="y", name="trees", **changes):
    """A regressor of three nodes."""
    attributes = dict(n_targets=1, nodes_treeids=[0] * 3, nodes_nodeids=[0, 1, 2], nodes_featureids=[0] * 3,
                      nodes_values=[0.5, 0.0, 0.0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0],
                      nodes_falsenodeids=[2, 0, 0], target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0],
                      target_weights=[1.0, 2.0])
    attributes.update(changes)
    return helper.make_node("TreeEnsembleRegressor", [source], [result], name=name, **ML,
                            **{k: v for k, v in attributes.items() if v is not None})


def classifier(**changes):
    attributes = dict(nodes_treeids=[0] * 3, nodes_nodeids=[0, 1, 2], nodes_featureids=[0] * 3, nodes_values=[0.5, 0.0, 0.0],
                      nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
                      class_treeids=[0, 0], class_nodeids=[1, 2], class_ids=[0, 0], class_weights=[0.25, 0.5],
                      classlabels_int64s=[0, 1])
    attributes.update(changes)
    return helper.make_node("TreeEnsembleClassifier", ["x"], ["label", "y"], name="trees", **ML, **attributes)


def ensemble5(source, dtype, **more):
    def tensor(values):
        return helper.make_tensor("v", dtype, [len(values)], values)
    return helper.make_node("TreeEnsemble", [source], ["y"], name="trees", n_targets=1, nodes_splits=tensor([0.5]),
                            nodes_modes=helper.make_tensor("m", T.UINT8, [1], [0]), nodes_featureids=[0], nodes_truenodeids=[0],
                            nodes_falsenodeids=[1], nodes_trueleafs=[1], nodes_falseleafs=[1], tree_roots=[0],
                            leaf_targetids=[0, 0], leaf_weights=tensor([1.0, 2.0]), **ML, **more)


def linear(source="x", result="y", n=1, **more):
    return helper.make_node("LinearRegressor", [source], [result], name="line", targets=n, coefficients=[1.0, 2.0] * n, **ML, **more)


def op(kind, inputs, result="a", name="step", **attributes):
    ml = kind in ("ArrayFeatureExtractor", "Normalizer", "FeatureVectorizer", "Scaler", "LabelEncoder", "OneHotEncoder",
                  "CategoryMapper", "SVMClassifier", "SVMRegressor", "LinearClassifier")
    return helper.make_node(kind, inputs, [result], name=name, **(ML if ml else {}), **attributes)


def doubling():
    """Each node has the next one for both children: 2^40 paths."""
    n = 41
    return stump(nodes_treeids=[0] * n, nodes_nodeids=list(range(n)), nodes_featureids=[0] * n, nodes_values=[0.5] * n,
                 nodes_modes=["BRANCH_LEQ"] * (n - 1) + ["LEAF"], nodes_truenodeids=[*range(1, n), 0],
                 nodes_falsenodeids=[*range(1, n), 0], target_treeids=[0], target_nodeids=[n - 1], target_ids=[0],
                 target_weights=[1.0])


def far_tensor(model):
    t = model.graph.initializer[0]
    t.data_location = 1
    t.external_data.add(key="location", value="elsewhere")


def two_places():
    return stump(nodes_treeids=[0, 1, 0], nodes_modes=["LEAF"] * 3, nodes_nodeids=[0, 0, 1], nodes_truenodeids=[0] * 3,
                 nodes_falsenodeids=[0] * 3, target_treeids=[0, 1], target_nodeids=[0, 0])


def around(*nodes):
    """Scores of the trees, and operators behind them."""
    return [stump(result="s"), *nodes]


SEQUENCE = helper.make_tensor_sequence_value_info("x", T.FLOAT, None)
SPARSE = helper.make_sparse_tensor(helper.make_tensor("c", T.FLOAT, [1], [1.0]), helper.make_tensor("k", T.INT64, [1], [0]), [3])

CASES = [
    ("computed shape", graph([op("Reshape", ["x", "x"]), stump("a")]), ["Reshape", "'step'", "export it with a constant shape"]),
    ("other shape", graph([op("Reshape", ["x", "c"]), stump("a")], constants=[("c", [-1, 1])]),
     ["Reshape", "'step'", "supported is the constant shape"]),
    ("flattened rows", graph([op("Flatten", ["x"], axis=0), stump("a")]), ["Flatten", "'step'", "supported is axis 1"]),
    ("twice transformed", graph(around(op("Exp", ["s"], "e", "first"), op("Exp", ["e"], "y"))),
     ["Exp", "'step'", "export with post_transform NONE"]),
    ("two transforms", graph(around(op("Exp", ["s"], "e", "first"), op("Sigmoid", ["e"], "y"))),
     ["Sigmoid", "'step'", "export with post_transform NONE"]),
    ("squared scores", graph(around(op("Mul", ["s", "s"], "y"))), ["Mul", "'step'", "supported is a constant number"]),
    ("doubled scores", graph(around(op("Mul", ["s", "c"], "y")), constants=[("c", np.float32([2]))]),
     ["Mul", "'step'", "supported are the factor 1"]),
    ("one tree score", graph(around(op("ArrayFeatureExtractor", ["s", "c"], "y")), constants=[("c", [0])]),
     ["ArrayFeatureExtractor", "'step'", "export all scores"]),
    ("an output per class", graph(around(op("Slice", ["s", "c", "c"], "y")), constants=[("c", [0])]),
     ["Slice", "'step'", 'options={"zipmap": False}']),
    ("several linear scores", graph([linear(result="s", n=3), op("ArrayFeatureExtractor", ["s", "c"], "y")],
                                    constants=[("c", [0, 2])]), ["ArrayFeatureExtractor", "'step'", "or export all"]),
    ("norm of scores", graph(around(op("Normalizer", ["s"], "y", norm="L2"))),
     ["Normalizer", "'step'", "export the scores before it"]),
    ("constant by columns", graph([op("ArrayFeatureExtractor", ["c", "x"]), stump()], constants=[("c", [5, 6])]),
     ["ArrayFeatureExtractor", "'step'", "supported are the classes of a label"]),
    ("floats beside doubles", graph([op("Concat", ["x", "w"], axis=1), stump("a")], [X, WIDE]),
     ["Concat", "'step'", "cast them to float before"]),
    ("joined rows", graph([op("Concat", ["x", "x"], axis=0), stump("a")]),
     ["Concat", "'step'", "supported is joining columns"]),
    ("vector of integers", graph([op("FeatureVectorizer", ["i"]), stump("a")], [WHOLE]),
     ["FeatureVectorizer", "'step'", "use Concat, or cast"]),
    ("selected by a column", graph([op("Gather", ["x", "x"], axis=1), stump("a")]),
     ["Gather", "'step'", "supported are constant columns"]),
    ("cast to integers", graph([op("Cast", ["x"], to=T.INT32), stump("a")]), ["Cast", "'step'", "cast to one of those"]),
    ("numbers in text", graph([op("Cast", ["t"], to=T.FLOAT), stump("a")], [TEXT]),
     ["Cast", "'step'", "make the graph's input one of numbers"]),
    ("narrowed predictions", graph([ensemble5("w", T.DOUBLE, post_transform=2), op("Cast", ["y"], "z", to=T.FLOAT)], [WIDE],
                                   version=5, output="z"), ["Cast", "'step'", "leave the cast out"]),
    ("scaled text", graph([op("Scaler", ["t"], offset=[0.0], scale=[1.0]), stump("a")], [TEXT]),
     ["Scaler", "'step'", "encode it before"]),
    ("sum of columns", graph([op("Add", ["x", "x"]), stump("a")]),
     ["Add", "'step'", "supported are constants of the columns' type"]),
    ("three summands", graph([op("Add", ["x", "c"]), stump("a")], constants=[("c", np.float32([1, 2, 3]))]),
     ["Add", "'step'", "supported is one number, or one per column"]),
    ("large integer", graph([op("LabelEncoder", ["i"], keys_int64s=[2**53 + 1], values_floats=[1.0]), stump("a")], [WHOLE]),
     ["LabelEncoder", "'step': names the integer 9007199254740993", "number the categories anew"]),
    ("norm of integers", graph([op("Normalizer", ["i"], norm="L1"), stump("a")], [WHOLE]),
     ["Normalizer", "'step'", "cast them to float before"]),
    ("category in Latin-1", graph([op("LabelEncoder", ["t"], keys_strings=["a", b"Z\xfcrich"], values_floats=[1.0, 2.0]),
                                   stump("a")], [TEXT]), ["LabelEncoder", "'step': names the category", "rename it before training"]),
    ("strict behind another encoder",
     graph([op("LabelEncoder", ["t"], "u", "first", keys_strings=["a"], values_strings=["b"]),
            op("OneHotEncoder", ["u"], cats_strings=["b"], zeros=0), stump("a")], [TEXT]),
     ["OneHotEncoder", "'step'", "train with handle_unknown='ignore'"]),
    ("nodes without end", graph([doubling()]), ["TreeEnsembleRegressor", "'trees'", "use trees, BRANCH_LEQ"]),
    ("two weights", graph([stump(target_treeids=[0] * 3, target_nodeids=[1, 2, 2], target_ids=[0] * 3,
                                 target_weights=[1.0, 2.0, 3.0])]),
     ["TreeEnsembleRegressor 'trees': leaf 2 has two weights", "target 0", "add them up in the file"]),
    ("keys of another type", graph([op("LabelEncoder", ["x"], keys_int64s=[1], values_floats=[1.0]), stump("a")]),
     ["LabelEncoder", "'step': has keys of type 7", "cast the columns before"]),
    ("mapped floats", graph([op("CategoryMapper", ["x"], cats_int64s=[1], cats_strings=["a"]), stump("a")]),
     ["CategoryMapper", "'step'", "cast them to int64 before"]),
    ("text among numbers", graph([op("OneHotEncoder", ["t"], cats_int64s=[1]), stump("a")], [TEXT]),
     ["OneHotEncoder", "'step'", "supported are cats_strings of text"]),
    ("two models", graph([stump(result="s", name="one"), stump(name="two")]),
     ["TreeEnsembleRegressor", "'two': is a second model beside 'one'", "convert each step alone"]),
    ("trees on text", graph([stump("t")], [TEXT]), ["TreeEnsembleRegressor 'trees'", "scores text", "encode it before"]),
    ("double thresholds", graph([stump(nodes_values=None, nodes_values_as_tensor=helper.make_tensor("v", T.DOUBLE, [3], [0.1, 0, 0]),
                                      target_weights=None, target_weights_as_tensor=helper.make_tensor("w", T.DOUBLE, [2], [1, 2]))]),
     ["TreeEnsembleRegressor 'trees'", "double thresholds for float columns", "cast the columns to double"]),
    ("float thresholds", graph([ensemble5("w", T.FLOAT)], [WIDE], version=5),
     ["TreeEnsemble 'trees'", "float thresholds for double columns", "cast the columns to float"]),
    ("vector machine", graph([op("SVMRegressor", ["x"], "y")]), ["SVMRegressor", "'step'", "supported are trees and linear models"]),
    ("classifying vector machine", graph([op("SVMClassifier", ["x"], "y")]),
     ["SVMClassifier", "'step'", "supported are trees and linear models"]),
    ("another operator", graph([op("Tanh", ["x"]), stump("a")]), ["Tanh", "'step'", "on columns", "export the model's own step alone"]),
    ("an operator without a name", graph([op("Tanh", ["x"], "squashed", name=""), stump("squashed")]),
     ["Tanh", "which makes 'squashed'", "export the model's own step alone"]),
    ("one-hot columns as they are", graph([op("OneHotEncoder", ["t"], cats_strings=["a"]), stump("a")], [TEXT]),
     ["TreeEnsembleRegressor 'trees'", "one-hot columns of three dimensions", "export the model's own step alone"]),
    ("sequence", graph([stump()], [SEQUENCE]), ["input 'x'", "no tensor", "expected tensors of [rows, columns]"]),
    ("half precision", graph([stump()], [("x", T.FLOAT16, [None, 2])]), ["input 'x'", "type 10", "supported are float, double"]),
    ("images", graph([stump()], [("x", T.FLOAT, [None, 2, 2])]), ["input 'x'", "3 dimensions", "expected 2: [rows, columns]"]),
    ("no model", graph([op("Scaler", ["x"], "y", offset=[0.0], scale=[1.0])]),
     ["graph of 1 operators", "no tree ensemble and no linear model", "export the pipeline with its model"]),
    ("linear model on doubles", graph([linear("w")], [WIDE]), ["LinearRegressor", "'line'", "cast them to float before"]),
    ("probit of one score", graph([helper.make_node("LinearClassifier", ["x"], ["label", "y"], name="line", coefficients=[1.0, 2.0],
                                                    intercepts=[0.0], classlabels_ints=[0, 1], post_transform="PROBIT", **ML)]),
     ["LinearClassifier", "'line'", "give both classes coefficients"]),
    ("product of columns", graph([op("MatMul", ["x", "x"], "y")]), ["MatMul", "'step'", "supported are constant coefficients"]),
    ("added to tree scores", graph(around(op("Add", ["s", "c"], "y")), constants=[("c", np.float32([1]))]),
     ["Add", "'step'", "give the model an intercept instead"]),
    ("functions", graph([stump()], change=lambda m: m.functions.add(name="f", domain="mine")),
     ["1 functions of its own", "ONNX file", "inline them (onnx.inliner)"]),
    ("sparse constant", graph([stump()], sparse=[SPARSE]), ["1 sparse constants", "sparse_initializer", "make them dense"]),
    ("constant elsewhere", graph([op("Add", ["x", "c"]), stump("a")], constants=[("c", np.float32([1, 2]))], change=far_tensor),
     ["Add 'step'", "tensor 'c' lies in a file of its own", "save the model with its data inside"]),
    ("integer thresholds", graph([stump(nodes_values=None, nodes_values_as_tensor=helper.make_tensor("v", T.INT64, [3], [1, 0, 0]))]),
     ["TreeEnsembleRegressor 'trees'", "tensor 'v' is of type 7", "expected float or double"]),
    ("selected by a fraction", graph([op("Gather", ["x", "c"], axis=1), stump("a")], constants=[("c", np.float32([1]))]),
     ["Gather 'step'", "tensor 'c' is of type 1", "expected int64"]),
    ("target without a vote", graph([stump(n_targets=2, target_ids=[0, 1], base_values=[1.0, 2.0])]),
     ["TreeEnsembleRegressor 'trees'", "votes for target 0", "convert with the specification's answers"], AS_RUNTIME),
    ("bases of two classes", graph([classifier(base_values=[1.0, 2.0], class_ids=[0, 1])]),
     ["TreeEnsembleClassifier 'trees'", "base values of two classes", "convert with the specification's answers"], AS_RUNTIME),
    ("probit of two classes", graph([classifier(post_transform="PROBIT")]),
     ["TreeEnsembleClassifier 'trees'", "post_transform PROBIT of one score", "give both classes weights"]),
    ("child first", graph([stump(nodes_nodeids=[1, 0, 2])]),
     ["TreeEnsembleRegressor 'trees'", "node 1 of tree 0 stands first", "expected each tree's nodes together"]),
    ("node without a parent", graph([stump(nodes_falsenodeids=[1, 0, 0])]),
     ["TreeEnsembleRegressor 'trees'", "node 2 of tree 0 is no node's child", "expected each tree's nodes together"]),
    ("tree in two places", graph([two_places()]), ["TreeEnsembleRegressor 'trees'", "listed in two places", "sort the nodes by tree"]),
    ("smallest tree", graph([stump(aggregate_function="MIN")]),
     ["TreeEnsembleRegressor 'trees'", "aggregate_function MIN", "SUM and AVERAGE are"]),
    ("largest tree, version 5", graph([ensemble5("x", T.FLOAT, aggregate_function=3)], version=5),
     ["TreeEnsemble 'trees'", "aggregate_function MAX", "SUM and AVERAGE are"]),
]
