#!/usr/bin/env python3
"""Small ONNX files for the unit tests, made by this script alone (Apache-2.0, as the rest): the three generations of the tree
operators, and preprocessing and encoders of text before linear models.

    build/venv/bin/python tests/data/make_onnx.py        writes tests/data/onnx/*.onnx
"""
import pathlib
import sys

import numpy as np
from onnx import TensorProto, helper

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "conformance"))
import onnx_models as om  # noqa: E402


def pipeline() -> bytes:
    ml = {"domain": "ai.onnx.ml"}
    nodes = [helper.make_node("Imputer", ["x"], ["a"], imputed_value_floats=[0.5], replaced_value_float=float("nan"), **ml),
             helper.make_node("Scaler", ["a"], ["b"], offset=[1.0, -1.0, 0.5], scale=[2.0], **ml),
             helper.make_node("LinearClassifier", ["b"], ["label", "y"], coefficients=[1.0, -2.0, 0.25], intercepts=[0.125],
                              classlabels_strings=["no", "yes"], post_transform="LOGISTIC", **ml)]
    return om.graph(nodes, [("x", TensorProto.FLOAT, [None, 3])],
                    [("label", TensorProto.STRING), ("y", TensorProto.FLOAT)])


def categories() -> bytes:
    """Text that two encoders read, one of which fails at unknown ones, and an integer; behind them a linear model."""
    ml = {"domain": "ai.onnx.ml"}
    nodes = [helper.make_node("OneHotEncoder", ["city"], ["cube"], cats_strings=["Oslo", "", "Bern"], zeros=0, **ml),
             helper.make_node("Flatten", ["cube"], ["hot"]),
             helper.make_node("LabelEncoder", ["city"], ["rank"], keys_strings=["Bern", "Rome"], values_floats=[2.0, 3.0],
                              default_float=-1.0, **ml),
             helper.make_node("LabelEncoder", ["count"], ["name"], keys_int64s=[1, 2], values_strings=["one", "two"], **ml),
             helper.make_node("LabelEncoder", ["name"], ["number"], keys_strings=["two", "_Unused"], values_floats=[0.5, 0.25], **ml),
             helper.make_node("Concat", ["hot", "rank", "number"], ["columns"], axis=1),
             helper.make_node("LinearRegressor", ["columns"], ["y"], coefficients=[1.0, 2.0, 4.0, 8.0, 16.0], intercepts=[0.5], **ml)]
    return om.graph(nodes, [("city", TensorProto.STRING, [None, 1]), ("count", TensorProto.INT64, [None, 1])],
                    [("y", TensorProto.FLOAT)], version=2)


def main() -> None:
    rng = np.random.default_rng(7)
    small = {"n_trees": 3, "depth": 2, "n_features": 3, "specials": False, "integral": {2}}
    f = om.random_forest(rng, modes=om.MODES, **small)
    g = om.random_forest(rng, n_targets=3, votes="all", **small)
    h = om.random_forest(rng, dtype=np.float64, modes=["BRANCH_LT", "BRANCH_MEMBER"], **small)
    files = {"regressor": om.single(om.regressor(f, base=[0.5]), f),
             "classifier": om.single(om.classifier(g, labels=["a", "b", "c"], post_transform="SOFTMAX"), g),
             "ensemble5": om.single(om.ensemble5(h), h, 5), "pipeline": pipeline(), "categories": categories()}
    for name, data in files.items():
        (HERE / "onnx" / f"{name}.onnx").write_bytes(data)


if __name__ == "__main__":
    main()
