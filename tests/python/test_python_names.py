"""Which feature a name means: every kind of rows takes a column "a b" for the feature "a_b" of LightGBM and skl2onnx, the
feature's own name goes before it, and what is ambiguous is refused."""

import json

import numpy as np
import pytest

import scoreline
from conftest import same_bits
from scoreline import payload
from scoreline.features import FeatureLookup, FeatureTable, score_batch

pandas = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")

FEATURES = ["a_b_c", "größe_in_m", "x y"]
ROWS = np.array([[1.0, 20.0, 400.0], [2.0, np.nan, 500.0]])


def build(library="lightgbm", features=FEATURES):
    """Trees that each tell one feature's value apart."""
    builder = scoreline.Builder(len(features), feature_names=features, metadata={"source.library": library})
    for i in range(len(features)):
        cut = float(np.nanmean(ROWS[:, i]))
        builder.add_tree([1, -1, -1], [2, -1, -1], [i, 0, 0], [cut, 2.0**i, -(3.0**i)])
    return builder.finish()


def kinds(names, rows=ROWS):
    """The same rows as every kind that has names."""
    frame = pandas.DataFrame(rows, columns=names)
    yield frame
    yield frame.convert_dtypes()
    yield pyarrow.Table.from_pandas(frame)
    yield [dict(zip(names, row)) for row in rows.tolist()]


def one_row(names, row):
    yield pandas.Series(row, index=names)
    yield dict(zip(names, row))


@pytest.mark.parametrize("library", ["lightgbm", "onnx"])
@pytest.mark.parametrize("names", [["a b c", "größe in m", "x y"], ["a_b c", "größe_in m", "x y"], FEATURES])
def test_names_with_spaces(library, names):
    model = build(library)
    own = model.predict(ROWS)
    assert len(set(own)) == 2
    order = [2, 0, 1]
    for rows in kinds([*(names[i] for i in order), "other"], np.c_[ROWS[:, order], [7.0, 8.0]]):
        same_bits(model.predict(rows), own)
    for r in range(2):
        for row in one_row(names, ROWS[r].tolist()):
            same_bits(model.predict(row), own[r : r + 1])


def test_own_names_go_first():
    model = build()
    own = model.predict(ROWS)
    for rows in kinds(["a b c", "a_b c", *FEATURES], np.c_[[9.0, -9.0], [-9.0, 9.0], ROWS]):
        same_bits(model.predict(rows), own)


@pytest.mark.parametrize("library", ["xgboost", "catboost", "scikit-learn"])
def test_other_libraries_keep_names(library):
    model = build(library)
    for rows in kinds(["a b c", "größe_in_m", "x y"]):
        with pytest.raises(scoreline.ShapeError, match="lacks .*a_b_c"):
            model.predict(rows)
    for rows in kinds(["a_b_c", "größe_in_m", "x_y"]):  # underscores are no spaces
        with pytest.raises(scoreline.ShapeError, match="lacks .*x y"):
            build().predict(rows)


def test_ambiguous_names_are_refused():
    model = build()
    names, rows = ["a b_c", "a_b c", "größe in m", "x y"], np.c_[ROWS[:, 0], ROWS]
    for given in [*kinds(names, rows), *one_row(names, rows[0].tolist())]:
        with pytest.raises(scoreline.ShapeError, match="has twice 1 of the model's features: '?a_b_c"):
            model.predict(given)


def test_many_other_spellings():
    """More than are remembered."""
    model = build(features=["_".join("abcdefghijklm"), "y_y", "z"])
    row = {"y y": 20.0, "z": 400.0}
    expected = model.predict([[1.0, 20.0, 400.0]])
    for k in range(4200):
        name = "".join(c + (" " if k >> i & 1 else "_") for i, c in enumerate("abcdefghijkl")) + "m"
        same_bits(model.predict({name: 1.0, **row}), expected)


# ---- hosts ---------------------------------------------------------------------------------------------------------


def test_endpoints_and_request_bodies():
    model = build()
    own = model.predict(ROWS)
    entities = [{"entity_name": "m", "entity_version": "1", "model": model}]
    endpoint = scoreline.Endpoint({"served_entities": entities})
    names = ["a b c", "größe in_m", "x y"]
    same_bits(endpoint.predict(pandas.DataFrame(ROWS, columns=names)), own)
    listed = [[None if value != value else value for value in row] for row in ROWS.tolist()]
    body = json.dumps({"dataframe_split": {"columns": names, "data": listed}})
    same_bits(payload.predict_rows(model, payload.rows_of_text(body)), own)


def test_tasks_of_spark():
    """What a worker does with a batch; with_scores() itself needs Spark: examples/spark."""
    from scoreline.spark import _Task

    for names in (["größe in m", "other", "a b c", "x y"], ["größe_in_m", "other", "a_b_c", "x y"]):
        columns = [ROWS[:, 1], np.array(["not", "read"]), ROWS[:, 0], ROWS[:, 2]]
        batch = pyarrow.RecordBatch.from_arrays([pyarrow.array(column) for column in columns], names=names)
        (scored,) = _Task(build(), "prediction", "score")(iter([batch]))
        assert scored.schema.names == [*names, "score"]
        same_bits(scored["score"].to_numpy(), build().predict(ROWS))


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_feature_lookups(tmp_path, kind):
    """A looked-up feature fills the column of the request that means it, and only its nulls."""
    table = FeatureTable.build(tmp_path / "t.sft", pandas.DataFrame({"id": [1, 2], "größe_in_m": [20.0, 99.0]}), key="id")
    frame = pandas.DataFrame({"id": [1, 2], "größe in m": [np.nan, 5.0], "a b c": [1.0, 2.0], "x y": [400.0, 500.0]})
    lookup = FeatureLookup(table_name=table, lookup_key="id")
    given = frame if kind == "pandas" else pyarrow.Table.from_pandas(frame)
    found = score_batch(model_uri=build(), df=given, feature_lookups=[lookup])
    names = list(found.columns) if kind == "pandas" else found.column_names
    assert names == [*frame.columns, "prediction"]
    assert list(found["größe in m"].to_numpy()) == [20.0, 5.0]
    same_bits(found["prediction"].to_numpy(), build().predict([[1.0, 20.0, 400.0], [2.0, 5.0, 500.0]]))


def test_lookups_of_labels_for_lightgbm(tmp_path):
    """Where LightGBM's labels are lists in the order of the columns of dtype category, looked-up texts become such columns."""
    metadata = {"source.library": "lightgbm", "source.pandas_categorical": '[["blue", "green", "red"]]'}
    builder = scoreline.Builder(1, feature_names=["the_kind"], feature_types=["category"], metadata=metadata)
    builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0, 1.0, 2.0], test="in_left", categories={0: [1]})
    kinds_by_id = pandas.DataFrame({"id": [1, 2, 3], "the kind": ["red", "green", "blue"]})
    table = FeatureTable.build(tmp_path / "kinds.sft", kinds_by_id, key="id")
    lookup = FeatureLookup(table_name=table, lookup_key="id")
    request = pandas.DataFrame({"id": [3, 2, 1, 2]})
    found = score_batch(model_uri=builder.finish(), df=request, feature_lookups=[lookup])
    assert list(found.prediction) == [2.0, 1.0, 2.0, 1.0]


@pytest.mark.parametrize(
    "labels",
    [
        pandas.MultiIndex.from_tuples([("x", "y"), ("a", "b"), ("g", 1)]),
        pandas.date_range("2026-01-01", periods=3),
        pandas.Index([b"x", b"y", b"z"]),
        pandas.Index([1, None, 3], dtype=object),
    ],
    ids=["levels", "dates", "bytes", "gap"],
)
def test_labels_that_name_no_feature_are_no_positions(labels):
    frame = pandas.DataFrame(ROWS, columns=labels)
    with pytest.raises(scoreline.ShapeError, match=r"lacks.*frame\.to_numpy\(\)"):
        build().predict(frame)
    # A model whose features have no names has nothing but their order.
    unnamed = build(features=["f0", "f1", "f2"])
    same_bits(unnamed.predict(frame), unnamed.predict(ROWS))
    numbered = pandas.DataFrame(ROWS, columns=[7, 8.5, np.int64(9)])
    same_bits(build().predict(numbered), build().predict(ROWS))
