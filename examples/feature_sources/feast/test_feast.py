"""Lookups in Feast: its SQLite online store behind FeatureLookup and score_batch, and a table made of its offline store.

Comes in: repositories that are made here, with Feast's own apply and materialise. What must come out: the golden set's bits;
what Feast's own joins of the past give; the columns and scores that the guide's call promises.
"""
import datetime
import math
import pathlib
import subprocess
import sys
import time

import numpy as np
import pandas
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Bool, Float32, Float64, Int64, String

import golden_set
import scoreline
from feast_source import FeastSource, build_table
from scoreline.features import FeatureEngineeringClient, FeatureLookup, FeatureTable, score_batch

HERE = pathlib.Path(__file__).parent
PATTERN = (HERE / "pattern_features.txt").read_text()
NOW = pandas.Timestamp.now(tz="UTC").floor("s")
DAY = pandas.Timedelta(days=1)
LONG = datetime.timedelta(days=365)


def make_store(folder, views):
    """A repository with (name, key, its type, fields, ttl, rows) for each view, materialised up to now."""
    store = FeatureStore(config=RepoConfig(
        project="scoreline", provider="local", registry=str(folder / "registry.db"), entity_key_serialization_version=3,
        online_store={"type": "sqlite", "path": str(folder / "online.db")}, offline_store={"type": "dask"}))
    made = []
    for name, key, kind, fields, ttl, rows in views:
        rows.to_parquet(folder / f"{name}.parquet")
        created = "created" if "created" in rows.columns else ""
        source = FileSource(path=str(folder / f"{name}.parquet"), timestamp_field="seen_at", created_timestamp_column=created)
        entity = Entity(name=key, join_keys=[key], value_type=kind)
        schema = [Field(name=field, dtype=dtype) for field, dtype in fields.items()]
        made += [entity, FeatureView(name=name, entities=[entity], ttl=ttl, schema=schema, source=source)]
    store.apply(made)
    store.materialize((NOW - LONG).to_pydatetime(), NOW.to_pydatetime())
    return store


@pytest.fixture(scope="module")
def customers():
    return pandas.DataFrame({
        "customer_id": [10, 20, 10, 30], "seen_at": [NOW - 3 * DAY, NOW - DAY, NOW - 2 * DAY, NOW - 40 * DAY],
        "avg_transaction_amount": [99.0, 0.5, -1.25, 7.0], "transaction_frequency": pandas.array([8, None, 2, 4], dtype="Int64"),
    })


@pytest.fixture(scope="module")
def merchants():
    return pandas.DataFrame({
        "merchant_id": ["m-1", "m-2"], "seen_at": [NOW - 2 * DAY] * 2,
        "merchant_risk_score": np.array([0.1, 0.9], dtype=np.float32), "chargeback_rate": [0.25, None], "is_new": [True, False],
    })


@pytest.fixture(scope="module")
def store(tmp_path_factory, customers, merchants):
    return make_store(tmp_path_factory.mktemp("feast"), [
        ("customer_profile", "customer_id", ValueType.INT64,
         {"avg_transaction_amount": Float64, "transaction_frequency": Int64}, datetime.timedelta(days=30), customers),
        ("merchant_risk", "merchant_id", ValueType.STRING,
         {"merchant_risk_score": Float32, "chargeback_rate": Float64, "is_new": Bool}, None, merchants),
    ])


@pytest.fixture(scope="module")
def tables(store):
    return {"ml.features.customer_profile": FeastSource(store, "customer_profile"),
            "ml.features.merchant_risk": FeastSource(store, "merchant_risk")}


NAMES = ["amount", "avg_transaction_amount", "transaction_frequency", "merchant_risk_score", "chargeback_rate"]


@pytest.fixture(scope="module")
def fraud():
    """A stump for each of the pattern's features; every leaf and every side of a missing value gives another sum."""
    builder = scoreline.Builder(5, feature_names=NAMES, link="sigmoid")
    for i, threshold in enumerate((1.0, 0.0, 3.0, 0.5, 0.3)):
        builder.add_tree([1, -1, -1], [2, 0, 0], [i, 0, 0], [threshold, 2.0**-i, -(3.0**-i)], missing_left=i % 2 == 0)
    return builder.finish()


def batch():
    return pandas.DataFrame({"customer_id": [20, 10, 99, 30, 10], "merchant_id": ["m-2", "m-1", "m-1", None, "m-9"],
                             "amount": [1.0, -2.0, 3.0, 0.5, 0.0]}, index=[7, 5, 5, 1, 0])


def plain(values):
    return [None if value is None or value is pandas.NA or value != value else value for value in values.tolist()]


def test_the_guides_call_as_printed(tables, fraud):
    client = FeatureEngineeringClient(tables, registry={"fraud_model/Production": fraud})
    text = golden_set.replaced(
        PATTERN,
        ("from databricks.feature_engineering import", "from scoreline.features import"),
        ("FeatureEngineeringClient()", "client"),  # over Feast's views, with a registry of one model
        ('enriched.write.format("delta").mode("append").saveAsTable("ml.scores.enriched")', "return enriched"))  # without Spark
    names = {"client": client}
    exec(compile(text, "pattern_features.txt", "exec"), names)
    enriched = names["score_with_features"](batch(), 0)
    assert list(enriched.columns) == ["customer_id", "merchant_id", "amount", *NAMES[1:], "prediction"]
    assert list(enriched.index) == [7, 5, 5, 1, 0]
    # The latest row of a key; 99, m-9 and the missing merchant are not there; customer 30's row is older than the view's ttl.
    assert plain(enriched["avg_transaction_amount"]) == [0.5, -1.25, None, None, -1.25]
    assert plain(enriched["transaction_frequency"]) == [None, 2, None, None, 2]
    assert plain(enriched["merchant_risk_score"]) == [np.float32(0.9), np.float32(0.1), np.float32(0.1), None, None]
    assert plain(enriched["chargeback_rate"]) == [None, 0.25, 0.25, None, None]
    rows = enriched[NAMES].astype("float64").to_numpy()
    np.testing.assert_array_equal(enriched["prediction"], fraud.predict(rows))
    assert len(set(enriched["prediction"])) == 4


def test_defaults_and_the_requests_own_values(tables, fraud):
    lookups = [
        FeatureLookup(table_name="ml.features.customer_profile", lookup_key="customer_id",
                      default_values={"avg_transaction_amount": -9.0, "transaction_frequency": 7}),
        FeatureLookup(table_name="ml.features.merchant_risk", lookup_key="merchant_id"),
    ]
    df = batch().assign(merchant_risk_score=[None, 0.75, None, 0.25, None])
    out = FeatureEngineeringClient(tables).score_batch(model_uri=fraud, df=df, feature_lookups=lookups)
    assert plain(out["avg_transaction_amount"]) == [0.5, -1.25, -9.0, -9.0, -1.25]
    assert plain(out["transaction_frequency"]) == [7, 2, 7, 7, 2]
    assert plain(out["merchant_risk_score"].astype(np.float32)) == [np.float32(0.9), 0.75, np.float32(0.1), 0.25, None]
    assert plain(out["is_new"]) == [False, True, True, None, None]
    np.testing.assert_array_equal(out["prediction"], fraud.predict(out[NAMES].astype("float64").to_numpy()))


def test_expired_rows(store, tables):
    """Feast's online answer has the row of customer 30, 40 days old, although the view says 30; a join at its time too."""
    answer = store.get_online_features(["customer_profile:avg_transaction_amount"], [{"customer_id": 30}]).to_dict()
    assert answer["avg_transaction_amount"] == [7.0], "Feast now leaves expired rows out itself: say so in the README"
    source = tables["ml.features.customer_profile"]
    assert source.lookup([[30]])[1].tolist() == [False]
    assert source.lookup([[30]], at=[(NOW - 11 * DAY).to_pydatetime()])[1].tolist() == [True]


def times_and_keys(n):
    random = np.random.default_rng(5)
    return pandas.DataFrame({"customer_id": random.integers(0, 9, n),
                             "event_timestamp": [NOW - pandas.Timedelta(minutes=int(m)) for m in random.integers(0, 90 * 1440, n)]})


def test_a_table_gives_what_feasts_own_join_of_the_past_gives(tmp_path):
    random = np.random.default_rng(4)
    n, ttl = 300, datetime.timedelta(days=6)
    history = pandas.DataFrame({
        "customer_id": random.integers(0, 8, n), "level": random.normal(size=n), "kind": random.choice(["a", "b"], n),
        "seen_at": [NOW - pandas.Timedelta(hours=int(h)) for h in random.integers(0, 90 * 24, n)],
    }).drop_duplicates(["customer_id", "seen_at"])
    store = make_store(tmp_path, [("levels", "customer_id", ValueType.INT64, {"level": Float64, "kind": String}, ttl, history)])
    events = times_and_keys(400)
    theirs = store.get_historical_features(events.assign(number=range(400)), ["levels:level", "levels:kind"]).to_df()
    theirs = theirs.set_index("number").reindex(range(400))  # its join by files leaves expired rows out

    table = build_table(store, "levels", tmp_path / "levels.sft")
    assert len(table) == len(history)
    ours, _ = table.lookup([events["customer_id"]], at=events["event_timestamp"], lookback=ttl)
    for name in ("level", "kind"):
        assert plain(ours[name].objects()) == plain(theirs[name])
    assert 50 < theirs["level"].notna().sum() < 350

    # The online store holds each key's latest row only: as of the last minute it agrees, before a key's row it has none.
    source = FeastSource(store, "levels")
    at_end = pandas.DataFrame({"customer_id": range(9), "at": NOW})
    online, found = source.lookup([at_end["customer_id"]], at=at_end["at"])
    latest, _ = table.lookup([at_end["customer_id"]], at=at_end["at"], lookback=ttl)
    assert plain(online["level"].objects()) == plain(latest["level"].objects()) and found.any() and not found.all()
    assert not source.lookup([at_end["customer_id"]], at=at_end["at"] - 90 * DAY)[1].any()


def test_of_rows_of_one_time_the_one_made_last_counts(tmp_path):
    """Feast says so too; its own join by files sorts in a way that does not keep their order, and is not compared."""
    history = pandas.DataFrame({"customer_id": [1, 1, 2], "seen_at": NOW - DAY, "created": [NOW, NOW - DAY, NOW], "level": [5.0, 4.0, 6.0]})
    store = make_store(tmp_path, [("levels", "customer_id", ValueType.INT64, {"level": Float64}, LONG, history)])
    table = build_table(store, "levels", tmp_path / "levels.sft")
    assert len(table) == 2 and table.get(1) == {"level": 5.0}


def test_as_of_and_lookback_in_score_batch(tables, fraud):
    times = [NOW, NOW, NOW - 2 * DAY, NOW - 3 * DAY, pandas.NaT]
    df = batch().assign(at=times)[["customer_id", "amount", "at"]].assign(merchant_risk_score=0.5, chargeback_rate=0.5)

    def found(**options):
        lookup = FeatureLookup(table_name="ml.features.customer_profile", lookup_key="customer_id", timestamp_lookup_key="at", **options)
        return plain(score_batch(model_uri=fraud, df=df, feature_lookups=[lookup], tables=tables)["avg_transaction_amount"])

    assert found() == [0.5, -1.25, None, None, None]
    assert found(lookback_window=datetime.timedelta(hours=36)) == [0.5, None, None, None, None]
    # Customer 30 five weeks before now, and one second before its row.
    df["at"], df["customer_id"] = [NOW - 35 * DAY] * 4 + [NOW - 40 * DAY - pandas.Timedelta(seconds=1)], 30
    assert found() == [7.0] * 4 + [None]


def test_golden_rows_through_feast(tmp_path):
    """Three of four features by key from the online store: NULL, NaN, infinities, denormals and texts come back bit for bit."""
    golden = golden_set.load("fraud")
    frame = pandas.DataFrame(golden.rows, columns=golden.names)
    stored = frame.drop(columns="amount").assign(transaction_id=range(len(frame)), seen_at=NOW - DAY)
    kinds = {"double": Float64, "string": String}
    fields = {name: kinds[kind] for name, kind in zip(golden.names, golden.types) if name != "amount"}
    store = make_store(tmp_path, [("parts", "transaction_id", ValueType.INT64, fields, LONG, stored)])
    lookup = FeatureLookup(table_name=FeastSource(store, "parts"), lookup_key="transaction_id")
    df = pandas.DataFrame({"transaction_id": range(len(frame)), "amount": frame["amount"]})
    out = score_batch(model_uri=golden.path, df=df, feature_lookups=[lookup])
    golden_set.compare("Feast", golden.prediction, out["prediction"])
    table = FeatureLookup(table_name=build_table(store, "parts", tmp_path / "parts.sft"), lookup_key="transaction_id")
    golden_set.compare("the table", golden.prediction, score_batch(model_uri=golden.path, df=df, feature_lookups=[table])["prediction"])


def test_what_does_not_fit_is_named(tables, fraud):
    wrong = FeatureLookup(table_name="ml.features.customer_profile", lookup_key="merchant_id")
    with pytest.raises(TypeError, match="the key 'customer_id' of 'customer_profile' takes int, found 'm-2'"):
        FeatureEngineeringClient(tables).score_batch(model_uri=fraud, df=batch(), feature_lookups=[wrong])
    unknown = FeatureLookup(table_name="ml.features.customer_profile", lookup_key="customer_id", feature_names=["age"])
    with pytest.raises(scoreline.ShapeError, match="'customer_profile' has no column 'age'; it has 'avg_transaction_amount'"):
        FeatureEngineeringClient(tables).score_batch(model_uri=fraud, df=batch(), feature_lookups=[unknown])


def test_the_command(tmp_path, customers):
    customers.to_parquet(tmp_path / "customers.parquet")
    (tmp_path / "feature_store.yaml").write_text("project: p\nprovider: local\nregistry: r.db\nentity_key_serialization_version: 3\n"
                                                 "online_store: {type: sqlite, path: o.db}\noffline_store: {type: dask}\n")
    store = FeatureStore(str(tmp_path))
    entity = Entity(name="customer_id", join_keys=["customer_id"], value_type=ValueType.INT64)
    source = FileSource(path=str(tmp_path / "customers.parquet"), timestamp_field="seen_at")
    store.apply([entity, FeatureView(name="profile", entities=[entity], source=source,
                                     schema=[Field(name="avg_transaction_amount", dtype=Float64)])])
    done = subprocess.run([sys.executable, HERE / "feast_source.py", tmp_path, "profile", "-o", tmp_path / "profile.sft"],
                          check=True, capture_output=True, text=True)
    assert done.stdout.endswith("profile.sft: 4 rows by customer_id over seen_at; avg_transaction_amount\n")
    assert FeatureTable(tmp_path / "profile.sft").get(10) == {"avg_transaction_amount": -1.25}


def test_what_a_lookup_costs(tmp_path, capsys):
    """Not a bound, only printed: the same rows by key in Feast's online store and in a table of them."""
    n = 20_000
    rows = pandas.DataFrame({"customer_id": range(n), "seen_at": NOW - DAY, "a": np.arange(n) * 0.5, "b": np.arange(n) * 2.0})
    store = make_store(tmp_path, [("wide", "customer_id", ValueType.INT64, {"a": Float64, "b": Float64}, LONG, rows)])
    source, table = FeastSource(store, "wide"), build_table(store, "wide", tmp_path / "wide.sft")
    with capsys.disabled():
        print(f"\n{n} keys, two numbers each; processor time per key, the least of five")
        for n_keys in (1, 100, 1000):
            keys = [np.random.default_rng(n_keys).integers(0, n, n_keys)]
            slow, fast = least(lambda: source.lookup(keys), 20 if n_keys == 1 else 1), least(lambda: table.lookup(keys), 50)
            for name, values in source.lookup(keys)[0].items():
                np.testing.assert_array_equal(values.values, table.lookup(keys)[0][name].values)
            print(f"batches of {n_keys:>4}: Feast {slow / n_keys * 1e6:8.2f} us, feature table {fast / n_keys * 1e6:6.2f} us,"
                  f" {slow / fast:4.0f} times")


def least(call, rounds=1):
    """Seconds of processor time of one call."""
    seconds = math.inf
    for _ in range(5):
        began = time.process_time()
        for _ in range(rounds):
            call()
        seconds = min(seconds, (time.process_time() - began) / rounds)
    return seconds
