"""ONNX graphs that read text and categories, against onnxruntime: pipelines drawn at random, and each encoder's own rules.
Every model comes from its seed alone; texts are compared as codes in every layout, and as text.
"""
import numpy as np
import pandas
import pytest
from onnx import TensorProto, helper

import bit_check
import c_interface
import onnx_models as om
import onnx_tables
import scoreline
from conftest import MODE

N_SEEDS = {"quick": 16, "default": 160, "long": 600}[MODE]
ML = {"domain": "ai.onnx.ml"}
TEXT = ("x", TensorProto.STRING, [None, 1])


def closely(table, model, rows):
    """Sums of linear models are in the order of onnxruntime's matrix library: equal to rounding."""
    want = table.answer(rows)
    most = np.nanmax(np.abs(want))
    for got in (model.predict(rows), model.predict(table.frame(rows))):
        got = bit_check.as_doubles(got)
        assert np.allclose(got, want, rtol=2e-5, atol=2e-5 * max(1.0, float(most)), equal_nan=True)


def exactly(tally, name, table, model, rows):
    imported = c_interface.Model.imported(table.data)
    oracle = bit_check.Oracle(
        # Margins behind a link: of the file's own trees, which test_onnx_models.py compares.
        margin=table.answer if imported.link == "identity" else
        lambda x: imported.score(c_interface.Rows(np.ascontiguousarray(x, np.float32))),
        prediction=table.answer, prediction_type=np.float32)
    bit_check.Checker(name, table.data, oracle, rows, tally("onnxruntime", "text and numbers, pipelines")).run()
    want = bit_check.as_doubles(table.answer(rows))
    for unknown in (onnx_tables.UNKNOWN, None):  # a null is no category either
        got = bit_check.as_doubles(model.predict(table.frame(rows, unknown)))
        assert not len(bit_check.differing(got, want))


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_pipelines(seed, tally):
    rng = np.random.default_rng([seed, 77])
    name = list(onnx_tables.MODELS)[seed % len(onnx_tables.MODELS)]
    n_classes = int(rng.integers(2, 4)) if "lassifier" in name or "Logistic" in name else 0
    table = onnx_tables.drawn(rng, onnx_tables.MODELS[name](seed), n_classes)
    model = scoreline.convert(table.data)
    rows = table.rows(rng, 400)
    if model.info.kind == "linear":
        closely(table, model, rows)
    else:
        exactly(tally, f"onnx-text-{seed}", table, model, rows)
    assert model.verify() >= 16
    refused = [j for j, column in enumerate(table.columns) if column.must_be_known]
    if refused:
        frame = table.frame(rows[:1])
        frame[table.columns[refused[0]].name] = pandas.Series([onnx_tables.UNKNOWN], dtype=object)
        with pytest.raises(scoreline.ShapeError, match=f"'{table.columns[refused[0]].name}' has .*'never seen'"):
            model.predict(frame)
        feeds = table.feeds(rows[:1])
        feeds[table.columns[refused[0]].name][0, 0] = onnx_tables.UNKNOWN
        with pytest.raises(Exception, match="Unknown Category"):
            om.session(table.data).run(None, feeds)


# ---- operator by operator --------------------------------------------------------------------------------------------

def encoded(nodes, inputs, width, initializers=(), version=3):
    """A graph whose last node makes "columns", [rows, width] floats: behind it trees that tell every column's values apart."""
    rng = np.random.default_rng(width)
    f = om.random_forest(rng, n_trees=3 * width, depth=3, n_features=width, modes=om.MODES[:4], specials=False, missing=0.0)
    for node in f.nodes:
        node.value = float(rng.integers(-2, 4)) + 0.5
    node = om.regressor(f)
    node.input[0] = "columns"
    return om.graph([*nodes, node], inputs, [("y", TensorProto.FLOAT)], initializers, version=version, opset=15)


def as_text(names, x):
    """The rows of onnxruntime as a table for Scoreline; a null where they have no text."""
    return pandas.DataFrame({name: pandas.Series(list(x[:, i]), dtype=object) for i, name in enumerate(names)})


TEXTS = ["a", "b", "", "zz", "A", "a ", "Zürich", "_Unused"]


def same_text(data, names=("x",), n=300, labels=TEXTS):
    rng = np.random.default_rng(n)
    x = rng.choice(np.array(labels, dtype=object), (n, len(names)))
    feeds = {"x": x} if len(names) == 1 or names[0] == "f0" else {name: x[:, [i]] for i, name in enumerate(names)}
    want = om.session(data).run(None, feeds)[0]
    model = scoreline.convert(data)
    got = model.predict(as_text(names, x))
    assert len(np.unique(want)) > 2 and np.array_equal(np.ravel(got), np.ravel(want))
    assert model.verify() > 0
    return model


def test_one_hot_of_text():
    nodes = [helper.make_node("OneHotEncoder", ["x"], ["cube"], cats_strings=["b", "", "a", "Zürich"], zeros=1, **ML),
             helper.make_node("Flatten", ["cube"], ["columns"])]
    model = same_text(encoded(nodes, [TEXT], 4))
    assert model.categories == {"x": {"": 0.0, "Zürich": 1.0, "a": 2.0, "b": 3.0}}  # in the order of their bytes
    assert model.feature_types == ["category"]
    missing = model.predict(pandas.DataFrame({"x": pandas.Series([None, "zz"], dtype=object)}))
    assert missing[0] == missing[1]  # a null is in no category


def test_one_hot_of_several_columns_at_once():
    """[rows, 2] becomes [rows, 2, 3], and by Reshape [rows, 6]."""
    nodes = [helper.make_node("OneHotEncoder", ["x"], ["cube"], cats_strings=["b", "", "a"], zeros=1, **ML),
             helper.make_node("Reshape", ["cube", "shape"], ["columns"])]
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 6])
    same_text(encoded(nodes, [("x", TensorProto.STRING, [None, 2])], 6, [shape]), ("f0", "f1"))


def test_one_column_read_by_several_encoders():
    """The dictionary holds what any of them knows; one that fails at others narrows it."""
    reads = [helper.make_node("OneHotEncoder", ["x"], ["cube"], cats_strings=["b", "", "a"], zeros=1, **ML),
             helper.make_node("Reshape", ["cube", "shape"], ["hot"]),
             helper.make_node("LabelEncoder", ["x"], ["number"], keys_strings=["zz", "a", "A"], values_floats=[1.0, 2.5, 3.0],
                              default_float=-1.5, **ML)]
    strict = [helper.make_node("OneHotEncoder", ["x"], ["cube2"], cats_strings=["A", "zz", "b", "a"], zeros=0, **ML),
              helper.make_node("Reshape", ["cube2", "shape2"], ["hot2"])]
    shapes = [helper.make_tensor(name, TensorProto.INT64, [2], [-1, n]) for name, n in (("shape", 3), ("shape2", 4))]

    def joined(*names):
        return helper.make_node("Concat", list(names), ["columns"], axis=1)

    model = same_text(encoded([*reads, joined("hot", "number")], [TEXT], 4, shapes))
    assert set(model.categories["x"]) == {"b", "", "a", "zz", "A"}
    model = same_text(encoded([*reads, *strict, joined("hot", "number", "hot2")], [TEXT], 8, shapes),
                      labels=["A", "zz", "b", "a"])
    assert set(model.categories["x"]) == {"A", "zz", "b", "a"}
    with pytest.raises(scoreline.ShapeError, match="'x' has .*''"):
        model.predict(as_text(("x",), np.array([["a"], [""]], dtype=object)))


@pytest.mark.parametrize("element, dtype", [(TensorProto.INT64, np.int64), (TensorProto.FLOAT, np.float32),
                                            (TensorProto.DOUBLE, np.float64)])
def test_one_hot_of_numbers(element, dtype):
    """Fractions are truncated, NaN and infinities are in no category."""
    nodes = [helper.make_node("OneHotEncoder", ["x"], ["cube"], cats_int64s=[3, 0, -1, 7], zeros=1, **ML),
             helper.make_node("Reshape", ["cube", "shape"], ["columns"])]
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 4])
    data = encoded(nodes, [("x", element, [None, 1])], 4, [shape])
    x = np.array([3, 0, -1, 7, 8, -2, 2**31, 2**40], float)
    if dtype is not np.int64:
        x = np.r_[x, 3.5, 2.9999999999, -0.5, -0.0, -1.5, 0.99999999999, np.nan, np.inf, -np.inf, 1e30]
    want = om.session(data).run(None, {"x": x.astype(dtype)[:, None]})[0]
    assert len(np.unique(want)) > 2
    for rows in (x[:, None], x.astype(np.float32)[:, None]) if dtype is np.float32 else (x[:, None],):
        assert np.array_equal(scoreline.convert(data).predict(rows).ravel(), want.ravel())


def test_one_hot_of_numbers_that_fails_at_others():
    """onnxruntime stops at a number that is no category; a column of numbers has no dictionary that could refuse it."""
    nodes = [helper.make_node("OneHotEncoder", ["x"], ["cube"], cats_int64s=[3, 0], zeros=0, **ML),
             helper.make_node("Flatten", ["cube"], ["columns"])]
    data = encoded(nodes, [("x", TensorProto.INT64, [None, 1])], 2)
    with pytest.raises(Exception, match="Unknown Category"):
        om.session(data).run(None, {"x": np.array([[5]])})
    known = om.session(data).run(None, {"x": np.array([[3], [0]])})[0]
    model = scoreline.convert(data)
    assert np.array_equal(model.predict(np.array([[3.0], [0.0]])).ravel(), known.ravel())
    assert model.predict(np.array([[5.0]]))[0] == model.predict(np.array([[np.nan]]))[0]


def test_selected_and_joined_behind_one_hot():
    nodes = [helper.make_node("OneHotEncoder", ["x"], ["u"], cats_strings=["b", "", "a"], zeros=1, **ML),
             helper.make_node("OneHotEncoder", ["z"], ["v"], cats_strings=["zz", "A"], zeros=1, **ML),
             helper.make_node("Gather", ["u", "kept"], ["w"], axis=-1),
             helper.make_node("Concat", ["w", "v"], ["cube"], axis=-1),
             helper.make_node("Identity", ["cube"], ["same"]),
             helper.make_node("Reshape", ["same", "shape"], ["columns"])]
    more = [helper.make_tensor("kept", TensorProto.INT64, [2], [2, 0]),
            helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 4])]
    same_text(encoded(nodes, [TEXT, ("z", TensorProto.STRING, [None, 1])], 4, more), ("x", "z"))


LABEL_ENCODERS = {
    "ints": (dict(keys_strings=["a", "b", ""], values_int64s=[2, -2, 1]), 2),
    "floats": (dict(keys_strings=["a", "b", ""], values_floats=[2.5, -0.5, 1.5], default_float=3.25), 2),
    "default of floats": (dict(keys_strings=["a", "b", ""], values_floats=[2.5, -0.5, 1.5]), 2),
    "nan": (dict(keys_strings=["a", "b", ""], values_floats=[2.5, -0.5, 1.5], default_float=float("nan")), 3),
    "tensor": (dict(keys_tensor=helper.make_tensor("k", TensorProto.STRING, [2], [b"a", b"Z\xc3\xbcrich"]),
                    values_tensor=helper.make_tensor("v", TensorProto.INT64, [2], [2, 1]),
                    default_tensor=helper.make_tensor("d", TensorProto.INT64, [1], [-2])), 4),
    "classes": (dict(classes_strings=["zz", "a", "", "b"]), 1),
}


@pytest.mark.parametrize("name", LABEL_ENCODERS)
def test_label_encoder(name):
    attributes, version = LABEL_ENCODERS[name]
    nodes = [helper.make_node("LabelEncoder", ["x"], ["n"], **attributes, **ML),
             helper.make_node("Cast", ["n"], ["columns"], to=TensorProto.FLOAT)]
    same_text(encoded(nodes, [TEXT], 1, version=version))


def test_category_mapper():
    nodes = [helper.make_node("CategoryMapper", ["x"], ["n"], cats_strings=["b", "", "a"], cats_int64s=[2, 1, 0],
                              default_int64=-2, **ML),
             helper.make_node("Cast", ["n"], ["columns"], to=TensorProto.FLOAT)]
    same_text(encoded(nodes, [TEXT], 1, version=1))


@pytest.mark.parametrize("default", [None, "b", "none of them"])
def test_text_renamed_before_it_is_encoded(default):
    """Text to text, then to numbers; what the first encoder does not know becomes its default, which the second may know."""
    more = {} if default is None else {"default_string": default}
    nodes = [helper.make_node("LabelEncoder", ["x"], ["t"], keys_strings=["a", "", "zz"], values_strings=["b", "a", "_Unused"],
                              **more, **ML),
             helper.make_node("OneHotEncoder", ["t"], ["cube"], cats_strings=["b", "_Unused", "a"], zeros=1, **ML),
             helper.make_node("Flatten", ["cube"], ["columns"])]
    same_text(encoded(nodes, [TEXT], 3))


def test_numbers_named_before_they_are_encoded():
    nodes = [helper.make_node("LabelEncoder", ["x"], ["t"], keys_int64s=[4, 5, 6], values_strings=["b", "a", "b"], **ML),
             helper.make_node("LabelEncoder", ["t"], ["n"], keys_strings=["a", "b"], values_floats=[2.5, -1.5], **ML),
             helper.make_node("Cast", ["n"], ["columns"], to=TensorProto.FLOAT)]
    data = encoded(nodes, [("x", TensorProto.INT64, [None, 1])], 1)
    x = np.arange(8)[:, None]
    assert np.array_equal(scoreline.convert(data).predict(x.astype(float)).ravel(),
                          om.session(data).run(None, {"x": x})[0].ravel())


def test_what_python_makes_of_missing_text():
    """onnxruntime has no null: its Python interface makes texts of them, which an encoder may know. Scoreline's null is none."""
    nodes = [helper.make_node("OneHotEncoder", ["x"], ["cube"], cats_strings=["None", "nan", "b"], zeros=1, **ML),
             helper.make_node("Flatten", ["cube"], ["columns"])]
    data = encoded(nodes, [TEXT], 3)
    theirs = om.session(data).run(None, {"x": np.array([[None], [float("nan")], ["None"], ["nan"], ["?"]], dtype=object)})[0]
    assert theirs[0] == theirs[2] and theirs[1] == theirs[3]
    ours = scoreline.convert(data).predict(as_text(("x",), np.array([[None], ["None"], ["nan"], ["?"]], dtype=object))).ravel()
    assert np.array_equal(ours[1:], theirs[2:].ravel()) and ours[0] == ours[3]
