"""ONNX files from Python and from the command line: whose answers they give where onnxruntime departs from the specification."""
import math
import pathlib
import subprocess

import numpy as np
import pytest

import scoreline

onnx = pytest.importorskip("onnx")
ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def logistic(tmp_path):
    """One leaf of 2 with a logistic transform, which onnxruntime does not apply to a single target."""
    node = onnx.helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], name="trees", domain="ai.onnx.ml", n_targets=1, post_transform="LOGISTIC",
        nodes_treeids=[0], nodes_nodeids=[0], nodes_featureids=[0], nodes_values=[0.0], nodes_modes=["LEAF"],
        nodes_truenodeids=[0], nodes_falsenodeids=[0], target_treeids=[0], target_nodeids=[0], target_ids=[0],
        target_weights=[2.0])
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph([node], "g", [value("x", 1, [None, 2])], [value("y", 1, None)])
    path = tmp_path / "model.onnx"
    onnx.save_model(onnx.helper.make_model(graph), str(path))
    return path


EXPECTED = {"specification": 1 / (1 + math.exp(-2)), "onnxruntime": 2.0}


@pytest.mark.parametrize("whose", EXPECTED)
def test_convert(logistic, whose):
    rows = np.zeros((1, 2), np.float32)
    for source in (logistic, logistic.read_bytes()):
        model = scoreline.convert(source, onnx_compat=whose)
        assert float(np.asarray(model.predict(rows)).ravel()[0]) == pytest.approx(EXPECTED[whose], rel=1e-6)
    assert model.metadata["source.library"] == "onnx"


def test_specification_is_the_default(logistic):
    assert float(np.asarray(scoreline.convert(logistic).predict(np.zeros((1, 2)))).ravel()[0]) < 1
    with pytest.raises(ValueError, match="specification, onnxruntime"):
        scoreline.convert(logistic, onnx_compat="mine")


@pytest.mark.parametrize("whose", EXPECTED)
def test_command(logistic, tmp_path, whose):
    command = ROOT / "build/cli/scoreline"
    if not command.exists():
        pytest.skip("the command is not built")
    out = tmp_path / "model.slm"
    subprocess.run([command, "convert", logistic, "-o", out, "--onnx-compat", whose], check=True, capture_output=True)
    assert float(np.asarray(scoreline.load(out).predict(np.zeros((1, 2)))).ravel()[0]) == pytest.approx(EXPECTED[whose],
                                                                                                        rel=1e-6)
    wrong = subprocess.run([command, "convert", logistic, "-o", out, "--onnx-compat", "mine"], capture_output=True)
    assert wrong.returncode == 2 and b"specification or onnxruntime" in wrong.stderr


@pytest.mark.parametrize("file, name", [("lightgbm/binary.txt", "LightGBM text"), ("xgboost/regression-3.2.0.json", "XGBoost JSON"),
                                        ("catboost/ctr-1.2.10.json", "CatBoost JSON"), (None, "a Scoreline .slm file")])
def test_the_command_refuses_whose_answers_of_other_formats(logistic, tmp_path, file, name):
    command, out = ROOT / "build/cli/scoreline", tmp_path / "model.slm"
    if not command.exists():
        pytest.skip("the command is not built")
    source = ROOT / "tests/data" / file if file else tmp_path / "converted.slm"
    if file is None:
        scoreline.convert(logistic).save(source)
    for whose in EXPECTED:
        done = subprocess.run([command, "convert", source, "-o", out, "--onnx-compat", whose], capture_output=True, text=True)
        assert done.returncode == 1 and f"--onnx-compat works only on ONNX files, and this is {name}" in done.stderr
        assert not out.exists()
