"""docs/format.md is enough to read a model file: a second reader, written from it, sees what the C reader sees."""
import pathlib
import subprocess

import numpy as np
import pytest
import xgboost

import c_interface
from read_slm import OPERATIONS, ROOTS, Model

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "build/tests/slm_tool"
SAMPLES = ["stump", "tiny", "one-set", "leaf-only", "xgboost", "xgboost-categories", "xgboost-classes", "lightgbm",
           "lightgbm-forest", "sklearn", "catboost", "odd-outputs", "nan-cuts", "chain", "linear", "gblinear", "covers",
           "odd-covers", "dictionaries", "derived", "derived-linear", "linear-leaves"]
DTYPES = {"f32": 1, "f64": 2}
LINKS = ["identity", "sigmoid_xgboost", "sigmoid", "exp", "hinge", "softmax_xgboost", "softmax", "argmax",
         "signed_square", "log1p_exp", "sort", "binary_pair", "ovr_normalised", "softmax_pair", "exp_f64",
         "mean_variance", "modified_huber",
         "sigmoid_onnx", "softmax_onnx", "softmax_zero_onnx", "probit_onnx", "float", "complement_onnx", "opposite_onnx",
         "sigmoid_pair_onnx", "exp_scaled", "isolation", "parts", "complement", "normalised",
         "exp_catboost", "softmax_catboost", "mean_variance_catboost"]


def bits(values) -> str:
    return "".join(f" {v:016x}" for v in np.asarray(values, np.float64).view(np.uint64))


def numbers(values) -> str:
    return "".join(f" {int(v)}" for v in values)


def describe_columns(model: Model) -> list[str]:
    lines = []
    for i, column in enumerate(model.columns, len(model.features)):
        lines.append(f"column: {ROOTS.index(column.root)} {column.is_f32} {column.source} {model.first_cut[i]} "
                     f"{model.n_cuts[i]}{bits([column.least])}")
        if column.root != "value":
            lines.append(f"sources:{numbers(column.sources)}")
        lines += [f"hash: {h:016x}" for h in column.hashes]
        for step in column.steps:
            lines.append(f"step: {OPERATIONS.index(step.operation)} {step.is_f32}{bits([step.a, step.b])}")
            if step.operation == "lookup":
                lines += [] if step.keys is None else [f"keys:{bits(step.keys)}"]
                lines.append(f"values:{bits(step.values)}")
    return [*lines, f"linear_first: {model.linear_first}"]


def describe(model: Model) -> list[str]:
    """The lines that `slm_tool dump` prints, from the second reader."""
    c, link = model.contract, model.header["link"]
    words = [len(model.features), model.n_outputs, c["trees_per_iteration"], DTYPES[c["compare"]], DTYPES[c["sum"]],
             ["first", "last"].index(c["base_position"]), ["none", "margin", "prediction", "scale"].index(c["average"]),
             ["truncate", "nonnegative", "cityhash32", "exact"].index(c["category_rule"])]
    lines = [f"contract:{numbers(words)}{bits([c['scale']])}", f"kind: {2 if model.is_linear() else 1}",
             f"link: {LINKS.index(link['name'])}{bits([link['parameter']])} {link['predictions']}",
             f"linear_skip_missing: {int(c['linear_skip_missing'])}", f"leaf_width: {model.counts['leaf_width']}"]
    for f, first in zip(model.features, model.first_cut):
        lines.append(f"feature: {f['name']}|{['numeric', 'category'].index(f['type'])}|{first}|{f['cuts']}")
    for i, dictionary in enumerate(model.dictionaries):
        if dictionary is not None:
            lines.append(f"dictionary: {i} {len(dictionary.codes)} {1 + 2 * dictionary.numbers}{bits([dictionary.unknown])}")
            lines += [f"label: {label}|{bits([code])[1:]}" for label, code in dictionary.codes]
    lines += [f"metadata: {key}|{value}" for key, value in model.header["metadata"].items()]
    lines += describe_columns(model)
    lines.append(f"cuts:{bits(model.cuts)}")
    lines += [f"test: {t.feature} {t.index} {t.kind} {t.missing_right} {t.zero_is_missing}" for t in model.tests]
    lines += [f"set:{numbers(s)}" for s in model.sets]
    lines += [f"tree: {t.first_split} {len(t.left)} {t.first_leaf} {t.output} {t.depth}" for t in model.trees]
    lines.append(f"split_test:{numbers(model.split_test)}")
    for side in ("left", "right"):
        lines.append(f"{side}:{numbers(child for t in model.trees for child in getattr(t, side))}")
    return lines + [f"leaves:{bits(model.leaves)}", f"leaf_ids:{numbers(model.leaf_ids)}",
                    f"split_covers:{bits(model.split_covers)}", f"leaf_covers:{bits(model.leaf_covers)}",
                    f"base:{bits(model.base)}",
                    f"linear_weights:{bits(model.weights)}", f"golden_rows:{bits(model.golden_rows)}",
                    f"golden_margins:{bits(model.golden_margins)}",
                    *(f"linear_leaf:{bits([constant])}{numbers(features)}{bits(coefficients)}"
                      for constant, features, coefficients in model.linear_leaves)]


def compare_readers(path: pathlib.Path) -> None:
    expected = subprocess.run([TOOL, "dump", path], check=True, capture_output=True, text=True).stdout.splitlines()
    assert describe(Model(path.read_bytes())) == expected


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("samples")
    subprocess.run([TOOL, "samples", folder], check=True)
    assert sorted(p.stem for p in folder.iterdir()) == sorted(SAMPLES)
    return folder


@pytest.mark.parametrize("name", SAMPLES)
def test_both_readers_see_the_same(samples, name):
    compare_readers(samples / f"{name}.slm")


@pytest.mark.parametrize("name", SAMPLES)
def test_golden_rows_score_by_the_page_alone(samples, name):
    model = Model((samples / f"{name}.slm").read_bytes())
    rows = model.golden_rows.reshape(-1, len(model.features))
    margins = np.array([model.margins(row) for row in rows])
    assert len(rows) > 0
    assert np.array_equal(margins.ravel().view(np.uint64), model.golden_margins.view(np.uint64))


def model_files() -> list[pathlib.Path]:
    found = [*(ROOT / "tests/data/xgboost").iterdir(), *(ROOT / "tests/data/lightgbm").iterdir()]
    return sorted(p for p in found if p.suffix in (".json", ".ubj", ".txt"))


def test_both_readers_see_the_same_in_imported_models(tmp_path):
    compared = 0
    for path in model_files():
        try:
            data = c_interface.Model.imported(path.read_bytes()).saved()
        except c_interface.ScoreError as error:
            assert error.code in ("UNSUPPORTED", "CORRUPT"), path
            continue
        assert c_interface.Model.opened(data).saved() == data, path
        file = tmp_path / "model.slm"
        file.write_bytes(data)
        compare_readers(file)
        compared += 1
    assert compared > 20


@pytest.mark.parametrize("parameters", [
    {"max_depth": 8}, {"max_depth": 6}, {"grow_policy": "lossguide", "max_depth": 0, "max_leaves": 64}], ids=str)
def test_files_are_an_eighth_of_the_source(parameters):
    random = np.random.default_rng(5)
    rows = random.normal(size=(3000, 20)).astype(np.float32)
    rows[random.random(rows.shape) < 0.03] = np.nan
    known = np.nan_to_num(rows)
    labels = known[:, 0] * known[:, 1] + np.sin(known[:, 2]) + random.normal(size=len(rows)) > 0.3
    booster = xgboost.train({"objective": "binary:logistic", "eta": 0.1, "nthread": 1, **parameters},
                            xgboost.DMatrix(rows, labels, nthread=1), 100)
    source = bytes(booster.save_raw("ubj"))
    model = c_interface.Model.imported(source)
    assert model.info.n_golden_rows > 0
    assert len(model.saved(c_interface.NO_COVERS)) * 8 <= len(source)
    # Covers that are no counts take 32 bits a leaf.
    assert model.info.has_covers and len(model.saved()) * 5.5 <= len(source)


def test_covers_may_be_left_out():
    path = ROOT / "tests/data/xgboost/softprob-3.2.0.json"
    model = c_interface.Model.imported(path.read_bytes())
    without = model.saved(c_interface.NO_COVERS)
    assert model.info.has_covers and len(without) < len(model.saved())
    names = {entry["name"] for entry in Model(without).header["sections"]}
    assert not names & {"leaf_covers", "split_covers"}
    assert not c_interface.Model.opened(without).info.has_covers
    assert c_interface.Model.opened(model.saved()).info.has_covers


def test_the_example_of_the_page():
    """The first file of version 1, and the dump of it in the page."""
    path = ROOT / "tests/data/format/stump.slm"
    data = path.read_bytes()
    compare_readers(path)
    page = (ROOT / "docs/format.md").read_text()
    dump = page.split("```text\n")[1].split("```")[0].splitlines()
    shown = 0
    for line in dump:
        at, content = line[:4], line[6:53]
        if line.strip() == "…" or "…" in content:
            continue
        expected = bytes.fromhex(content)
        assert data[int(at, 16):int(at, 16) + len(expected)] == expected, line
        shown += 1
    assert shown > 20
    model = Model(data)
    assert np.float32(model.margins([-7.0])[0]) == np.float32(5.676043)


@pytest.mark.parametrize("at, what", [(0, "magic"), (12, "version"), (16, "size")])
def test_the_second_reader_refuses_too(at, what):
    data = bytearray((ROOT / "tests/data/format/stump.slm").read_bytes())
    data[at] ^= 0x40
    with pytest.raises(ValueError, match=what):
        Model(bytes(data))
