"""Feature tables and score_batch: the semantics of the feature store, for pandas and Arrow, and what is refused."""

import datetime
import decimal
import os
import re

import numpy as np
import pandas
import pyarrow
import pytest

import scoreline
from scoreline import _tables
from scoreline.features import FeatureEngineeringClient, FeatureLookup, FeatureSource, FeatureTable, Fetched, score_batch

FEATURES = ["amount", "avg_transaction_amount", "transaction_frequency", "merchant_risk_score", "chargeback_rate"]


@pytest.fixture(scope="module")
def fraud():
    """A model of the pattern's features."""
    import xgboost

    rng = np.random.default_rng(3)
    rows = rng.normal(size=(500, len(FEATURES))).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    label = np.nan_to_num(rows[:, 0] + rows[:, 1] * rows[:, 3]) > 0
    matrix = xgboost.DMatrix(rows, label=label, feature_names=FEATURES)
    parameters = {"max_depth": 4, "nthread": 1, "objective": "binary:logistic"}
    return scoreline.convert(xgboost.train(parameters, matrix, 10))


@pytest.fixture
def customers():
    return pandas.DataFrame({
        "customer_id": [10, 20, 30],
        "avg_transaction_amount": [0.5, np.nan, -1.25],
        "transaction_frequency": pandas.array([1, 2, None], dtype="Int64"),
    })


@pytest.fixture
def merchants():
    return pandas.DataFrame({
        "merchant_id": ["m-1", "m-2", "a merchant of a long name"],
        "merchant_risk_score": [0.1, 0.9, 0.4],
        "chargeback_rate": np.array([0.25, 0.5, 0.75], dtype=np.float32),
    })


@pytest.fixture
def store(tmp_path, customers, merchants):
    """A folder of tables, as names with dots find them."""
    (tmp_path / "ml" / "features").mkdir(parents=True)
    FeatureTable.build(tmp_path / "ml" / "features" / "customer_profile.sft", customers, key="customer_id")
    FeatureTable.build(tmp_path / "ml.features.merchant_risk.sft", merchants, key="merchant_id")
    return tmp_path


LOOKUPS = [
    FeatureLookup(
        table_name="ml.features.customer_profile",
        lookup_key=["customer_id"],
        feature_names=["avg_transaction_amount", "transaction_frequency"],
    ),
    FeatureLookup(
        table_name="ml.features.merchant_risk",
        lookup_key=["merchant_id"],
        feature_names=["merchant_risk_score", "chargeback_rate"],
    ),
]


@pytest.fixture
def batch():
    return pandas.DataFrame({
        "customer_id": [20, 10, 99, 30, 10],
        "merchant_id": ["m-2", "a merchant of a long name", "m-1", None, "m-9"],
        "amount": [1.0, -2.0, 3.0, 0.5, 0.0],
    }, index=[7, 5, 5, 1, 0])


def joined(batch, customers, merchants):
    """What pandas' own LEFT join gives."""
    both = batch.merge(customers, how="left", on="customer_id")
    both = both.merge(merchants, how="left", on="merchant_id")
    return both


def as_floats(frame):
    return frame[FEATURES].astype("float64").to_numpy()


def test_the_patterns_call_as_printed(store, fraud, batch, customers, merchants, monkeypatch):
    (store / "models" / "fraud_model").mkdir(parents=True)
    fraud.save(store / "models" / "fraud_model" / "Production.slm")
    monkeypatch.setenv("SCORELINE_FEATURE_TABLES", str(store))
    monkeypatch.setenv("SCORELINE_MODELS", str(store / "models"))
    fe = FeatureEngineeringClient()
    before = batch.copy()
    enriched = fe.score_batch(
        model_uri="models:/fraud_model/Production",
        df=batch,
        feature_lookups=LOOKUPS,
        result_type="double"
    )
    pandas.testing.assert_frame_equal(batch, before)
    assert list(enriched.columns) == ["customer_id", "merchant_id", "amount", *FEATURES[1:], "prediction"]
    assert list(enriched.index) == list(batch.index)
    rows = as_floats(joined(batch, customers, merchants))
    np.testing.assert_array_equal(as_floats(enriched), rows)
    np.testing.assert_array_equal(enriched["prediction"].to_numpy(), fraud.predict(rows))
    assert enriched["transaction_frequency"].dtype == "Int64" and enriched["prediction"].dtype == np.float64


def test_arrow_gives_the_same(store, fraud, batch):
    table = pyarrow.Table.from_pandas(batch.reset_index(drop=True))
    client = FeatureEngineeringClient(store)
    ours = client.score_batch(model_uri=fraud, df=table, feature_lookups=LOOKUPS)
    theirs = client.score_batch(model_uri=fraud, df=batch, feature_lookups=LOOKUPS)
    assert ours.column_names == list(theirs.columns)
    assert ours["transaction_frequency"].to_pylist() == [2, 1, None, None, 1]
    assert ours["transaction_frequency"].type == pyarrow.int64() and ours["chargeback_rate"].type == pyarrow.float32()
    np.testing.assert_array_equal(ours["prediction"].to_numpy(), theirs["prediction"].to_numpy())
    chunked = pyarrow.concat_tables([table.slice(0, 2), table.slice(2)])
    again = client.score_batch(model_uri=fraud, df=chunked, feature_lookups=LOOKUPS)
    assert again["prediction"].to_pylist() == ours["prediction"].to_pylist()
    first = client.score_batch(model_uri=fraud, df=table.to_batches()[0].slice(1, 2), feature_lookups=LOOKUPS)
    assert first["prediction"].to_pylist() == ours["prediction"].to_pylist()[1:3]


@pytest.mark.parametrize("kind", ["pandas", "arrow"])
def test_the_requests_own_values_win(store, fraud, batch, kind):
    batch["merchant_risk_score"] = [None, 5.0, None, 6.0, None]
    df = batch if kind == "pandas" else pyarrow.Table.from_pandas(batch, preserve_index=False)
    out = FeatureEngineeringClient(store).score_batch(model_uri=fraud, df=df, feature_lookups=LOOKUPS)
    names = list(out.columns) if kind == "pandas" else out.column_names
    assert names[:4] == ["customer_id", "merchant_id", "amount", "merchant_risk_score"]
    values = out["merchant_risk_score"]
    values = [None if value is None or value != value else value for value in (values.tolist() if kind == "pandas" else values.to_pylist())]
    assert values == [0.9, 5.0, 0.1, 6.0, None]


def test_defaults_and_renames(store, fraud, batch):
    lookups = [
        FeatureLookup(table_name="ml.features.customer_profile", lookup_key="customer_id",
                      default_values={"transaction_frequency": 7}),
        FeatureLookup(table_name="ml.features.merchant_risk", lookup_key="merchant_id",
                      feature_names=["merchant_risk_score", "chargeback_rate"], default_values={"merchant_risk_score": -1.0}),
    ]
    out = FeatureEngineeringClient(store).score_batch(model_uri=fraud, df=batch, feature_lookups=lookups)
    assert out["transaction_frequency"].tolist() == [2, 1, 7, 7, 1]
    assert out["transaction_frequency"].dtype == np.int64
    assert out["merchant_risk_score"].tolist() == [0.9, 0.4, 0.1, -1.0, -1.0]
    assert out["avg_transaction_amount"].isna().tolist() == [True, False, True, False, False]
    renamed = FeatureLookup(table_name="ml.features.customer_profile", lookup_key="customer_id",
                            feature_names="avg_transaction_amount",
                            rename_outputs={"avg_transaction_amount": "amount_before"})
    again = FeatureEngineeringClient(store).score_batch(model_uri=fraud, df=batch, feature_lookups=[*lookups, renamed])
    assert again["amount_before"].isna().tolist() == [True, False, True, False, False]


def test_as_of(tmp_path, fraud, batch):
    day = datetime.datetime(2024, 3, 10)
    history = pandas.DataFrame({
        "customer_id": [10, 10, 10, 20],
        "seen_at": [day, day + datetime.timedelta(hours=5), day + datetime.timedelta(days=9), day],
        "level": [1.0, 2.0, 3.0, 4.0],
    })
    table = FeatureTable.build(tmp_path / "history.sft", history, key=["customer_id"], timestamp="seen_at")
    assert table.timestamp == "seen_at" and len(table) == 4 and list(table.columns) == ["level"]
    events = pandas.DataFrame({
        "customer_id": [10, 10, 10, 20, 20, 10],
        "ts": [day, day + datetime.timedelta(hours=4, minutes=59), day + datetime.timedelta(days=8),
               day - datetime.timedelta(microseconds=1), day + datetime.timedelta(days=30), pandas.NaT],
    })
    for name in FEATURES:
        events[name] = 0.0
    lookup = FeatureLookup(table_name=table, lookup_key="customer_id", timestamp_lookup_key="ts")
    out = score_batch(model_uri=fraud, df=events, feature_lookups=[lookup])
    np.testing.assert_array_equal(out["level"], [1, 1, 2, np.nan, 4, np.nan])
    short = FeatureLookup(table_name=table, lookup_key="customer_id", timestamp_lookup_key=["ts"],
                          lookback_window=datetime.timedelta(days=7, hours=19))
    out = score_batch(model_uri=fraud, df=events, feature_lookups=[short])
    np.testing.assert_array_equal(out["level"], [1, 1, 2, np.nan, np.nan, np.nan])
    berlin = events.assign(ts=pandas.to_datetime(events["ts"]).dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"))
    out = score_batch(model_uri=fraud, df=berlin, feature_lookups=[lookup])
    np.testing.assert_array_equal(out["level"], [1, 1, 2, np.nan, 4, np.nan])
    arrow = score_batch(model_uri=fraud, df=pyarrow.Table.from_pandas(events), feature_lookups=[lookup])
    assert arrow["level"].to_pylist() == [1, 1, 2, None, 4, None]
    assert table.get(10, at=day)["level"] == 1 and table.get(10)["level"] == 3


def test_categories_by_text(tmp_path):
    """Texts of a table reach the model's dictionary."""
    import lightgbm

    rng = np.random.default_rng(1)
    kinds = np.array(["food", "travel", "games"])
    frame = pandas.DataFrame({"kind": pandas.Categorical(rng.choice(kinds, 300)), "x": rng.normal(size=300)})
    label = (frame["kind"].cat.codes * 2 + frame["x"]).to_numpy()
    data = lightgbm.Dataset(frame, label, categorical_feature=["kind"])
    model = scoreline.convert(lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_per_group": 1}, data, 10))
    merchants = pandas.DataFrame({"merchant": [1, 2, 3, 4], "kind": ["games", "food", "travel", None]})
    table = FeatureTable.build(tmp_path / "kinds.sft", merchants, key="merchant")
    df = pandas.DataFrame({"merchant": [1, 2, 3, 1], "x": [0.0, 0.5, -1, 2]})
    out = score_batch(model_uri=model, df=df, feature_lookups=[FeatureLookup(table_name=table, lookup_key="merchant")])
    assert out["kind"].tolist() == ["games", "food", "travel", "games"]
    expected = pandas.DataFrame({"kind": pandas.Categorical(out["kind"], categories=sorted(kinds)), "x": df["x"]})
    np.testing.assert_array_equal(out["prediction"], model.predict(expected))
    missing = FeatureLookup(table_name=table, lookup_key="merchant", default_values={"kind": "food"})
    out = score_batch(model_uri=model, df=pandas.DataFrame({"merchant": [4, 9], "x": [0.0, 0]}), feature_lookups=[missing])
    assert out["kind"].tolist() == ["food", "food"]


def test_result_types(fraud):
    df = pandas.DataFrame({name: [0.0, 1.0] for name in FEATURES})
    double = score_batch(model_uri=fraud, df=df)["prediction"]
    assert score_batch(model_uri=fraud, df=df, result_type="float")["prediction"].dtype == np.float32
    assert score_batch(model_uri=fraud, df=df, result_type="string")["prediction"].tolist() == [repr(x) for x in double]
    assert score_batch(model_uri=fraud, df=df, result_type="array<double>")["prediction"].tolist()[0] == [double[0]]
    with pytest.raises(ValueError, match="would cut off"):
        score_batch(model_uri=fraud, df=df, result_type="int")
    with pytest.raises(ValueError, match="result_type"):
        score_batch(model_uri=fraud, df=df, result_type="decimal")
    large = scoreline.Builder(1, feature_names=["price"]).set_linear([[1.0]]).finish()
    for result_type, most, beyond in (("int", 2.0**31 - 1, 2.0**31), ("long", 2.0**62, 2.0**63), ("array<int>", 7.0, -1e300)):
        whole = score_batch(model_uri=large, df=pandas.DataFrame({"price": [most]}), result_type=result_type)
        assert whole["prediction"].tolist() in ([most], [[most]])
        with pytest.raises(ValueError, match="does not hold predictions up to"):
            score_batch(model_uri=large, df=pandas.DataFrame({"price": [0.0, beyond]}), result_type=result_type)
    empty = score_batch(model_uri=fraud, df=df.iloc[:0])
    assert len(empty) == 0 and list(empty.columns) == [*FEATURES, "prediction"]


def test_models_are_resolved(tmp_path, fraud):
    fraud.save(tmp_path / "fraud.slm")
    df = pandas.DataFrame({name: [0.0] for name in FEATURES})
    expected = fraud.predict(df)[0]
    for uri, registry in [
        (tmp_path / "fraud.slm", None),
        (str(tmp_path), None),
        ("models:/fraud_model/3", {"fraud_model/3": fraud}),
        ("models:/fraud_model@champion", {"fraud_model@champion": tmp_path / "fraud.slm"}),
        ("models:/fraud_model/3", lambda name, version: tmp_path / "fraud.slm"),
    ]:
        assert score_batch(model_uri=uri, df=df, registry=registry)["prediction"][0] == expected
    with pytest.raises(scoreline.FileError, match="no model 'models:/fraud_model/4'"):
        score_batch(model_uri="models:/fraud_model/4", df=df, registry={"fraud_model/3": fraud})
    with pytest.raises(ValueError, match="models:/name/version"):
        score_batch(model_uri="models:/fraud_model", df=df, registry={})


def test_what_does_not_fit_is_named(store, fraud, batch):
    client = FeatureEngineeringClient(store)

    def refused(kind, match, df=batch, **changes):
        options = {"table_name": "ml.features.customer_profile", "lookup_key": "customer_id", **changes}
        with pytest.raises(kind, match=match):
            client.score_batch(model_uri=fraud, df=df, feature_lookups=[FeatureLookup(**options)])

    refused(scoreline.ShapeError, "df has no column 'customer', which is the lookup_key", lookup_key="customer")
    refused(scoreline.ShapeError, "no column 'age'", feature_names=["age"])
    refused(scoreline.ShapeError, "takes whole numbers, found 'm-2'", lookup_key="merchant_id")
    refused(scoreline.ShapeError, "has the key columns customer_id; found 2", lookup_key=["customer_id", "merchant_id"])
    refused(scoreline.ShapeError, "takes texts, found 20", table_name="ml.features.merchant_risk")
    refused(ValueError, "default_values names 'age'", default_values={"age": 1})
    refused(scoreline.ArgumentError, "lookback", lookback_window=5)
    refused(scoreline.ShapeError, "the table has none", timestamp_lookup_key="customer_id")
    refused(scoreline.FileError, "no such file", table_name="ml.features.absent")
    refused(ValueError, "expected a name", table_name="ml..features")
    refused(ValueError, "expected a name", table_name="../../etc.passwd")
    refused(scoreline.ShapeError, "lacks 2 of the model's features")
    with pytest.raises(ValueError, match="looked up twice"):
        client.score_batch(model_uri=fraud, df=batch, feature_lookups=[LOOKUPS[0], LOOKUPS[0]])
    with pytest.raises(TypeError, match="pandas DataFrame or a pyarrow Table"):
        client.score_batch(model_uri=fraud, df=[{}], feature_lookups=LOOKUPS)


def test_building_refuses_by_name(tmp_path, customers):
    path = tmp_path / "bad.sft"
    with pytest.raises(scoreline.ShapeError, match="no column 'id'"):
        FeatureTable.build(path, customers, key="id")
    with pytest.raises(scoreline.ShapeError, match="'avg_transaction_amount' holds double; expected integers or strings"):
        FeatureTable.build(path, customers, key="avg_transaction_amount")
    with pytest.raises(scoreline.ShapeError, match="key of line 1 is there again") as caught:
        FeatureTable.build(path, pandas.concat([customers, customers.iloc[:1]]), key="customer_id")
    assert caught.value.line == 4
    with pytest.raises(scoreline.ShapeError, match="is a key and has no value"):
        FeatureTable.build(path, customers.assign(customer_id=pandas.array([1, None, 2], dtype="Int64")), key="customer_id")
    with pytest.raises(scoreline.ShapeError, match="list"):
        FeatureTable.build(path, pyarrow.table({"id": [1], "x": [[1]]}), key="id")
    with pytest.raises(scoreline.FileError, match=re.escape(f"cannot create '{tmp_path}/missing/bad.sft': no such file")):
        FeatureTable.build(tmp_path / "missing" / "bad.sft", customers, key="customer_id")
    assert os.listdir(tmp_path) == []


def test_streams_of_all_types_come_back(tmp_path):
    rng = np.random.default_rng(7)
    n, schema = 5000, None
    batches = []
    for part in range(7):
        ids = np.arange(part * n, (part + 1) * n)
        null = rng.random(n) < 0.2
        batches.append(pyarrow.record_batch({
            "id": pyarrow.array(ids),
            "country": pyarrow.array(rng.choice(["no", "se", "a country of a long name"], n)).dictionary_encode(),
            "f64": pyarrow.array(rng.normal(size=n), mask=null),
            "f32": pyarrow.array(rng.normal(size=n).astype(np.float32), mask=null),
            "i16": pyarrow.array(rng.integers(-9, 9, n).astype(np.int16), mask=null),
            "i64": pyarrow.array(rng.integers(-2**62, 2**62, n), mask=null),
            "flag": pyarrow.array(rng.random(n) < 0.5, mask=null),
            "text": pyarrow.array(rng.choice(["x", "yy", ""], n), mask=null),
        }))
        schema = batches[0].schema
    reader = pyarrow.RecordBatchReader.from_batches(schema, iter(batches))
    table = FeatureTable.build(tmp_path / "all.sft", reader, key=["country", "id"])
    assert table.columns == {"f64": "f64", "f32": "f32", "i16": "i32", "i64": "i64", "flag": "bool", "text": "string"}
    whole = pyarrow.Table.from_batches(batches)
    values, found = table.lookup([whole["country"].cast(pyarrow.string()), whole["id"]])
    assert found.all()
    for name, column in values.items():
        assert list(column.objects()) == whole[name].to_pylist(), name
    table.verify()
    for options in ({"preload": True}, {"copy": True}, {"verify": True}):
        again = FeatureTable(tmp_path / "all.sft", **options)
        assert again.get(whole["country"][77].as_py(), 77) == {name: whole[name][77].as_py() for name in table.columns}


def test_replaced_files_are_picked_up(store, fraud, batch, customers):
    client = FeatureEngineeringClient(store)
    path = store / "ml" / "features" / "customer_profile.sft"
    held = FeatureTable(path)
    first = client.score_batch(model_uri=fraud, df=batch, feature_lookups=LOOKUPS)
    FeatureTable.build(path, customers.assign(avg_transaction_amount=9.0), key="customer_id")
    second = client.score_batch(model_uri=fraud, df=batch, feature_lookups=LOOKUPS)
    assert first["avg_transaction_amount"].tolist()[1] == 0.5 and second["avg_transaction_amount"].tolist()[1] == 9
    assert held.get(10)["avg_transaction_amount"] == 0.5
    assert held.refresh() and not held.refresh()
    assert held.get(10)["avg_transaction_amount"] == 9
    FeatureTable.build(path, customers[["customer_id", "transaction_frequency"]], key="customer_id")
    with pytest.raises(scoreline.ShapeError, match="other keys or columns"):
        held.refresh()
    assert held.get(10)["avg_transaction_amount"] == 9


def test_structs_are_the_headers(tmp_path):
    import ctypes
    import pathlib
    import subprocess

    structs = {
        "score_table_options": _tables.TableOptions, "score_table_info": _tables.TableInfo,
        "score_table_output": _tables.TableOutput, "score_table_query": _tables.TableQuery,
        "score_table_field": _tables.TableField, "score_table_schema": _tables.TableSchema,
    }
    expected, lines = [], []
    for name, struct in structs.items():
        lines.append(f'printf("%zu\\n", sizeof({name}));')
        expected.append(ctypes.sizeof(struct))
        for member, *_ in struct._fields_:
            lines.append(f'printf("%zu\\n", offsetof({name}, {member}));')
            expected.append(getattr(struct, member).offset)
    source = tmp_path / "structs.c"
    source.write_text("#include <scoreline/features.h>\n#include <stdio.h>\nint main(void) {" + "\n".join(lines) + "}\n")
    include = pathlib.Path(__file__).resolve().parents[2] / "include"
    subprocess.run(["cc", "-std=c99", f"-I{include}", source, "-o", tmp_path / "structs"], check=True)
    printed = subprocess.run([tmp_path / "structs"], check=True, capture_output=True, text=True).stdout
    assert [int(line) for line in printed.split()] == expected


class Shelf(FeatureSource):
    """A source of one text column and one number by two keys, with times."""

    path, keys, columns = "shelf", ["shop", "item"], {"kind": "string", "price": "i64"}

    def __init__(self, rows, ttl=None, has_times=True):
        self.rows, self.ttl, self.has_times, self.asked = rows, ttl, has_times, []

    def fetch(self, keys, columns):
        self.asked.append((list(zip(*keys)), columns))
        rows = [self.rows.get(key) for key in zip(*keys)]
        times = np.array([row["time"] if row else None for row in rows], dtype="datetime64[us]")
        picked = {name: [row[name] if row else None for row in rows] for name in columns}
        return Fetched(picked, [row is not None for row in rows], times if self.has_times else None)


DAY = datetime.datetime(2024, 3, 10)
ROWS = {(1, "a"): {"time": DAY, "kind": "old", "price": 3},
        (2, "b"): {"time": DAY + datetime.timedelta(days=2), "kind": None, "price": None}}


def look_up(source, **options):
    events = pandas.DataFrame({
        "at": [DAY, DAY, DAY + datetime.timedelta(days=9), pandas.NaT, DAY - datetime.timedelta(microseconds=1)],
        "shop_id": [1, 2, 1, 1, np.nan], "item_id": ["a", "b", "a", "a", None],
    })
    lookup = FeatureLookup(table_name="shelf", lookup_key=["shop_id", "item_id"], **options)
    model = _constant()
    out = FeatureEngineeringClient({"shelf": source}).score_batch(model_uri=model, df=events, feature_lookups=[lookup])
    return [None if value is None or value is pandas.NA or value != value else value for value in out["price"].tolist()], out


def _constant():
    builder = scoreline.Builder(1, feature_names=["price"])
    builder.set_linear([[1.0]])
    return builder.finish()


def test_sources_of_other_stores():
    source = Shelf(ROWS)
    prices, out = look_up(source)
    assert prices == [3, None, 3, 3, None]
    assert out["kind"].isna().tolist() == [False, True, False, False, True] and set(out["kind"].dropna()) == {"old"}
    assert source.asked == [([(1, "a"), (2, "b"), (1, "a"), (1, "a"), (None, None)], ["kind", "price"])]
    assert [type(part) for key in source.asked[0][0][:4] for part in key] == [int, str] * 4
    assert look_up(source, default_values={"price": 8})[0] == [3, 8, 3, 3, 8]


def test_sources_as_of_a_time():
    source = Shelf(ROWS)
    assert look_up(source, timestamp_lookup_key="at")[0] == [3, None, 3, None, None]
    week = datetime.timedelta(days=7)
    assert look_up(source, timestamp_lookup_key="at", lookback_window=week)[0] == [3, None, None, None, None]
    assert look_up(Shelf(ROWS, ttl=week), timestamp_lookup_key="at")[0] == [3, None, None, None, None]
    assert look_up(Shelf(ROWS, ttl=week), timestamp_lookup_key="at", lookback_window=datetime.timedelta(days=9))[0] == [3, None, 3, None, None]
    assert look_up(Shelf(ROWS, ttl=week))[0] == [None] * 5, "rows of 2024 are too old by now"
    assert look_up(Shelf(ROWS, ttl=datetime.timedelta(0)))[0] == [3, None, 3, 3, None]
    with pytest.raises(scoreline.ShapeError, match="'shelf' keeps no times"):
        look_up(Shelf(ROWS, has_times=False), timestamp_lookup_key="at")


def test_sources_refuse_by_name():
    with pytest.raises(scoreline.ShapeError, match="'shelf' has no column 'cost'; it has 'kind', 'price'"):
        look_up(Shelf(ROWS), feature_names=["cost"])
    with pytest.raises(scoreline.ShapeError, match="key columns shop, item; found 1"):
        Shelf(ROWS).lookup([[1]])
    with pytest.raises(scoreline.ShapeError, match="key column 'shop' of 'shelf' takes whole numbers or texts, found 1.5"):
        Shelf(ROWS).lookup([[1.5], ["a"]])
    with pytest.raises(scoreline.ShapeError, match="window as timedelta, found 3"):
        look_up(Shelf(ROWS), timestamp_lookup_key="at", lookback_window=3)


# ---- keys and times of every kind ------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def seconds(tmp_path_factory):
    """Two rows of the key 1, a day apart, in seconds."""
    times = np.array([DAY, DAY + datetime.timedelta(days=1)], dtype="datetime64[s]")
    frame = pandas.DataFrame({"id": [1, 1], "at": times, "level": [1.0, 2.0]})
    return FeatureTable.build(tmp_path_factory.mktemp("times") / "seconds.sft", frame, key="id", timestamp="at")


def levels(table, at, keys=None, **options):
    found = table.lookup([[1] * len(at) if keys is None else keys], at=at, **options)[0]["level"]
    return found.objects().tolist()


def test_times_of_every_kind(seconds):
    noon, utc = DAY + datetime.timedelta(hours=36), datetime.timezone.utc
    for at in (
        [noon],
        [noon.replace(tzinfo=utc)],
        [DAY.date() + datetime.timedelta(days=1)],
        np.array([noon], "datetime64[ns]"),
        pandas.DatetimeIndex([noon]),
        pandas.DatetimeIndex([noon]).tz_localize("UTC").tz_convert("Europe/Berlin"),
        pandas.Series([noon]).dt.tz_localize("UTC"),
        pyarrow.array([noon], pyarrow.timestamp("ms", "UTC")),
        pyarrow.array([noon.date()]),
        pyarrow.chunked_array([[noon]]),
    ):
        assert levels(seconds, at) == [2.0], at
    assert levels(seconds, pandas.Series([np.nan, noon, None], dtype=object)) == [None, 2.0, None]
    with pytest.raises(scoreline.ShapeError, match="takes whole numbers, found '2024-03-10'"):
        levels(seconds, ["2024-03-10"])


def test_nanoseconds_beside_missing_ones(tmp_path):
    """No double holds today's nanoseconds: a time would be earlier or later than it is, and another row be taken."""
    base = 1_704_067_200_000_000_001
    frame = pandas.DataFrame({"id": [1, 1], "at": [base, base + 100], "level": [1.0, 2.0]})
    table = FeatureTable.build(tmp_path / "exact.sft", frame, key="id", timestamp="at", unit="ns")
    at = [base - 1, base, base + 99, None, base + 100]
    for given in (pyarrow.array(at), pyarrow.chunked_array([at[:2], at[2:]]), pandas.Series(at, dtype="Int64"), at):
        assert levels(table, given) == [None, 1.0, 1.0, None, 2.0]


def test_windows_shorter_than_the_unit(seconds):
    """They are not windows of any length."""
    at = [DAY + datetime.timedelta(days=1, hours=1)]
    for hour in (datetime.timedelta(hours=1), np.timedelta64(1, "h"), np.timedelta64(3600 * 10**9, "ns"), 3600):
        assert levels(seconds, at, lookback=hour) == [2.0]
    assert levels(seconds, at, lookback=np.timedelta64(59, "m")) == [None]
    for none in (datetime.timedelta(0), datetime.timedelta(milliseconds=999), np.timedelta64(1, "ns"), 0, -1):
        with pytest.raises(scoreline.ArgumentError, match="look-back window .*less than one s.*None for rows of any age"):
            levels(seconds, at, lookback=none)
    with pytest.raises(scoreline.ShapeError, match="look-back window takes whole numbers, found 0.5"):
        levels(seconds, at, lookback=0.5)
    with pytest.raises(scoreline.ArgumentError, match="look-back window 0:00:00 is none"):
        Shelf(ROWS).lookup([[1], ["a"]], at=at, lookback=datetime.timedelta(0))


def test_keys_of_every_kind(seconds):
    at = [DAY + datetime.timedelta(days=2)] * 2
    masked = np.ma.array([1, 1], mask=[False, True])
    for keys in (masked, pandas.Index([1, 2]), pandas.array([1, None], "Int64"), [1.0, None], [decimal.Decimal(1), 2**70]):
        assert levels(seconds, at, keys) == [2.0, None]
    for wrong in (np.inf, DAY, 1j, True, b"1", 1.5):
        with pytest.raises(scoreline.ShapeError, match="'id' of .* takes whole numbers, found"):
            levels(seconds, at, [1, wrong])
