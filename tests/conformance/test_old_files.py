"""Files that older versions of XGBoost and LightGBM wrote (files/make_files.py), against the answers of the version
that wrote them. Their predictions came from another machine's C library: two units in the last place are allowed there.
"""
import pathlib

import numpy as np
import pytest

import bit_check

FOLDER = pathlib.Path(__file__).parent / "files"
MODELS = sorted(path for path in FOLDER.iterdir() if path.suffix in (".json", ".ubj", ".txt"))


def test_there_are_files():
    assert len(MODELS) >= 60


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_old_file(path, tally):
    with np.load(str(path).removesuffix(path.suffix) + ".npz") as stored:
        rows, margins, predictions = (stored[name].astype(np.float64) for name in ("rows", "margins", "predictions"))
    version = path.name.split("-")[1]
    xgboost = path.name.startswith("xgboost")
    source, kind = ("XGBoost", np.float32) if xgboost else ("LightGBM", np.float64)
    oracle = bit_check.Oracle(margin=lambda x: margins, prediction=lambda x: predictions, prediction_ulp=2,
                              prediction_type=kind)
    bit_check.Checker(path.name, path.read_bytes(), oracle, rows, tally(source, "older files", version)).run()
